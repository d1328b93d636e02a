//! Decodes what a probe does: `http` and `tcp`.

use std::net::IpAddr;
use std::net::SocketAddr;

use crate::config::fields::At;
use crate::config::fields::Ctx;
use crate::config::fields::Fields;
use crate::config::node::Scalar;
use crate::config::readers;
use crate::model::monitor::ClientCertificate;
use crate::model::monitor::HttpAuth;
use crate::model::monitor::HttpSpec;
use crate::model::monitor::HttpVersion;
use crate::model::monitor::IpChoice;
use crate::model::monitor::ProxyKind;
use crate::model::monitor::ProxySpec;
use crate::model::monitor::TcpSpec;
use crate::model::monitor::TlsSpec;
use crate::model::monitor::TlsVersion;
use crate::model::net::HostPort;
use crate::model::net::NameServer;
use crate::model::net::NameServerTransport;
use crate::model::secret::Secret;

/// Most of a body that may be read: it is held in memory while it is judged.
const BODY_BYTES_MAX: u64 = 64 << 20;

const IP_CHOICES: [(&str, IpChoice); 5] =
    [("any", IpChoice::Any), ("v4", IpChoice::V4), ("v6", IpChoice::V6), ("both", IpChoice::Both), ("each", IpChoice::Each)];

/// `http:`
pub(super) fn http(ctx: &Ctx<'_>, at: &At<'_>) -> Option<HttpSpec> {
    let mut fields = Fields::open(ctx, at, "monitors[].http")?;
    let url = fields.must("url", readers::web_url);
    let method = fields.read("method", method);
    let headers = fields.read("headers", headers);
    let auth = fields.read("auth", auth);
    let auth_at = fields.take("auth");
    let body = fields.read("body", readers::text);
    let follow_redirects = fields.read("follow_redirects", |ctx, at| readers::whole(ctx, at, 0, 20));
    let ip = fields.read("ip", |ctx, at| readers::choice(ctx, at, &IP_CHOICES));
    let resolver = fields.read("resolver", resolver);
    let connect_to = fields.read("connect_to", |ctx, at| readers::parsed(ctx, at, HostPort::parse));
    let proxy = fields.read("proxy", proxy);
    let tls = fields.read("tls", tls);
    let versions = [("auto", HttpVersion::Auto), ("1.1", HttpVersion::V11), ("2", HttpVersion::V2)];
    let http_version = fields.read("http_version", |ctx, at| readers::choice(ctx, at, &versions));
    let max_body = fields.read("max_body", |ctx, at| readers::size(ctx, at, 1, BODY_BYTES_MAX));
    let allow_metadata = fields.read("allow_metadata", readers::boolean);
    let allow_private = fields.read("allow_private", readers::boolean);
    fields.finish();
    let mut url = url?;
    let of_url = user_of(&mut url);
    if let (Some(at), Some(_)) = (&auth_at, &of_url) {
        ctx.bad(at, "the URL already names a user", "keep one of `auth` and the `user:password@` in the URL");
    }
    Some(HttpSpec {
        url,
        method: method.unwrap_or_else(|| "GET".to_owned()),
        headers: headers.unwrap_or_default(),
        auth: auth.or(of_url).unwrap_or(HttpAuth::None),
        body: body.unwrap_or_default(),
        follow_redirects: follow_redirects.and_then(|n| u8::try_from(n).ok()).unwrap_or(5),
        ip: ip.unwrap_or(IpChoice::Any),
        resolver: resolver.unwrap_or_default(),
        connect_to,
        proxy,
        tls: tls.unwrap_or_else(tls_default),
        http_version: http_version.unwrap_or(HttpVersion::Auto),
        body_bytes_max: max_body.and_then(|n| usize::try_from(n).ok()).unwrap_or(1 << 20),
        allow_metadata: allow_metadata.unwrap_or(false),
        allow_private: allow_private.unwrap_or(false),
    })
}

