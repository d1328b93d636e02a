//! Who plays: names, places and ports, and the config that all three instances share. It is the config one would write for real, with
//! shorter times.

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpListener;

use crate::app::demo::DemoError;

/// Outside.
pub(super) const US_EAST: &str = "us-east";
/// Outside.
pub(super) const EU_WEST: &str = "eu-west";
/// Beside the shop, behind the wall.
pub(super) const HOME: &str = "home";

/// In the order of the config.
pub(super) const NAMES: [&str; 3] = [US_EAST, EU_WEST, HOME];

/// The monitor's id.
pub(super) const MONITOR: &str = "shop";

/// The status page.
pub(super) const PAGE: &str = "shop";

/// Who hears of everything. The words are paths at the receiver, and names of channels.
pub(super) const CHAT: &str = "chat";
/// Who is woken.
pub(super) const ON_CALL: &str = "on-call";

/// The way to the shop from outside.
pub(super) const OUTSIDE: &str = "/outside";
/// And from inside.
pub(super) const INSIDE: &str = "/inside";

/// Where a node stands, for people.
pub(super) fn place(name: &str) -> &'static str {
    if name == HOME { "inside, beside the shop" } else { "outside" }
}

/// Where everything listens, on this machine only.
#[derive(Debug, Clone)]
pub(super) struct Ports {
    /// The three instances, in the order of [`NAMES`].
    pub(super) nodes: [u16; 3],
    stage: SocketAddr,
}

impl Ports {
    /// From `base` on, or three that are free now.
    pub(super) fn find(base: Option<u16>, stage: SocketAddr) -> Result<Ports, DemoError> {
        let mut nodes = [0; 3];
        // Held until all three are known, so that they differ.
        let mut held = Vec::new();
        for (i, port) in (0_u16..).zip(&mut nodes) {
            let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, base.map_or(0, |base| base.saturating_add(i))));
            let listener = TcpListener::bind(wanted).map_err(|error| DemoError::Port(wanted, error))?;
            *port = listener.local_addr().map_err(|error| DemoError::Port(wanted, error))?.port();
            held.push(listener);
        }
        Ok(Ports { nodes, stage })
    }

    /// Where a node's pages are.
    pub(super) fn url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}", self.port(name))
    }

    pub(super) fn port(&self, name: &str) -> u16 {
        NAMES.iter().zip(self.nodes).find(|(known, _)| **known == name).map_or(0, |(_, port)| port)
    }

    /// The config of all three. Which of them reads it is in `VIGILMON_NODE`, as it would be for real; the port and the header that says
    /// who sent a message are what differs here, because all three are on one machine and one receiver shows them.
    pub(super) fn config(&self, secret: &str) -> String {
        let [us, eu, home] = self.nodes;
        let stage = self.stage;
        format!(
            r#"peers:
  cluster: demo
  secret: "{secret}"
  nodes:
    - {{ name: {US_EAST}, region: {US_EAST}, url: "ws://127.0.0.1:{us}/peer" }}
    - {{ name: {EU_WEST}, region: {EU_WEST}, url: "ws://127.0.0.1:{eu}/peer" }}
    - {{ name: {HOME}, region: {HOME}, vantage: internal }}   # no url ({home}): it dials the others

server: {{ listen: "127.0.0.1:${{DEMO_PORT}}" }}

defaults: {{ interval: 1s, timeout: 900ms, channels: [{CHAT}, {ON_CALL}] }}

monitors:
  - name: shop
    http: "http://{stage}{OUTSIDE}"
    internal: {{ http: "http://{stage}{INSIDE}" }}
    confirm: {{ failures: 2, successes: 2, recheck: 1s }}
    partial: {{ after: 2s }}

channels:
  - name: {CHAT}
    webhook: {{ url: "http://{stage}/{CHAT}", headers: {{ X-Demo-Node: "${{VIGILMON_NODE}}" }} }}
    on: [regional]
  - name: {ON_CALL}
    webhook: {{ url: "http://{stage}/{ON_CALL}", headers: {{ X-Demo-Node: "${{VIGILMON_NODE}}" }} }}
    on: [down, recovered]

status_pages:
  - slug: {PAGE}
    title: The shop
    show: {{ regions: true, errors: true }}
    groups:
      - {{ name: Shop, monitors: [shop] }}
"#
        )
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::path::PathBuf;

    use super::*;
    use crate::config::SourceText;
    use crate::config::Surroundings;

    struct Around(&'static str);

    impl Surroundings for Around {
        fn env(&self, name: &str) -> Option<String> {
            match name {
                "VIGILMON_NODE" => Some(self.0.to_owned()),
                "DEMO_PORT" => Some("4000".to_owned()),
                _ => None,
            }
        }

        fn file(&self, _path: &Path) -> Result<Vec<u8>, String> {
            Err("there are no files".to_owned())
        }
    }

    #[test]
    fn the_config_is_valid_for_every_node() {
        let ports = Ports { nodes: [4000, 4001, 4002], stage: SocketAddr::from((Ipv4Addr::LOCALHOST, 4003)) };
        for name in NAMES {
            let source = SourceText { file: PathBuf::from("config.yaml"), text: ports.config(&"x".repeat(32)) };
            let config = crate::config::load(&[source], &Around(name)).unwrap_or_else(|problems| panic!("{problems:?}"));
            assert_eq!(config.peers.as_ref().map(|peers| peers.me.as_str()), Some(name));
            assert_eq!(config.monitors.iter().map(|monitor| monitor.id.as_str()).collect::<Vec<_>>(), [MONITOR]);
        }
    }

    #[test]
    fn ports_differ_and_one_that_is_taken_is_named() {
        let stage = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let ports = Ports::find(None, stage).expect("free ports");
        let [a, b, c] = ports.nodes;
        assert!(a != b && b != c && a != c, "{ports:?}");
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = taken.local_addr().expect("a port").port();
        let error = Ports::find(Some(port), stage).expect_err("it is taken").to_string();
        assert!(error.contains(&format!("127.0.0.1:{port}")) && error.contains("--port"), "{error}");
    }
}
