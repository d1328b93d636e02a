//! Decodes what concerns the instance itself: `instance`, `server`, `uplink`, `self`, `retention`.

use std::net::SocketAddr;
use std::path::Component;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::Instance;
use crate::config::Retention;
use crate::config::Server;
use crate::config::ServerTls;
use crate::config::decode::channel::secret_url;
use crate::config::fields::At;
use crate::config::fields::Ctx;
use crate::config::fields::Fields;
use crate::config::readers;
use crate::model::id::Region;
use crate::model::net::HostPort;
use crate::model::peer::Vantage;
use crate::model::secret::Secret;

/// Where the server listens when nothing is said.
const LISTEN: &str = "0.0.0.0:8080";

/// `instance:`
pub(super) fn instance(ctx: &Ctx<'_>, at: Option<&At<'_>>) -> Option<Instance> {
    let state_dir_default = || {
        // systemd may give several directories, separated by colons; the first is the one meant for the database.
        let given = ctx.around.env("STATE_DIRECTORY").filter(|dir| !dir.is_empty());
        PathBuf::from(given.as_deref().and_then(|dirs| dirs.split(':').next()).unwrap_or("./data"))
    };
    let region_default = || Region::parse("local").ok();
    let Some(at) = at else {
        return Some(Instance {
            region: region_default()?,
            vantage: Vantage::External,
            state_dir: state_dir_default(),
            secret: None,
            allow_commands: false,
            edit: None,
        });
    };
    let mut fields = Fields::open(ctx, at, "instance")?;
    let region = fields.read("region", |ctx, at| readers::parsed(ctx, at, Region::parse));
    let vantages = [("external", Vantage::External), ("internal", Vantage::Internal)];
    let vantage = fields.read("vantage", |ctx, at| readers::choice(ctx, at, &vantages));
    let state_dir = fields.read("state_dir", readers::full_text);
    let secret = fields.read("secret", readers::secret);
    let allow_commands = fields.read("allow_commands", readers::boolean);
    let edit = fields.read("edit", edited_file);
    fields.finish();
    Some(Instance {
        region: region.or_else(region_default)?,
        vantage: vantage.unwrap_or(Vantage::External),
        state_dir: state_dir.map_or_else(state_dir_default, PathBuf::from),
        secret,
        allow_commands: allow_commands.unwrap_or(false),
        edit,
    })
}

/// A file of the config, named from the config's directory and in it. What is a link to elsewhere is found out when it is written.
fn edited_file(ctx: &Ctx<'_>, at: &At<'_>) -> Option<PathBuf> {
    let text = readers::full_text(ctx, at)?;
    let path = PathBuf::from(&text);
    if !path.components().all(|part| matches!(part, Component::Normal(_))) {
        let hint = "name it from the directory of the config, such as `web.yaml`, without `/` at its beginning and without `..`";
        ctx.bad(at, format!("`{text}` is not a file below the directory of the config"), hint);
        return None;
    }
    let is_hidden = path.components().any(|part| part.as_os_str().to_string_lossy().starts_with('.'));
    let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    if is_hidden || !is_yaml {
        let hint = "give it a name that ends in `.yaml` or `.yml`, and begins with no dot";
        ctx.bad(at, format!("`{text}` would not be read as part of the config"), hint);
        return None;
    }
    Some(path)
}

/// `server:`
pub(super) fn server(ctx: &Ctx<'_>, at: Option<&At<'_>>) -> Option<Server> {
    let listen_default = || LISTEN.parse().map(|address| vec![address]).unwrap_or_default();
    let Some(at) = at else {
        return Some(Server {
            listen: listen_default(),
            public_url: None,
            base_path: String::new(),
            trusted_proxies: Vec::new(),
            tls: None,
        });
    };
    let mut fields = Fields::open(ctx, at, "server")?;
    let listen = fields.read("listen", listen_addresses);
    let public_url = fields.read("public_url", public_url);
    let base_path = fields.read("base_path", base_path);
    let trusted_proxies = fields.read("trusted_proxies", readers::networks);
    let tls = fields.read("tls", server_tls);
    fields.finish();
    Some(Server {
        listen: listen.unwrap_or_else(listen_default),
        public_url,
        base_path: base_path.unwrap_or_default(),
        trusted_proxies: trusted_proxies.unwrap_or_default(),
        tls,
    })
}

fn listen_addresses(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Vec<SocketAddr>> {
    let items = at.one_or_many();
    if items.is_empty() {
        ctx.bad(at, "there is no address to listen on", "write `listen: 0.0.0.0:8080`, or remove the key");
        return None;
    }
    let mut found: Vec<SocketAddr> = Vec::new();
    for item in &items {
        let Some(text) = readers::text(ctx, item) else { continue };
        match text.parse::<SocketAddr>() {
            Ok(address) if found.contains(&address) => ctx.bad(item, format!("`{text}` is listed twice"), "keep one of the two"),
            Ok(address) => found.push(address),
            Err(_) => ctx.bad(item, format!("`{text}` is not an address with a port"), listen_hint(&text)),
        }
    }
    Some(found)
}

fn listen_hint(text: &str) -> String {
    let port = text.rsplit(':').next().filter(|port| port.parse::<u16>().is_ok());
    match port {
        Some(port) if text.starts_with("localhost") => format!("write `127.0.0.1:{port}`, or `[::1]:{port}`"),
        Some(port) => format!("write `0.0.0.0:{port}` for all addresses, or `127.0.0.1:{port}` for this machine only"),
        None => "write `0.0.0.0:8080` for all addresses, or `127.0.0.1:8080` for this machine only".to_owned(),
    }
}

fn public_url(ctx: &Ctx<'_>, at: &At<'_>) -> Option<String> {
    let url = readers::web_url(ctx, at)?;
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        ctx.bad(at, "a public URL has no `?`, no `#` and no user", "write `https://status.example.com`");
        return None;
    }
    Some(url.as_str().trim_end_matches('/').to_owned())
}

