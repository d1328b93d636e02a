//! From names to addresses, as DNS is now: nothing is remembered from one check to the next. Connects to no target.

mod answer;

use std::collections::HashMap;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use hickory_resolver::Hosts;
use hickory_resolver::Resolver;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::ConnectionConfig;
use hickory_resolver::config::NameServerConfig;
use hickory_resolver::config::ResolveHosts;
use hickory_resolver::config::ResolverConfig;
use hickory_resolver::config::ResolverOpts;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::Name;
use hickory_resolver::proto::rr::RecordType;
use rustls::ClientConfig;

use crate::clock::Clock;
use crate::model::monitor::IpChoice;
use crate::model::net::NameServer;
use crate::model::net::NameServerTransport;
use crate::model::result::DnsFailure;
use crate::model::result::Failure;
use crate::model::result::OwnTrouble;
use crate::model::result::Phase;
use crate::model::time::Mono;
use crate::model::time::spoken;
use crate::probe::resolve::answer::addresses;
use crate::probe::resolve::answer::alternate;
use crate::probe::resolve::answer::combine;
use crate::probe::resolve::answer::either;
use crate::probe::resolve::answer::read;
use crate::probe::tls::roots;
use crate::probe::trace::Trace;

/// Longest wait for one answer of one name server.
const TRY_TIMEOUT: Duration = Duration::from_secs(2);

/// Questions under way on one connection to a name server. Checks come in bursts, and one that finds no room would fail.
const ACTIVE_MAX: usize = 4096;

/// Tries after the first one.
const N_RETRIES: usize = 1;

/// The system's resolver configuration is read again after this long: laptops move, containers are attached to networks.
const SYSTEM_AGE_MAX: Duration = Duration::from_secs(30);

/// Resolvers by the servers they ask; more than this many lists at once are not kept.
const CUSTOM_MAX: usize = 256;

/// One resolver and, for the system's, the hosts file.
struct Asker {
    resolver: TokioResolver,
    hosts: Option<Hosts>,
}

/// The resolvers that checks share. They hold configuration and connections to name servers, never answers.
pub(crate) struct Resolvers {
    system: Mutex<Option<(Mono, Arc<Asker>)>>,
    custom: Mutex<HashMap<Vec<NameServer>, Arc<Asker>>>,
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a> {
    /// A name, or an address as text without brackets.
    pub(crate) host: &'a str,
    /// Which families are wanted.
    pub(crate) ip: IpChoice,
    /// Whom to ask; empty means the system's servers.
    pub(crate) servers: &'a [NameServer],
}

impl Resolvers {
    /// None yet; they are made when first needed.
    pub(crate) fn new() -> Resolvers {
        Resolvers { system: Mutex::new(None), custom: Mutex::new(HashMap::new()) }
    }

    /// The addresses of a host, at least one, at most 32: families alternate, IPv6 first. Awaits name servers
    /// unless the host is an address, `localhost` or in the hosts file.
    ///
    /// # Errors
    /// [`Failure::Dns`], or our own trouble.
    pub(crate) async fn addresses(&self, question: Question<'_>, trace: &mut Trace) -> Result<Vec<IpAddr>, Failure> {
        let Question { host, ip, servers } = question;
        let no_address = || Failure::Dns { name: host.to_owned(), kind: DnsFailure::NoAddress };
        if let Ok(address) = host.parse::<IpAddr>() {
            return if wants(ip, address) { Ok(vec![address]) } else { Err(no_address()) };
        }
        if is_localhost(host) {
            let both = [IpAddr::V6(Ipv6Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::LOCALHOST)];
            return Ok(both.into_iter().filter(|address| wants(ip, *address)).collect());
        }
        trace.enter(Phase::Dns);
        let asker = if servers.is_empty() { self.system(&trace.clock) } else { self.custom(servers) };
        let asked = match asker {
            Ok(asker) => asker.ask(host, ip).await,
            Err(error) => Err(Failure::Own(OwnTrouble::Setup(format!("cannot set up the resolver: {error}")))),
        };
        let took = spoken(trace.leave());
        let found = match asked {
            Ok(found) if found.is_empty() => Err(no_address()),
            other => other,
        };
        match &found {
            Ok(found) => {
                let list: Vec<String> = found.iter().map(IpAddr::to_string).collect();
                trace.say(&format!("dns {host} → {} ({took})", list.join(", ")));
            }
            Err(failure) => trace.say(&format!("dns {host}: {failure} ({took})")),
        }
        found
    }

