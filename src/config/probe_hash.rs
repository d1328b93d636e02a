//! A short digest of what decides a monitor's outcome: what the probe does and what is expected of it.
//!
//! Not the name, channels or interval. When it changes, the confirmation begins anew, because what was seen before says nothing
//! about the new target. It is stored and compared across runs and versions, so it is made of a text of our own and never of
//! a hasher or a `Debug` form that a compiler may change.

use std::fmt::Write;
use std::time::Duration;

use crate::model::expect::CertificateDays;
use crate::model::expect::Expectation;
use crate::model::expect::HeaderExpect;
use crate::model::expect::HeaderTest;
use crate::model::expect::JsonExpect;
use crate::model::expect::JsonTest;
use crate::model::expect::ResponseTime;
use crate::model::heartbeat::FirstPing;
use crate::model::heartbeat::Heartbeat;
use crate::model::heartbeat::Keywords;
use crate::model::heartbeat::Methods;
use crate::model::heartbeat::Otherwise;
use crate::model::monitor::HttpAuth;
use crate::model::monitor::HttpSpec;
use crate::model::monitor::HttpVersion;
use crate::model::monitor::IpChoice;
use crate::model::monitor::Monitor;
use crate::model::monitor::ProbeSpec;
use crate::model::monitor::ProxyKind;
use crate::model::monitor::TcpSpec;
use crate::model::monitor::TlsSpec;
use crate::model::monitor::TlsVersion;
use crate::model::net::NameServer;
use crate::model::net::NameServerTransport;
use crate::model::schedule::Fold;
use crate::model::schedule::Gap;
use crate::model::schedule::Schedule;

/// The digest, 24 bits.
#[must_use]
pub fn probe_hash(monitor: &Monitor) -> u32 {
    let mut text = Canonical(String::new());
    match &monitor.probe {
        ProbeSpec::Http(spec) => http(&mut text, spec),
        ProbeSpec::Tcp(spec) => tcp(&mut text, spec),
        ProbeSpec::Heartbeat(spec) => heartbeat(&mut text, &spec.beat),
    }
    expectation(&mut text, &monitor.expect);
    // The timeout decides too: an answer that comes later is none.
    text.field("timeout", &monitor.timeout.as_millis().to_string());
    let digest = ring::digest::digest(&ring::digest::SHA256, text.0.as_bytes());
    digest.as_ref().iter().take(3).fold(0, |hash, byte| hash << 8 | u32::from(*byte))
}

/// Fields one after the other, each with its length, so that no two lists of fields give the same text.
struct Canonical(String);

impl Canonical {
    fn field(&mut self, name: &str, value: &str) {
        // Writing to a text cannot fail.
        let _ = writeln!(self.0, "{name} {} {value}", value.len());
    }

    fn bytes(&mut self, name: &str, value: &[u8]) {
        self.field(name, &data_encoding::HEXLOWER.encode(value));
    }

    fn duration(&mut self, name: &str, value: Option<Duration>) {
        self.field(name, &value.map_or_else(|| "never".to_owned(), |d| d.as_millis().to_string()));
    }

    fn texts(&mut self, name: &str, values: &[String]) {
        values.iter().for_each(|value| self.field(name, value));
    }
}

fn http(text: &mut Canonical, spec: &HttpSpec) {
    // No `..`: a new field must be thought of here.
    let HttpSpec {
        url,
        method,
        headers,
        auth,
        body,
        follow_redirects,
        ip,
        resolver,
        connect_to,
        proxy,
        tls,
        http_version,
        body_bytes_max,
        allow_metadata,
        allow_private,
    } = spec;
    text.field("http", url.as_str());
    text.field("method", method);
    for (name, value) in headers {
        text.field(name, value.reveal_for_use());
    }
    http_auth(text, auth);
    text.field("body", body);
    text.field("follow_redirects", &follow_redirects.to_string());
    addresses(text, *ip, resolver);
    text.field("connect_to", &connect_to.as_ref().map(ToString::to_string).unwrap_or_default());
    if let Some(proxy) = proxy {
        let kind = match proxy.kind {
            ProxyKind::Http => "http",
            ProxyKind::Socks5 => "socks5",
        };
        text.field(kind, &proxy.address.to_string());
        if let Some((user, password)) = &proxy.credentials {
            text.field(user, password.reveal_for_use());
        }
    }
    tls_spec(text, tls);
    let version = match http_version {
        HttpVersion::Auto => "auto",
        HttpVersion::V11 => "1.1",
        HttpVersion::V2 => "2",
    };
    text.field("http_version", version);
    text.field("max_body", &body_bytes_max.to_string());
    text.field("allow", &format!("{allow_metadata} {allow_private}"));
}

fn http_auth(text: &mut Canonical, auth: &HttpAuth) {
    match auth {
        HttpAuth::None => {}
        HttpAuth::Basic { user, password } => {
            text.field("basic", user);
            text.field("password", password.reveal_for_use());
        }
        HttpAuth::Bearer(token) => text.field("bearer", token.reveal_for_use()),
        HttpAuth::OAuth2ClientCredentials { token_url, client_id, client_secret, scopes } => {
            text.field("oauth2", token_url.as_str());
            text.field("client_id", client_id);
            text.field("client_secret", client_secret.reveal_for_use());
            text.texts("scope", scopes);
        }
    }
}