fn base_path(ctx: &Ctx<'_>, at: &At<'_>) -> Option<String> {
    let text = readers::text(ctx, at)?;
    let path = text.trim_end_matches('/');
    let fine = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~'));
    let dots = |part: &str| part.chars().all(|c| c == '.');
    if path.is_empty() && text.starts_with('/') {
        return Some(String::new());
    }
    if !path.starts_with('/') || !path[1..].split('/').all(|part| fine(part) && !dots(part)) {
        let hint = "begin it with `/`, and use letters, digits, `-`, `_` and `.`: `/vigilmon`";
        ctx.bad(at, format!("`{text}` is not a base path"), hint);
        return None;
    }
    Some(path.to_owned())
}

fn server_tls(ctx: &Ctx<'_>, at: &At<'_>) -> Option<ServerTls> {
    let mut fields = Fields::open(ctx, at, "server.tls")?;
    // Read here only to find out now what would fail at the start; the server reads them itself, again when they change.
    let cert = fields.must("cert", |ctx, at| pem_path(ctx, at, "-----BEGIN CERTIFICATE-----", "certificate"));
    let key = fields.must("key", |ctx, at| pem_path(ctx, at, "PRIVATE KEY-----", "private key"));
    fields.finish();
    Some(ServerTls { cert: cert?, key: key? })
}

fn pem_path(ctx: &Ctx<'_>, at: &At<'_>, mark: &str, what: &str) -> Option<PathBuf> {
    let text = readers::file_text(ctx, at)?;
    if !text.contains(mark) {
        ctx.bad(at, format!("the file holds no PEM {what}"), format!("it must have a line with `{mark}`"));
        return None;
    }
    readers::full_text(ctx, at).map(PathBuf::from)
}

/// `uplink:`
pub(super) fn uplink(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Vec<HostPort>> {
    let mut fields = Fields::open(ctx, at, "uplink")?;
    let probes = fields.take("probes");
    fields.finish();
    let probes = probes.map(|at| at.one_or_many()).unwrap_or_default();
    Some(probes.iter().filter_map(|at| uplink_probe(ctx, at)).collect())
}

fn uplink_probe(ctx: &Ctx<'_>, at: &At<'_>) -> Option<HostPort> {
    let text = readers::text(ctx, at)?;
    if let Some((scheme, _)) = text.split_once("://").filter(|(scheme, _)| *scheme != "tcp") {
        ctx.bad(at, format!("`{text}` has the scheme `{scheme}`"), "only `tcp://host:port` works here");
        return None;
    }
    readers::parsed(ctx, at, |text| HostPort::parse(text.strip_prefix("tcp://").unwrap_or(text)))
}

/// `self:`, the channels and the address that is called; which channels there are is checked by the caller.
pub(super) fn itself<'a>(ctx: &'a Ctx<'a>, at: &At<'a>) -> (Vec<At<'a>>, Option<Secret>) {
    let Some(mut fields) = Fields::open(ctx, at, "self") else { return (Vec::new(), None) };
    let channels = fields.take("channels");
    let heartbeat = fields.read("heartbeat_url", secret_url);
    fields.finish();
    (channels.map(|at| at.one_or_many()).unwrap_or_default(), heartbeat)
}

/// Fewer pings could not be fed again after a crash in the middle of a burst.
const PINGS_MIN: u32 = 10;

/// More than anybody scrolls through; their bodies may take megabytes.
const PINGS_MAX: u32 = 100_000;

/// `retention:`
pub(super) fn retention(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Retention> {
    let mut fields = Fields::open(ctx, at, "retention")?;
    let hour = Duration::from_secs(3600);
    let results_at = fields.take("results");
    let results = results_at.as_ref().and_then(|at| readers::duration_from(ctx, at, hour, "1h"));
    let five_at = fields.take("rollup_5m");
    let rollup_5m = five_at.as_ref().and_then(|at| readers::duration_from(ctx, at, hour, "1h"));
    let rollup_1h = fields.read("rollup_1h", |ctx, at| readers::duration_from(ctx, at, hour * 24, "1d"));
    let n_pings = fields.read("pings", |ctx, at| readers::whole_u32(ctx, at, PINGS_MIN, PINGS_MAX));
    let size = fields.read("max_db_size", |ctx, at| readers::size(ctx, at, 16 << 20, 1 << 50));
    fields.finish();
    let default = Retention::default();
    let retention = Retention {
        results: results.unwrap_or(default.results),
        rollup_5m: rollup_5m.unwrap_or(default.rollup_5m),
        rollup_1h: rollup_1h.unwrap_or(default.rollup_1h),
        db_bytes_max: size.unwrap_or(default.db_bytes_max),
        n_pings: n_pings.unwrap_or(default.n_pings),
    };
    // What is finer must not outlive what is coarser, or a graph would have a hole in its middle.
    if let Some(at) = five_at.filter(|_| retention.rollup_5m > retention.rollup_1h) {
        ctx.bad(&at, "five-minute sums would be kept longer than hourly ones", "make `rollup_5m` at most `rollup_1h`");
    }
    if let Some(at) = results_at.filter(|_| retention.results > retention.rollup_1h) {
        ctx.bad(&at, "single results would be kept longer than hourly sums", "make `results` at most `rollup_1h`");
    }
    Some(retention)
}
