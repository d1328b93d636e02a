//! TLS towards targets: settings turned into what the library needs, kept between checks because building it is dear, and
//! handshakes, which are always full ones. Which certificates are good enough is not decided here.

pub(crate) mod certificate;
pub(crate) mod defect;
pub(crate) mod roots;
pub(crate) mod verify;

use std::collections::HashMap;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;
use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::client::Resumption;
use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::model::monitor::ClientCertificate;
use crate::model::monitor::HttpVersion;
use crate::model::monitor::TlsSpec;
use crate::model::monitor::TlsVersion;
use crate::model::result::Failure;
use crate::model::result::Phase;
use crate::model::result::TlsDefect;
use crate::model::time::spoken;
use crate::probe::own::is_reset;
use crate::probe::own::own_trouble;
use crate::probe::tls::defect::Circumstances;
use crate::probe::tls::verify::Recorder;
use crate::probe::tls::verify::Trust;
use crate::probe::trace::Trace;

/// Settings kept between checks; reloads leave old ones behind, which go when there are this many.
const READY_MAX: usize = 512;

/// What handshakes with the same settings share.
pub(crate) struct Ready {
    config: ClientConfig,
    trust: Arc<Trust>,
}

type ByHash = HashMap<u64, Vec<(TlsSpec, Arc<Ready>)>>;

/// Settings that were made ready, by a hash of them.
#[derive(Default)]
pub(crate) struct TlsSettings {
    ready: Mutex<ByHash>,
}

impl TlsSettings {
    /// Settings ready for use. Blocks for some milliseconds the first time.
    ///
    /// # Errors
    /// One sentence for the config's author.
    pub(crate) fn ready(&self, spec: &TlsSpec) -> Result<Arc<Ready>, String> {
        let key = hash(spec);
        let known = |held: &ByHash| held.get(&key)?.iter().find(|(other, _)| same(other, spec)).map(|(_, ready)| Arc::clone(ready));
        if let Some(ready) = known(&self.ready.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(ready);
        }
        let ready = Arc::new(build(spec)?);
        let mut held = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= READY_MAX {
            held.clear();
        }
        held.entry(key).or_default().push((spec.clone(), Arc::clone(&ready)));
        Ok(ready)
    }
}

/// The name is not part of what is kept: it belongs to one handshake.
fn same(a: &TlsSpec, b: &TlsSpec) -> bool {
    a.verify == b.verify && a.ca_pem == b.ca_pem && a.min_version == b.min_version && a.client == b.client
}

fn hash(spec: &TlsSpec) -> u64 {
    let mut hasher = DefaultHasher::new();
    spec.verify.hash(&mut hasher);
    spec.ca_pem.hash(&mut hasher);
    (spec.min_version == TlsVersion::V13).hash(&mut hasher);
    if let Some(client) = &spec.client {
        client.chain_pem.hash(&mut hasher);
        client.key_pem.hash(&mut hasher);
    }
    hasher.finish()
}

fn build(spec: &TlsSpec) -> Result<Ready, String> {
    let pinned = spec.ca_pem.as_deref().map(|pem| certificates(pem, "ca")).transpose()?.unwrap_or_default();
    let roots = if spec.ca_pem.is_some() { own_roots(&pinned)? } else { roots::system() };
    let inner = WebPkiServerVerifier::builder_with_provider(roots, roots::provider())
        .build()
        .map_err(|error| format!("cannot use the trust anchors: {error}"))?;
    let trust = Arc::new(Trust { inner, pinned, enforced: spec.verify });
    let versions: &[&rustls::SupportedProtocolVersion] = match spec.min_version {
        TlsVersion::V12 => &[&rustls::version::TLS13, &rustls::version::TLS12],
        TlsVersion::V13 => &[&rustls::version::TLS13],
    };
    let builder = ClientConfig::builder_with_provider(roots::provider())
        .with_protocol_versions(versions)
        .map_err(|error| format!("cannot set up TLS: {error}"))?
        .dangerous()
        // Replaced in each handshake by one that records.
        .with_custom_certificate_verifier(Arc::clone(&trust.inner) as Arc<dyn rustls::client::danger::ServerCertVerifier>);
    let mut config = match &spec.client {
        None => builder.with_no_client_auth(),
        Some(client) => {
            let (chain, key) = client_certificate(client)?;
            builder.with_client_auth_cert(chain, key).map_err(|error| format!("cannot use the client certificate: {error}"))?
        }
    };
    // A resumed session shows no certificate.
    config.resumption = Resumption::disabled();
    Ok(Ready { config, trust })
}