/// Takes `user:password@` out of a URL, so that it is shown nowhere and sent as every other password is.
fn user_of(url: &mut url::Url) -> Option<HttpAuth> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let plain = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let auth = HttpAuth::Basic { user: plain(url.username()), password: Secret::new(plain(url.password().unwrap_or_default())) };
    // Both fail only for URLs that cannot have a user, which is not one of these.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    Some(auth)
}

fn method(ctx: &Ctx<'_>, at: &At<'_>) -> Option<String> {
    let text = readers::text(ctx, at)?.to_ascii_uppercase();
    if ::http::Method::from_bytes(text.as_bytes()).is_err() || text == "CONNECT" {
        ctx.bad(at, format!("`{text}` is not a method that can be used"), "write `GET`, `HEAD`, `POST` or the like");
        return None;
    }
    Some(text)
}

/// Headers with their values. Those that decide how a message is framed are ours.
pub(super) fn headers(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Vec<(String, Secret)>> {
    let mut found: Vec<(String, Secret)> = Vec::new();
    for (entry, value) in at.free_map(ctx) {
        let Ok(name) = ::http::HeaderName::from_bytes(entry.key.as_bytes()) else {
            ctx.report.add(entry.pos, &value.path, format!("`{}` is not the name of a header", entry.key), "use letters, digits and `-`");
            continue;
        };
        if matches!(name.as_str(), "content-length" | "transfer-encoding" | "connection" | "upgrade" | "te") {
            ctx.report.add(entry.pos, &value.path, format!("the header `{}` is set by vigilmon itself", entry.key), "remove it");
            continue;
        }
        if found.iter().any(|(known, _)| known.eq_ignore_ascii_case(name.as_str())) {
            ctx.report.add(entry.pos, &value.path, format!("the header `{}` is written twice", entry.key), "keep one of the two");
            continue;
        }
        // An empty header is unusual but legal, and not a forgotten secret.
        let empty = value.node.is_null() || value.node.scalar().is_some_and(|scalar| scalar.text.is_empty());
        let Some(secret) = (if empty { Some(Secret::new("")) } else { readers::secret(ctx, &value) }) else { continue };
        if ::http::HeaderValue::from_str(secret.reveal_for_use()).is_err() {
            ctx.bad(&value, "this value has characters that a header cannot carry", "remove line breaks and control characters");
            continue;
        }
        found.push((entry.key.clone(), secret));
    }
    Some(found)
}

fn auth(ctx: &Ctx<'_>, at: &At<'_>) -> Option<HttpAuth> {
    let mut fields = Fields::open(ctx, at, "monitors[].http.auth")?;
    let basic = fields.take("basic");
    let bearer = fields.take("bearer");
    let oauth2 = fields.take("oauth2_client_credentials");
    fields.finish();
    match (basic, bearer, oauth2) {
        (Some(at), None, None) => basic_auth(ctx, &at),
        (None, Some(at), None) => readers::secret(ctx, &at).map(HttpAuth::Bearer),
        (None, None, Some(at)) => oauth2_auth(ctx, &at),
        (None, None, None) => {
            ctx.bad(at, "`auth` says nothing", "add `basic`, `bearer` or `oauth2_client_credentials`, or remove it");
            None
        }
        _ => {
            ctx.bad(at, "a request says who is asking in one way only", "keep one of `basic`, `bearer` and `oauth2_client_credentials`");
            None
        }
    }
}

fn basic_auth(ctx: &Ctx<'_>, at: &At<'_>) -> Option<HttpAuth> {
    let mut fields = Fields::open(ctx, at, "monitors[].http.auth.basic")?;
    let user = fields.must("user", |ctx, at| {
        let user = readers::text(ctx, at)?;
        if user.contains(':') {
            ctx.bad(at, "a user name cannot contain `:`", "");
        }
        Some(user)
    });
    let password = fields.must("password", readers::secret);
    fields.finish();
    Some(HttpAuth::Basic { user: user?, password: password? })
}

fn oauth2_auth(ctx: &Ctx<'_>, at: &At<'_>) -> Option<HttpAuth> {
    let mut fields = Fields::open(ctx, at, "monitors[].http.auth.oauth2_client_credentials")?;
    let token_url = fields.must("token_url", readers::web_url);
    let client_id = fields.must("client_id", readers::full_text);
    let client_secret = fields.must("client_secret", readers::secret);
    let scopes = fields.read("scopes", readers::names);
    fields.finish();
    Some(HttpAuth::OAuth2ClientCredentials {
        token_url: token_url?,
        client_id: client_id?,
        client_secret: client_secret?,
        scopes: scopes.unwrap_or_default(),
    })
}

fn resolver(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Vec<NameServer>> {
    Some(at.one_or_many().iter().filter_map(|item| name_server(ctx, item)).collect())
}

fn name_server(ctx: &Ctx<'_>, at: &At<'_>) -> Option<NameServer> {
    let text = readers::text(ctx, at)?;
    let found = parse_name_server(&text);
    if found.is_none() {
        let hint = "write an address, such as `1.1.1.1`, `1.1.1.1:53`, `tcp://1.1.1.1` or `tls://9.9.9.9#dns.quad9.net`";
        ctx.bad(at, format!("`{text}` is not a name server"), hint);
    }
    found
}

fn parse_name_server(text: &str) -> Option<NameServer> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("udp", text));
    let (transport, port) = match scheme {
        "udp" => (NameServerTransport::Udp, 53),
        "tcp" => (NameServerTransport::Tcp, 53),
        "tls" => (NameServerTransport::Tls, 853),
        _ => return None,
    };
    let (rest, tls_name) = rest.split_once('#').map_or((rest, None), |(rest, name)| (rest, Some(name)));
    if tls_name.is_some_and(|name| name.is_empty() || transport != NameServerTransport::Tls) {
        return None;
    }
    let bare = rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(rest);
    let with_default_port = bare.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, port));
    let address = with_default_port.or_else(|| rest.parse().ok()).filter(|address: &SocketAddr| address.port() != 0)?;
    Some(NameServer { transport, address, tls_name: tls_name.map(str::to_owned) })
}