fn addresses(text: &mut Canonical, ip: IpChoice, resolver: &[NameServer]) {
    let choice = match ip {
        IpChoice::Any => "any",
        IpChoice::V4 => "v4",
        IpChoice::V6 => "v6",
        IpChoice::Both => "both",
        IpChoice::Each => "each",
    };
    text.field("ip", choice);
    for NameServer { transport, address, tls_name } in resolver {
        let transport = match transport {
            NameServerTransport::Udp => "udp",
            NameServerTransport::Tcp => "tcp",
            NameServerTransport::Tls => "tls",
        };
        text.field(transport, &format!("{address} {}", tls_name.as_deref().unwrap_or_default()));
    }
}

fn tls_spec(text: &mut Canonical, tls: &TlsSpec) {
    let TlsSpec { verify, ca_pem, server_name, min_version, client } = tls;
    text.field("verify", &verify.to_string());
    text.field("ca", ca_pem.as_deref().unwrap_or_default());
    text.field("server_name", server_name.as_deref().unwrap_or_default());
    let version = match min_version {
        TlsVersion::V12 => "1.2",
        TlsVersion::V13 => "1.3",
    };
    text.field("min_version", version);
    if let Some(client) = client {
        text.field("client_cert", &client.chain_pem);
        text.field("client_key", client.key_pem.reveal_for_use());
    }
}

fn tcp(text: &mut Canonical, spec: &TcpSpec) {
    let TcpSpec { address, send, expect, ip, resolver } = spec;
    text.field("tcp", &address.to_string());
    text.bytes("send", send);
    text.bytes("expect", expect);
    addresses(text, *ip, resolver);
}

fn heartbeat(text: &mut Canonical, beat: &Heartbeat) {
    // What is kept of a body and what a ping does to a pause decide nothing about being up.
    let Heartbeat {
        schedule,
        grace,
        start_grace,
        max_runtime,
        min_runtime,
        failures,
        first_ping,
        methods,
        body: _,
        keywords,
        early,
        resume: _,
        keep_alive,
    } = beat;
    text.field("schedule", &schedule.to_string());
    if let Schedule::Timed(timed) = schedule {
        text.field("gap", if timed.daylight.gap == Gap::Skip { "skip" } else { "catch up" });
        text.field("fold", if timed.daylight.fold == Fold::Once { "once" } else { "both" });
    }
    text.duration("grace", Some(*grace));
    text.duration("start_grace", *start_grace);
    text.duration("max_runtime", *max_runtime);
    text.duration("min_runtime", *min_runtime);
    text.field("failures", &failures.to_string());
    text.field("first_ping", if *first_ping == FirstPing::Required { "required" } else { "optional" });
    text.field("methods", if *methods == Methods::Any { "any" } else { "post" });
    if let Some(Keywords { failure, success, start, otherwise }) = keywords {
        text.texts("failure", failure);
        text.texts("success", success);
        text.texts("start", start);
        text.field("otherwise", if *otherwise == Otherwise::Fail { "fail" } else { "ignore" });
    }
    text.duration("early", *early);
    text.field("keep_alive", &keep_alive.to_string());
}

fn expectation(text: &mut Canonical, expect: &Expectation) {
    let Expectation { status, body_contains, body_excludes, body_matches, json, headers, response_time, certificate, any } = expect;
    for range in status {
        text.field("status", &range.to_string());
    }
    text.texts("body_contains", body_contains);
    text.texts("body_excludes", body_excludes);
    for pattern in body_matches {
        text.field("body_matches", pattern.0.as_str());
    }
    for JsonExpect { path, is } in json {
        text.field("json", &path.text);
        json_test(text, is);
    }
    for HeaderExpect { name, is } in headers {
        text.field("header", name);
        match is {
            HeaderTest::Equals(value) => text.field("equals", value),
            HeaderTest::Contains(value) => text.field("contains", value),
            HeaderTest::Matches(pattern) => text.field("matches", pattern.0.as_str()),
            HeaderTest::Exists(wanted) => text.field("exists", &wanted.to_string()),
        }
    }
    let ResponseTime { degraded, down } = response_time;
    text.duration("slow_degraded", *degraded);
    text.duration("slow_down", *down);
    // Further messages change nothing about what a check says.
    if let Some(CertificateDays { degraded, down, warn: _ }) = certificate {
        text.duration("certificate_degraded", *degraded);
        text.duration("certificate_down", *down);
    }
    for alternative in any {
        text.field("any", "");
        expectation(text, alternative);
    }
}

fn json_test(text: &mut Canonical, test: &JsonTest) {
    match test {
        JsonTest::Equals(value) => text.field("equals", &value.to_string()),
        JsonTest::NotEquals(value) => text.field("not_equals", &value.to_string()),
        JsonTest::Contains(value) => text.field("contains", value),
        JsonTest::Matches(pattern) => text.field("matches", pattern.0.as_str()),
        JsonTest::Exists(wanted) => text.field("exists", &wanted.to_string()),
        JsonTest::Number(comparison, value) => text.field(comparison.sign(), &value.to_string()),
        JsonTest::Length(comparison, value) => text.field(comparison.sign(), &format!("length {value}")),
    }
}
