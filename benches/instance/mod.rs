//! A real instance, a process of its own on loopback, for benchmarks that ask it from outside.
#![allow(unreachable_pub, reason = "each benchmark is a program of its own")]

use std::io::BufRead;
use std::io::BufReader;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::thread;

/// Ended when it is dropped.
pub struct Node {
    pub address: SocketAddr,
    pub child: Child,
}

impl Node {
    /// Starts it with the `config.yaml` in `dir`, and waits until it watches.
    pub fn start(dir: &Path) -> Node {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vigilmon"));
        for name in
            ["VIGILMON_CONFIG", "VIGILMON_STATE_DIR", "VIGILMON_LOG", "VIGILMON_NODE", "STATE_DIRECTORY", "JOURNAL_STREAM", "NOTIFY_SOCKET"]
        {
            command.env_remove(name);
        }
        command.args(["run", "--log", "warn", "--config"]).arg(dir.join("config.yaml")).stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (mut address, mut said) = (None, String::new());
        for line in lines.by_ref().map_while(Result::ok) {
            said.push_str(&format!("{line}\n"));
            if let Some(url) = line.trim().strip_prefix("open ") {
                address = url.trim().trim_start_matches("http://").parse().ok();
            }
            if line.trim().starts_with("sign in ") {
                break;
            }
        }
        // What it says later is of interest when it is trouble.
        thread::spawn(move || {
            for line in lines.map_while(Result::ok).filter(|line| line.contains("ERROR")).take(20) {
                println!("the instance says: {line}");
            }
        });
        Node { address: address.unwrap_or_else(|| panic!("it did not start:\n{said}")), child }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
