//! Links through real reverse proxies, nginx and HAProxy, as people put them in front: with a sub-path, with TLS that ends at the proxy, with
//! timeouts shorter than the silence of a quiet cluster would be.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod common;

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use common::Instance;
use common::closed_port;
use common::find_program;
use common::wait_for;

/// A proxy closes what is silent for this long.
const PROXY_TIMEOUT_S: u64 = 10;

/// Longer than that twice over: a link that is still the same one has not been silent.
const LONGER: Duration = Duration::from_secs(22);

/// A proxy with a directory of its own.
struct Proxy {
    child: Child,
    port: u16,
    dir: tempfile::TempDir,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- log of the proxy ---\n{}", fs::read_to_string(self.dir.path().join("log")).unwrap_or_default());
        }
    }
}

impl Proxy {
    fn start(program: &Path, arguments: &[&str], dir: tempfile::TempDir, port: u16) -> Proxy {
        let log = fs::File::create(dir.path().join("log")).unwrap();
        let out = log.try_clone().unwrap();
        let child =
            Command::new(program).current_dir(dir.path()).args(arguments).stdout(out).stderr(log).stdin(Stdio::null()).spawn().unwrap();
        wait_for("the proxy", || TcpStream::connect(("127.0.0.1", port)).ok());
        Proxy { child, port, dir }
    }
}

/// A key and a certificate that nobody has signed, in one file each and in both.
fn certificate(dir: &Path) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    fs::write(dir.join("key.pem"), key.serialize_pem()).unwrap();
    fs::write(dir.join("cert.pem"), certificate.pem()).unwrap();
    fs::write(dir.join("both.pem"), format!("{}{}", certificate.pem(), key.serialize_pem())).unwrap();
}

/// What stands before the instance.
#[derive(Clone, Copy)]
struct Setup {
    base: &'static str,
    has_tls: bool,
    passes_upgrade: bool,
}

