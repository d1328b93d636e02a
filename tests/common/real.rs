//! Programs that people have already, as they are.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use super::request;
use super::wait_for;

/// A program that is killed when the test is over.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Alertmanager, ready, with the `alertmanager.yml` in `dir`.
pub fn alertmanager(program: &Path, dir: &Path, port: u16) -> Running {
    let log = fs::File::create(dir.join("alertmanager.log")).unwrap();
    let mut command = Command::new(program);
    command.arg(format!("--config.file={}", dir.join("alertmanager.yml").display()));
    command.arg(format!("--storage.path={}", dir.join("alertmanager").display()));
    command.args([&format!("--web.listen-address=127.0.0.1:{port}"), "--cluster.listen-address="]);
    let running = Running(command.env("no_proxy", "*").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap());
    wait_for("Alertmanager", || {
        TcpStream::connect(("127.0.0.1", port)).ok()?;
        (request(&format!("127.0.0.1:{port}"), "GET", "/-/ready", &[], "").0 == 200).then_some(())
    });
    running
}