    fn system(&self, clock: &Clock) -> Result<Arc<Asker>, NetError> {
        let now = clock.now().mono;
        let mut held = self.system.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((made, asker)) = &*held
            && now.since(*made) < SYSTEM_AGE_MAX
        {
            return Ok(Arc::clone(asker));
        }
        let (config, options) = hickory_resolver::system_conf::read_system_conf().unwrap_or_else(|error| {
            tracing::debug!(%error, "no usable resolv.conf, asking 127.0.0.1 as the C library does: {error}");
            let local = NameServerConfig::udp_and_tcp(IpAddr::V4(Ipv4Addr::LOCALHOST));
            (ResolverConfig::from_parts(None, Vec::new(), vec![local]), ResolverOpts::default())
        });
        let hosts = Some(Hosts::from_system().unwrap_or_default());
        let asker = Arc::new(Asker { resolver: build(config, options, roots::no_tls())?, hosts });
        *held = Some((now, Arc::clone(&asker)));
        Ok(asker)
    }

    fn custom(&self, servers: &[NameServer]) -> Result<Arc<Asker>, NetError> {
        let mut held = self.custom.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(asker) = held.get(servers) {
            return Ok(Arc::clone(asker));
        }
        let config = ResolverConfig::from_parts(None, Vec::new(), servers.iter().map(server_config).collect());
        let has_tls = servers.iter().any(|server| server.transport == NameServerTransport::Tls);
        let tls = if has_tls { roots::dns_over_tls() } else { roots::no_tls() };
        let asker = Arc::new(Asker { resolver: build(config, ResolverOpts::default(), tls)?, hosts: None });
        // Lists that reloads left behind are not worth keeping account of: making a resolver is cheap.
        if held.len() >= CUSTOM_MAX {
            held.clear();
        }
        held.insert(servers.to_vec(), Arc::clone(&asker));
        Ok(asker)
    }
}

fn build(config: ResolverConfig, mut options: ResolverOpts, tls: ClientConfig) -> Result<TokioResolver, NetError> {
    let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default()).with_tls_config(tls);
    options.timeout = options.timeout.min(TRY_TIMEOUT);
    options.attempts = N_RETRIES;
    options.cache_size = 0;
    options.max_active_requests = ACTIVE_MAX;
    // Read by us, and for the system's resolver only.
    options.use_hosts_file = ResolveHosts::Never;
    *builder.options_mut() = options;
    builder.build()
}

fn server_config(server: &NameServer) -> NameServerConfig {
    let mut ways = match server.transport {
        NameServerTransport::Udp => vec![ConnectionConfig::udp(), ConnectionConfig::tcp()],
        NameServerTransport::Tcp => vec![ConnectionConfig::tcp()],
        NameServerTransport::Tls => {
            let name = server.tls_name.clone().unwrap_or_else(|| server.address.ip().to_string());
            vec![ConnectionConfig::tls(Arc::from(name))]
        }
    };
    for way in &mut ways {
        way.port = server.address.port();
    }
    NameServerConfig::new(server.address.ip(), true, ways)
}

impl Asker {
    async fn ask(&self, host: &str, ip: IpChoice) -> Result<Vec<IpAddr>, Failure> {
        let name = Name::from_str_relaxed(host).map_err(|_| Failure::Dns { name: host.to_owned(), kind: DnsFailure::NoSuchName })?;
        let written = self.in_hosts_file(&name);
        if !written.is_empty() {
            return Ok(alternate(written.into_iter().filter(|address| wants(ip, *address))));
        }
        let v4 = async { read(host, self.resolver.lookup(name.clone(), RecordType::A).await.map(|found| addresses(found.answers()))) };
        let v6 = async { read(host, self.resolver.lookup(name.clone(), RecordType::AAAA).await.map(|found| addresses(found.answers()))) };
        let found = match ip {
            IpChoice::V4 => v4.await?,
            IpChoice::V6 => v6.await?,
            IpChoice::Any => either(v4, v6).await?,
            IpChoice::Both | IpChoice::Each => {
                let (v4, v6) = tokio::join!(v4, v6);
                combine(v4, v6)?
            }
        };
        Ok(alternate(found.into_iter()))
    }

    fn in_hosts_file(&self, name: &Name) -> Vec<IpAddr> {
        let Some(hosts) = &self.hosts else { return Vec::new() };
        [RecordType::AAAA, RecordType::A]
            .into_iter()
            .filter_map(|kind| hosts.lookup_static_host(&Query::query(name.clone(), kind)))
            .flat_map(|found| addresses(found.answers()))
            .collect()
    }
}

fn wants(ip: IpChoice, address: IpAddr) -> bool {
    match ip {
        IpChoice::V4 => address.is_ipv4(),
        IpChoice::V6 => address.is_ipv6(),
        IpChoice::Any | IpChoice::Both | IpChoice::Each => true,
    }
}

/// RFC 6761 section 6.3: these names never leave the machine.
fn is_localhost(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}