fn nginx(setup: Setup, upstream: u16) -> Option<Proxy> {
    let program = find_program("nginx")?;
    let (dir, port) = (tempfile::tempdir().unwrap(), closed_port());
    certificate(dir.path());
    let tls = if setup.has_tls { " ssl; ssl_certificate cert.pem; ssl_certificate_key key.pem" } else { "" };
    let upgrade = "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;";
    let upgrade = if setup.passes_upgrade { upgrade } else { "" };
    let config = format!(
        "daemon off; master_process off; pid nginx.pid; error_log stderr; events {{}}
         http {{ access_log access.log; server {{ listen 127.0.0.1:{port}{tls}; location / {{
           proxy_pass http://127.0.0.1:{upstream}; proxy_set_header Host $host; proxy_read_timeout {PROXY_TIMEOUT_S}s; {upgrade} }} }} }}"
    );
    fs::write(dir.path().join("nginx.conf"), config).unwrap();
    let prefix = format!("{}/", dir.path().display());
    Some(Proxy::start(&program, &["-p", &prefix, "-c", "nginx.conf"], dir, port))
}

fn haproxy(setup: Setup, upstream: u16) -> Option<Proxy> {
    let program: PathBuf = find_program("haproxy")?;
    let (dir, port) = (tempfile::tempdir().unwrap(), closed_port());
    certificate(dir.path());
    let tls = if setup.has_tls { format!(" ssl crt {}", dir.path().join("both.pem").display()) } else { String::new() };
    let config = format!(
        "defaults\n  mode http\n  timeout connect 5s\n  timeout client {PROXY_TIMEOUT_S}s\n  timeout server {PROXY_TIMEOUT_S}s\n  \
         timeout tunnel {PROXY_TIMEOUT_S}s\nfrontend front\n  bind 127.0.0.1:{port}{tls}\n  default_backend back\n\
         backend back\n  server vigilmon 127.0.0.1:{upstream}\n"
    );
    fs::write(dir.path().join("haproxy.cfg"), config).unwrap();
    Some(Proxy::start(&program, &["-db", "-f", "haproxy.cfg"], dir, port))
}

/// The config of both: `front` is behind the proxy, `home` dials it.
fn config(dir: &Path, base: &str, url: &str, port: u16) {
    let text = format!(
        "instance: {{ state_dir: {} }}
server: {{ listen: \"127.0.0.1:{port}\", base_path: {base} }}
peers:
  cluster: proxied
  secret: not very secret but long
  nodes:
    - {{ name: front, region: front, url: \"{url}\" }}
    - {{ name: home, region: home }}
monitors: [{{ name: itself, tcp: \"127.0.0.1:{port}\" }}]
",
        dir.join("state").display()
    );
    fs::write(dir.join("config.yaml"), text).unwrap();
}

/// The instance behind a proxy and the one that dials it.
fn through(make: fn(Setup, u16) -> Option<Proxy>, setup: Setup) -> Option<(Proxy, Instance, Instance, String)> {
    let port = closed_port();
    let proxy = make(setup, port)?;
    let scheme = if setup.has_tls { "wss" } else { "ws" };
    let url = format!("{scheme}://localhost:{}{}/peer", proxy.port, setup.base.trim_end_matches('/'));
    let start = |node: &str, port: u16| {
        let dir = tempfile::tempdir().unwrap();
        config(dir.path(), setup.base, &url, port);
        Instance::start_with(dir, &[("VIGILMON_NODE", node)])
    };
    let front = start("front", port);
    let home = start("home", closed_port());
    Some((proxy, front, home, url))
}

fn assert_links_and_stays(make: fn(Setup, u16) -> Option<Proxy>, setup: Setup) {
    let Some((_proxy, front, home, _)) = through(make, setup) else { return };
    for (instance, other) in [(&front, "home"), (&home, "front")] {
        wait_for(&format!("a link with {other}"), || instance.log().contains(&format!("linked with `{other}`")).then_some(()));
    }
    thread::sleep(LONGER);
    for (instance, other) in [(&front, "home"), (&home, "front")] {
        let log = instance.log();
        assert_eq!(log.matches(&format!("linked with `{other}`")).count(), 1, "{log}");
        assert!(!log.contains("is gone"), "{log}");
    }
}

const AT_THE_ROOT: Setup = Setup { base: "/", has_tls: false, passes_upgrade: true };
const BELOW_A_PATH_WITH_TLS: Setup = Setup { base: "/watch", has_tls: true, passes_upgrade: true };

#[test]
fn nginx_at_the_root() {
    assert_links_and_stays(nginx, AT_THE_ROOT);
}

#[test]
fn nginx_below_a_path_with_a_certificate_that_nobody_signed() {
    assert_links_and_stays(nginx, BELOW_A_PATH_WITH_TLS);
}

#[test]
fn haproxy_at_the_root() {
    assert_links_and_stays(haproxy, AT_THE_ROOT);
}

#[test]
fn haproxy_below_a_path_with_a_certificate_that_nobody_signed() {
    assert_links_and_stays(haproxy, BELOW_A_PATH_WITH_TLS);
}

#[track_caller]
fn assert_says(instance: &Instance, expected: &str) {
    wait_for(expected, || instance.log().contains(expected).then_some(()));
    thread::sleep(Duration::from_secs(3));
    assert_eq!(instance.log().matches("no link to").count(), 1, "the same trouble is said once\n{}", instance.log());
}

#[test]
fn a_proxy_that_does_not_pass_upgrade_is_named() {
    let Some((_proxy, _front, home, url)) = through(nginx, Setup { passes_upgrade: false, ..AT_THE_ROOT }) else { return };
    assert_says(&home, &format!("no link to `front`: the server at {url} answered 400: a proxy in front that does not pass `Upgrade`"));
}

#[test]
fn a_proxy_that_does_not_reach_the_instance_is_named() {
    let Some((_proxy, mut front, home, url)) = through(nginx, AT_THE_ROOT) else { return };
    wait_for("a link", || home.log().contains("linked with `front`").then_some(()));
    front.kill();
    let expected = format!("no link to `front`: the server at {url} answered 502: a proxy in front that does not reach vigilmon");
    wait_for(&expected, || home.log().contains(&expected).then_some(()));
}
