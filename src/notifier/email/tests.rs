//! Mails, as they are written.

use super::*;
use crate::model::channel::ChannelSpec;
use crate::model::channel::spec::MailTls;
use crate::model::net::HostPort;
use crate::model::secret::Secret;
use crate::model::verdict::Verdict;
use crate::notifier::samples;

fn spec() -> EmailSpec {
    EmailSpec {
        server: HostPort { host: "smtp.example.com".to_owned(), port: 587 },
        tls: MailTls::StartTls,
        ca: None,
        credentials: Some(("alerts".to_owned(), Secret::new("canary"))),
        from: Mailbox { name: Some("vigilmon".to_owned()), address: "alerts@example.com".to_owned() },
        to: vec![
            Mailbox { name: None, address: "ops@example.com".to_owned() },
            Mailbox { name: Some("Jānis, \"the boss\"".to_owned()), address: "boss@example.com".to_owned() },
        ],
    }
}

fn header(mail: &Mail, name: &str) -> Vec<String> {
    let (head, _) = mail.text.split_once("\r\n\r\n").expect("a head");
    let unfolded = head.replace("\r\n ", " ");
    unfolded.lines().filter_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned)).collect()
}

fn written(world: &samples::World) -> Mail {
    mail(&spec(), &world.message()).expect("a mail")
}

#[test]
fn mails_read_exactly_so() {
    samples::assert_golden(&ChannelSpec::Email(spec()));
}

#[test]
fn mails_about_one_incident_are_a_thread_and_repeats_are_the_same() {
    let (down, up, notice) =
        (written(&samples::World::down()), written(&samples::World::recovered(Verdict::Up)), written(&samples::World::notice()));
    let opening = header(&down, "Message-ID");
    assert!(opening.len() == 1 && opening[0].ends_with("@example.com>"), "{opening:?}");
    assert_eq!((header(&down, "In-Reply-To"), header(&down, "References")), (vec![], vec![]));
    assert_eq!((header(&up, "In-Reply-To"), header(&up, "References")), (opening.clone(), opening.clone()));
    assert_ne!(header(&up, "Message-ID"), opening);
    assert_eq!(header(&notice, "In-Reply-To"), Vec::<String>::new());
    assert_eq!(down, written(&samples::World::down()));
}

#[test]
fn of_two_channels_each_has_its_own_thread() {
    let mut other = samples::World::down();
    other.notification.channel = samples::channel_name("other");
    assert_ne!(header(&written(&samples::World::down()), "Message-ID"), header(&written(&other), "Message-ID"));
}

#[test]
fn no_text_begins_a_header_field_or_makes_a_line_too_long() {
    let mut world = samples::World::hostile();
    let crate::model::notification::Subject::Incident(facts) = &mut world.notification.subject else { panic!("an incident") };
    facts.monitor_name = format!("x\r\nBcc: evil@example.com\r\n\r\nbody {}", facts.monitor_name);
    facts.cause = "a".repeat(100_000);
    let mail = written(&world);
    let (head, body) = mail.text.split_once("\r\n\r\n").expect("a head");
    let names: Vec<&str> = head.lines().filter(|line| !line.starts_with(' ')).filter_map(|line| Some(line.split_once(':')?.0)).collect();
    assert_eq!(
        names,
        ["From", "Subject", "Date", "Message-ID", "To", "Auto-Submitted", "X-Auto-Response-Suppress", "MIME-Version", "Content-Type"]
    );
    assert!(mail.text.is_ascii() && body.len() < 300_000, "{}", body.len());
    for line in mail.text.split("\r\n") {
        assert!(line.len() <= 998 && !line.contains(['\r', '\n']), "{line}");
    }
    assert_eq!(header(&mail, "To").len(), 1);
}

#[test]
fn html_shows_names_and_does_nothing_else_with_them() {
    let world = samples::World::hostile();
    let text = html(&world.message());
    assert!(!text.contains("</b>\"},{") && !text.contains("<@U1>") && text.contains("&lt;@U1&gt;"), "{text}");
    assert_eq!(text.matches("</html>").count(), 1);
}