fn own_roots(pinned: &[CertificateDer<'static>]) -> Result<Arc<RootCertStore>, String> {
    let mut store = RootCertStore::empty();
    let (n_good, _) = store.add_parsable_certificates(pinned.iter().cloned());
    if n_good == 0 { Err("`ca` has no certificate that can be used".to_owned()) } else { Ok(Arc::new(store)) }
}

fn certificates(pem: &str, key: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match found {
        Ok(found) if found.is_empty() => Err(format!("`{key}` has no certificate in PEM form")),
        Ok(found) => Ok(found),
        Err(error) => Err(format!("cannot read `{key}` as PEM: {error}")),
    }
}

fn client_certificate(client: &ClientCertificate) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
    let chain = certificates(&client.chain_pem, "client_cert")?;
    let key = PrivateKeyDer::from_pem_slice(client.key_pem.reveal_for_use().as_bytes())
        .map_err(|_| "cannot read `client_key`: it must be a private key in PEM form, without a passphrase".to_owned())?;
    Ok((chain, key))
}

/// The name a certificate must carry for `host`, a DNS name or an address without brackets.
///
/// # Errors
/// One sentence for the config's author.
pub(crate) fn server_name(host: &str) -> Result<ServerName<'static>, String> {
    let bare = host.strip_suffix('.').unwrap_or(host).to_owned();
    ServerName::try_from(bare).map_err(|_| format!("`{host}` is not a name that a certificate can carry"))
}

/// Makes a handshake. ALPN follows `version`.
///
/// # Errors
/// What is wrong with the other side, or our own trouble.
pub(crate) async fn handshake(
    ready: &Ready,
    host: &str,
    version: HttpVersion,
    tcp: TcpStream,
    trace: &mut Trace,
) -> Result<TlsStream<TcpStream>, Failure> {
    let name = server_name(host).map_err(|detail| Failure::Tls(TlsDefect::Other { detail }))?;
    let recorder = Arc::new(Recorder::new(Arc::clone(&ready.trust), trace.clock.clone()));
    let mut config = ready.config.clone();
    config.dangerous().set_certificate_verifier(Arc::clone(&recorder) as Arc<dyn rustls::client::danger::ServerCertVerifier>);
    config.alpn_protocols = match version {
        HttpVersion::Auto => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        HttpVersion::V11 => vec![b"http/1.1".to_vec()],
        HttpVersion::V2 => vec![b"h2".to_vec()],
    };
    trace.enter(Phase::Tls);
    let shaken = TlsConnector::from(Arc::new(config)).connect(name, tcp).await;
    let note = recorder.take();
    let about = Circumstances { wanted: host, shown: note.shown.as_ref(), now: trace.clock.now().wall };
    let ended = match shaken {
        Ok(stream) => {
            let took = trace.leave();
            describe(&stream, &spoken(took), trace);
            Ok(stream)
        }
        Err(error) => Err(handshake_failure(&error, about, trace)),
    };
    if let (Ok(_), Some(defect)) = (&ended, &note.defect) {
        trace.say(&format!("certificate not verified; verifying would say: {}", defect::failure(defect, about)));
    }
    if let Some(shown) = note.shown {
        let certificate = &shown.certificate;
        trace.say(&format!("certificate {} by {}, until {}", certificate.subject, certificate.issuer, certificate.not_after.rfc3339()));
        trace.certificate = Some(shown.certificate);
    }
    ended
}

fn describe(stream: &TlsStream<TcpStream>, took: &str, trace: &mut Trace) {
    let (_, connection) = stream.get_ref();
    let version = match connection.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "1.3",
        Some(rustls::ProtocolVersion::TLSv1_2) => "1.2",
        Some(_) | None => "?",
    };
    let suite = connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or("?");
    let alpn = connection.alpn_protocol().map_or("no ALPN".into(), String::from_utf8_lossy);
    trace.say(&format!("tls {version} {suite} {alpn} ({took})"));
}

fn handshake_failure(error: &io::Error, about: Circumstances<'_>, trace: &mut Trace) -> Failure {
    if let Some(inner) = library_error(error) {
        return defect::failure(inner, about);
    }
    if let Some(own) = own_trouble(error) {
        return Failure::Own(own);
    }
    trace.closed(is_reset(error))
}

/// The TLS library's own error inside one of input and output.
pub(crate) fn library_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref::<rustls::Error>()
}
