//! Programs that are run, and those that cannot be.

use super::*;
use crate::model::channel::ChannelSpec;
use crate::model::channel::spec::Word;
use crate::model::secret::Secret;
use crate::notifier::samples;

fn words(all: &[&str]) -> Vec<Word> {
    all.iter().map(|word| Word::Plain((*word).to_owned())).collect()
}

fn shell(script: &str) -> CommandSpec {
    CommandSpec {
        run: words(&["/bin/sh", "-c", script]),
        env: vec![("PAGER_TOKEN".to_owned(), Secret::new("canary"))],
        timeout: Duration::from_secs(20),
    }
}

async fn told(spec: &CommandSpec, world: &samples::World) -> String {
    let heard = Heard::default();
    let outcome = send(spec, &world.message(), &heard).await;
    // Whoever was killed may have done its work before.
    let was_killed = matches!(&outcome, Err(SendError::Transient(text)) if text.contains("signal") || text.contains("was killed"));
    assert_eq!(heard.is_unanswered(), was_killed, "{outcome:?}");
    match outcome {
        Ok(()) => "accepted".to_owned(),
        Err(SendError::Permanent(text)) => format!("permanent: {text}"),
        Err(SendError::Transient(text)) => format!("transient: {text}"),
        Err(SendError::Later(wait, text)) => format!("later {}: {text}", wait.as_secs()),
    }
}

#[test]
fn what_a_program_gets_reads_exactly_so() {
    let spec = CommandSpec { run: words(&["/usr/local/bin/page", "--team", "ops \"b\""]), ..shell("") };
    samples::assert_golden(&ChannelSpec::Command(spec));
}

#[tokio::test]
async fn it_gets_the_message_and_its_own_secrets() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("heard");
    let mut spec = shell("{ cat; echo; env; } > \"$OUT\"");
    spec.env.push(("OUT".to_owned(), Secret::new(file.to_string_lossy())));
    let world = samples::World::down();
    assert_eq!(told(&spec, &world).await, "accepted");
    let heard = std::fs::read_to_string(&file).expect("it wrote");
    let message = world.message();
    assert_eq!(heard.lines().next(), Some(json(message.notification, message.links).as_str()));
    for line in ["VIGILMON_EVENT=down", "VIGILMON_MONITOR_NAME=[prod-us] api /health", "PAGER_TOKEN=canary", "VIGILMON_CHANNEL=ops-webhook"]
    {
        assert!(heard.lines().any(|heard| heard == line), "{line} in {heard}");
    }
    let strange: Vec<&str> = heard.lines().skip(1).filter_map(|line| Some(line.split_once('=')?.0)).collect();
    let known = |name: &str| {
        name.starts_with("VIGILMON_") || ["PAGER_TOKEN", "OUT", "PATH", "HOME", "LANG", "TZ", "PWD", "SHLVL", "_", "OLDPWD"].contains(&name)
    };
    assert!(strange.iter().all(|name| known(name)), "{strange:?}");
}

#[tokio::test]
async fn each_end_has_its_class_and_secrets_are_hidden() {
    let world = samples::World::down();
    for (script, expected) in [
        ("exit 0", "accepted"),
        ("echo no route; exit 1", "transient: the program ended with 1: no route"),
        ("exit 75", "transient: the program ended with 75"),
        ("echo usage >&2; exit 64", "permanent: the program ended with 64: usage"),
        ("/nowhere/at-all 2>/dev/null", "permanent: the program ended with 127"),
        ("echo \"token $PAGER_TOKEN is refused\"; exit 77", "permanent: the program ended with 77: token *** is refused"),
        ("kill -TERM $$", "transient: the program was ended by signal 15"),
    ] {
        assert_eq!(told(&shell(script), &world).await, expected, "{script}");
    }
    let slow = CommandSpec { timeout: Duration::from_secs(1), ..shell("echo begun; sleep 100") };
    assert_eq!(told(&slow, &world).await, "transient: the program did not end within 1.0 s and was killed: begun");
    let nowhere = CommandSpec { run: words(&["/nowhere/at-all"]), ..shell("") };
    assert!(told(&nowhere, &world).await.starts_with("permanent: the program cannot be run: "));
}

#[tokio::test]
async fn nothing_in_a_message_is_run() {
    let mut world = samples::World::hostile();
    let crate::model::notification::Subject::Incident(facts) = &mut world.notification.subject else { panic!("an incident") };
    facts.monitor_name = "$(exit 3); `exit 4`; \n exit 5 \0".to_owned();
    assert_eq!(told(&shell("test -n \"$VIGILMON_MONITOR_NAME\" && cat > /dev/null"), &world).await, "accepted");
}