/// A proxy's URL may carry a password, so messages do not show it.
fn proxy(ctx: &Ctx<'_>, at: &At<'_>) -> Option<ProxySpec> {
    let secret = readers::secret(ctx, at)?;
    let hint = "write `http://host:port` or `socks5://host:port`, with `user:password@` before the host if it wants them";
    let Ok(mut url) = url::Url::parse(secret.reveal_for_use()) else {
        ctx.bad(at, "this is not the URL of a proxy", hint);
        return None;
    };
    let (kind, port) = match url.scheme() {
        "http" => (ProxyKind::Http, 80),
        "socks5" | "socks5h" => (ProxyKind::Socks5, 1080),
        other => {
            ctx.bad(at, format!("a proxy cannot have the scheme `{other}`"), hint);
            return None;
        }
    };
    let credentials = match user_of(&mut url) {
        Some(HttpAuth::Basic { user, password }) => Some((user, password)),
        Some(HttpAuth::None | HttpAuth::Bearer(_) | HttpAuth::OAuth2ClientCredentials { .. }) | None => None,
    };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    if host.is_empty() {
        ctx.bad(at, "this proxy has no host", hint);
        return None;
    }
    Some(ProxySpec { kind, address: HostPort { host, port: url.port().unwrap_or(port) }, credentials })
}

fn tls_default() -> TlsSpec {
    TlsSpec { verify: true, ca_pem: None, server_name: None, min_version: TlsVersion::V12, client: None }
}

