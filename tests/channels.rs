//! An outage from its beginning to its end on channels as they are: a mail server that is rude at first and a real one, Alertmanager, a
//! program.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod common;

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use common::Answer;
use common::Instance;
use common::Server;
use common::closed_port;
use common::find_program;
use common::mailer::Mailer;
use common::mailer::field;
use common::real::Running;
use common::real::alertmanager;
use common::request;
use common::wait_for;
use rcgen::CertifiedKey;
use rcgen::generate_simple_self_signed;
use serde_json::Value;

/// Checks every second and confirms with the second failure.
const FAST: &str = "defaults: { interval: 1s, timeout: 1s, confirm: { failures: 2, recheck: 1s }, channels: [ops] }\n";

/// Reads mails as mail programs do, and prints of each on a line of its own: subject, what it follows, recipients, kinds of its parts. A mail
/// that is not as the standards want it is an error.
const READ_MAILS: &str = r#"
import email, email.policy, pathlib, sys
mails = [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in pathlib.Path(sys.argv[1], "new").iterdir()]
ids = {mail["Message-ID"]: mail["Subject"] for mail in mails}
for mail in sorted(mails, key=lambda mail: mail["Date"].datetime):
    parts = list(mail.iter_parts())
    assert not mail.defects and not any(part.defects for part in parts), (mail.defects, [part.defects for part in parts])
    assert all("shop ’ <b> is" in part.get_content() or "shop ’ &lt;b&gt; is" in part.get_content() for part in parts)
    assert mail["Auto-Submitted"] == "auto-generated"
    to = [f"{each.display_name}={each.addr_spec}" for each in mail["To"].addresses]
    print(mail["Subject"], ids.get(mail["In-Reply-To"]), to, [part.get_content_type() for part in parts], sep=" | ")
"#;