fn tls(ctx: &Ctx<'_>, at: &At<'_>) -> Option<TlsSpec> {
    let mut fields = Fields::open(ctx, at, "monitors[].http.tls")?;
    let verify = fields.read("verify", readers::boolean);
    let ca_pem = fields.read("ca", |ctx, at| {
        let text = readers::file_text(ctx, at)?;
        has_pem(ctx, at, &text, "-----BEGIN CERTIFICATE-----", "certificate").then_some(text)
    });
    let server_name = fields.read("server_name", host_name);
    let versions = [("1.2", TlsVersion::V12), ("1.3", TlsVersion::V13)];
    let min_version = fields.read("min_version", |ctx, at| readers::choice(ctx, at, &versions));
    let cert_at = fields.take("client_cert");
    let key_at = fields.take("client_key");
    fields.finish();
    let client = match (cert_at, key_at) {
        (Some(cert), Some(key)) => client_certificate(ctx, &cert, &key),
        (Some(cert), None) => {
            ctx.bad(&cert, "`client_cert` needs its key", "add `client_key: /path/to/key.pem`");
            None
        }
        (None, Some(key)) => {
            ctx.bad(&key, "`client_key` needs its certificate", "add `client_cert: /path/to/cert.pem`");
            None
        }
        (None, None) => None,
    };
    Some(TlsSpec { verify: verify.unwrap_or(true), ca_pem, server_name, min_version: min_version.unwrap_or(TlsVersion::V12), client })
}

fn has_pem(ctx: &Ctx<'_>, at: &At<'_>, text: &str, mark: &str, what: &str) -> bool {
    let found = text.contains(mark);
    if !found {
        ctx.bad(at, format!("the file holds no PEM {what}"), format!("it must have a line with `{mark}`"));
    }
    found
}

fn client_certificate(ctx: &Ctx<'_>, cert: &At<'_>, key: &At<'_>) -> Option<ClientCertificate> {
    let chain_pem = readers::file_text(ctx, cert)?;
    let key_pem = match key.node.scalar() {
        Some(_) => readers::file_text(ctx, key).map(Secret::new),
        None => readers::secret(ctx, key),
    }?;
    let cert_is_fine = has_pem(ctx, cert, &chain_pem, "-----BEGIN CERTIFICATE-----", "certificate");
    let key_is_fine = has_pem(ctx, key, key_pem.reveal_for_use(), "PRIVATE KEY-----", "private key");
    (cert_is_fine && key_is_fine).then_some(ClientCertificate { chain_pem, key_pem })
}

/// A DNS name without a port.
pub(super) fn host_name(ctx: &Ctx<'_>, at: &At<'_>) -> Option<String> {
    let text = readers::text(ctx, at)?;
    let label = |part: &str| {
        (1..=63).contains(&part.len())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    if text.len() > 253 || !text.split('.').all(label) {
        ctx.bad(at, format!("`{text}` is not a host name"), "write the name alone, without scheme, port or path: `status.example.com`");
        return None;
    }
    Some(text.to_ascii_lowercase())
}

/// `tcp:`
pub(super) fn tcp(ctx: &Ctx<'_>, at: &At<'_>) -> Option<TcpSpec> {
    let mut fields = Fields::open(ctx, at, "monitors[].tcp")?;
    let address = fields.must("address", tcp_address);
    let send = fields.read("send", readers::text);
    let expect = fields.read("expect", readers::text);
    let ip = fields.read("ip", |ctx, at| readers::choice(ctx, at, &IP_CHOICES));
    let resolver = fields.read("resolver", resolver);
    fields.finish();
    Some(TcpSpec {
        address: address?,
        send: send.unwrap_or_default().into_bytes(),
        expect: expect.unwrap_or_default().into_bytes(),
        ip: ip.unwrap_or(IpChoice::Any),
        resolver: resolver.unwrap_or_default(),
    })
}

fn tcp_address(ctx: &Ctx<'_>, at: &At<'_>) -> Option<HostPort> {
    let shown = at.node.scalar().map(Scalar::shown).unwrap_or_default();
    if shown.contains("://") && !shown.starts_with("tcp://") {
        ctx.bad(at, format!("`{shown}` is a URL"), "write `host:port`, or use `http` for URLs");
        return None;
    }
    readers::parsed(ctx, at, |text| HostPort::parse(text.strip_prefix("tcp://").unwrap_or(text)))
}