/// A real one that keeps what it takes, with a certificate of its own.
fn aiosmtpd(program: &Path, dir: &Path, certificate: [&str; 2], port: u16) -> Running {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (cert_file, key_file) = (dir.join("cert.pem"), dir.join("key.pem"));
    fs::write(&cert_file, cert.pem()).unwrap();
    fs::write(&key_file, signing_key.serialize_pem()).unwrap();
    let mut command = Command::new(program);
    command.args(["-n", "-l", &format!("127.0.0.1:{port}"), "-c", "aiosmtpd.handlers.Mailbox"]);
    command.arg(certificate[0]).arg(&cert_file).arg(certificate[1]).arg(&key_file).arg(dir.join("mails"));
    let running = Running(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    wait_for("the mail server", || TcpStream::connect(("127.0.0.1", port)).ok());
    running
}

#[test]
fn a_real_mail_server_takes_mails_in_tls_only_and_they_can_be_read() {
    let Some(program) = find_program("aiosmtpd") else { return };
    for (tls, certificate) in [("starttls", ["--tlscert", "--tlskey"]), ("always", ["--smtpscert", "--smtpskey"])] {
        let (dir, port) = (tempfile::tempdir().unwrap(), closed_port());
        let _running = aiosmtpd(&program, dir.path(), certificate, port);
        let shop = Server::start(Answer::Status(200, "ok"));
        let channel = format!(
            "channels: [{{ name: ops, email: {{ server: \"127.0.0.1:{port}\", tls: {tls}, ca: {}, from: vigilmon <alerts@example.com>, \
             to: [ops@example.com, \"Jānis, the boss <boss@example.com>\"] }} }}]\n",
            dir.path().join("cert.pem").display()
        );
        let instance =
            Instance::start(&format!("{FAST}{channel}monitors: [{{ name: shop ’ <b>, id: shop, http: \"{}\" }}]\n", shop.url("/")));
        instance.wait_for_verdict("shop", "up");
        shop.set(Answer::Status(503, "busy"));
        instance.wait_for_verdict("shop", "down");
        shop.set(Answer::Status(200, "ok"));
        let kept = dir.path().join("mails/new");
        wait_for("two mails", || fs::read_dir(&kept).ok().filter(|_| 2 <= fs::read_dir(&kept).map_or(0, Iterator::count)));
        let read = Command::new("python3").args(["-c", READ_MAILS]).arg(dir.path().join("mails")).output().unwrap();
        let rest = "['=ops@example.com', 'Jānis, the boss=boss@example.com'] | ['text/plain', 'text/html']";
        let expected = format!("🔴 DOWN: shop ’ <b> | None | {rest}\n🟢 Up: shop ’ <b> | 🔴 DOWN: shop ’ <b> | {rest}\n");
        assert_eq!(common::stdout(&read), expected, "{tls}: {}", common::stderr(&read));
    }
}

#[test]
fn mails_come_once_each_in_one_thread_though_the_server_is_rude() {
    let (shop, mailer) = (Server::start(Answer::Status(200, "ok")), Mailer::rude());
    let channel = format!(
        "channels: [{{ name: ops, email: {{ server: \"127.0.0.1:{}\", from: vigilmon <alerts@example.com>, to: ops@example.com }} }}]\n",
        mailer.port
    );
    let instance = Instance::start(&format!("{FAST}{channel}monitors: [{{ name: shop, http: \"{}\" }}]\n", shop.url("/")));
    instance.wait_for_verdict("shop", "up");
    shop.set(Answer::Status(503, "busy"));
    let down = mailer.wait_for(1).remove(0);
    assert!(field(&down, "Subject").is_some_and(|subject| subject.ends_with(" DOWN: shop")), "{down}");
    assert!(down.contains("\r\nContent-Type: text/html; charset=utf-8\r\n") && down.contains("shop is DOWN since"), "{down}");
    shop.set(Answer::Status(200, "ok"));
    let mails = mailer.wait_for(2);
    assert!(field(&mails[1], "Subject").is_some_and(|subject| subject.ends_with(" Up: shop")), "{}", mails[1]);
    assert_eq!(field(&mails[1], "In-Reply-To"), field(&down, "Message-ID"));
    assert_eq!(mails.len(), 2);
    assert!(instance.log().contains("450 4.2.0") && !instance.log().contains("come back later"), "{}", instance.log());
}

#[test]
fn a_program_is_told_of_the_beginning_and_the_end() {
    let shop = Server::start(Answer::Status(200, "ok"));
    let dir = tempfile::tempdir().unwrap();
    let (script, heard) = (dir.path().join("page"), dir.path().join("heard"));
    fs::write(&script, format!("#!/bin/sh\necho \"$1 $VIGILMON_EVENT $VIGILMON_MONITOR_NAME\" >> {}\n", heard.display())).unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    // Joined with the section that every instance of these tests has already.
    fs::write(dir.path().join("allow.yaml"), "instance: { allow_commands: true }\n").unwrap();
    let config = format!(
        "include: [allow.yaml]\n{FAST}channels: [{{ name: ops, command: {{ run: [\"{}\", \"$(x);\"] }} }}]\n\
         monitors: [{{ name: the shop, http: \"{}\" }}]\n",
        script.display(),
        shop.url("/")
    );
    common::write_config(dir.path(), &config);
    let instance = Instance::start_in(dir);
    instance.wait_for_verdict("the-shop", "up");
    shop.set(Answer::Status(503, "busy"));
    instance.wait_for_verdict("the-shop", "down");
    shop.set(Answer::Status(200, "ok"));
    let told = wait_for("two runs", || fs::read_to_string(&heard).ok().filter(|text| 2 <= text.lines().count()));
    assert_eq!(told, "$(x); down the shop\n$(x); recovered the shop\n");
}

/// What Alertmanager holds to be going on.
fn firing(port: u16) -> Vec<Value> {
    let (status, _, body) = request(&format!("127.0.0.1:{port}"), "GET", "/api/v2/alerts?active=true", &[], "");
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

#[test]
fn alertmanager_has_the_alert_while_it_lasts_and_not_longer() {
    let Some(program) = find_program("prometheus-alertmanager") else { return };
    let (dir, port) = (tempfile::tempdir().unwrap(), closed_port());
    fs::write(dir.path().join("alertmanager.yml"), "route: { receiver: nobody }\nreceivers: [{ name: nobody }]\n").unwrap();
    let _running = alertmanager(&program, dir.path(), port);
    let shop = Server::start(Answer::Status(200, "ok"));
    let channel =
        format!("channels: [{{ name: ops, alertmanager: {{ url: \"http://127.0.0.1:{port}\", labels: {{ team: platform }} }} }}]\n");
    let instance = Instance::start(&format!("{FAST}{channel}monitors: [{{ name: shop, http: \"{}\" }}]\n", shop.url("/")));
    instance.wait_for_verdict("shop", "up");
    assert_eq!(firing(port), Vec::<Value>::new());
    shop.set(Answer::Status(503, "busy"));
    let alerts = wait_for("the alert", || Some(firing(port)).filter(|alerts| !alerts.is_empty()));
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    let labels = &alerts[0]["labels"];
    assert_eq!((&labels["alertname"], &labels["monitor"], &labels["team"]), (&"VigilmonDown".into(), &"shop".into(), &"platform".into()));
    assert!(alerts[0]["annotations"]["summary"].as_str().is_some_and(|text| text.starts_with("shop is DOWN since ")), "{alerts:?}");
    shop.set(Answer::Status(200, "ok"));
    wait_for("its end", || firing(port).is_empty().then_some(()));
}
