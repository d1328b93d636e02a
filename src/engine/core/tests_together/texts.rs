//! What people write on one node stands on all of them, for as long as what it is about is remembered.

use super::*;
use crate::model::id::IncidentId;
use crate::model::incident::CloseReason;
use crate::model::maintenance::Selection;
use crate::model::peer::OperatorAct;
use crate::model::peer::OperatorFact;
use crate::model::peer::Record;
use crate::model::peer::Said;
use crate::model::peer::Stamp;
use crate::model::policy::Silence;
use crate::model::policy::SilenceId;
use crate::model::update::About;
use crate::model::update::Announced;
use crate::model::update::AnnouncementId;
use crate::model::update::Postmortem;
use crate::model::update::TEXTS_MAX;
use crate::model::update::UPDATE_CHARS_MAX;
use crate::model::update::UPDATES_MAX;
use crate::model::update::Update;
use crate::model::update::UpdateId;
use crate::model::update::UpdateKind;
use crate::model::update::UpdateState;

const ALL: [&str; 3] = ["a", "b", "c"];

fn id(n: u32) -> UpdateId {
    UpdateId::parse(&format!("u{n:07}")).expect("an id")
}

fn announcement() -> AnnouncementId {
    AnnouncementId::parse("slowlogi").expect("an id")
}

fn update(state: UpdateState, text: &str) -> Update {
    Update { kind: UpdateKind::State { state, is_public: true }, text: text.to_owned(), by: "ada".to_owned(), at: UnixMillis(0) }
}

fn announced() -> Announced {
    Announced {
        title: "Slow logins".to_owned(),
        wanted: Selection { names: vec!["api".to_owned()], ..Selection::default() },
        pages: Vec::new(),
        from: UnixMillis(0),
        until: None,
        by: "ada".to_owned(),
        at: UnixMillis(0),
    }
}

impl World {
    fn say(&mut self, node: &str, operation: Operation) {
        self.apply(&name(node), Event::Asked { operation, request: RequestId(1) });
    }

    fn incident(&self) -> IncidentId {
        self.hosts[&name("a")].incidents.values().next().expect("an incident").id.clone()
    }

    fn post(&mut self, node: &str, n: u32, update: Update) {
        let about = About::Incident(self.incident());
        self.say(node, Operation::Post(about, id(n), update));
    }

    fn write(&mut self, node: &str, text: &str) {
        let postmortem = Postmortem { text: text.to_owned(), by: "ada".to_owned(), at: UnixMillis(0), is_public: false };
        self.say(node, Operation::WritePostmortem(self.incident(), postmortem));
    }

    /// What a node shows of all texts, in words: updates of incidents, lengths of postmortems, announcements with their states.
    fn texts(&mut self, node: &str) -> String {
        let texts = self.picture(node).texts;
        let words = |updates: &[crate::model::update::Posted]| {
            let one = |posted: &crate::model::update::Posted| {
                let state = posted.update.state().map_or("note", UpdateState::word);
                format!("{state} {}", posted.update.text.chars().take(20).collect::<String>())
            };
            updates.iter().map(one).collect::<Vec<_>>().join(", ")
        };
        let incidents = texts.incidents.values().map(|all| {
            let learnt =
                all.postmortem.as_ref().map_or(String::new(), |postmortem| format!("; learnt {}", postmortem.text.chars().count()));
            format!("{}{learnt}", words(&all.updates))
        });
        let announced =
            texts.announcements.values().map(|all| format!("{} is {}: {}", all.announced.title, all.state().word(), words(&all.updates)));
        incidents.chain(announced).collect::<Vec<_>>().join(" | ")
    }

    fn assert_texts(&mut self, expected: &str) {
        for node in ALL {
            assert_eq!(self.texts(node), expected, "{node}\n{}", self.story);
        }
    }
}

fn broken_world() -> World {
    let mut world = up_world(&three(vec![watched("api")]));
    world.set("api", &ALL, Outcome::Down);
    world.run(60);
    world
}

/// Nothing is kept for longer than two hours.
fn forgetful_world() -> World {
    let mut world = broken_world();
    for node in ALL {
        let host = world.hosts.get_mut(&name(node)).expect("a host");
        let mut config = (*host.config).clone();
        config.retention.rollup_1h = Duration::from_secs(7200);
        host.config = Arc::new(config);
        let event = Event::ConfigChanged { config: Arc::clone(&host.config), reload: reload("same") };
        world.apply(&name(node), event);
    }
    world
}

#[test]
fn what_one_node_is_told_all_know_also_those_that_were_away_and_after_a_restart() {
    let mut world = broken_world();
    world.stop("c");
    world.post("a", 1, update(UpdateState::Investigating, "we look"));
    world.run(5);
    world.post("b", 2, Update { kind: UpdateKind::Note, ..update(UpdateState::Identified, "it was the *disk*") });
    world.run(1);
    world
        .say("b", Operation::Announce(announcement(), Box::new(announced()), id(3), update(UpdateState::Investigating, "logins are slow")));
    world.run(5);
    world.write("a", &"é".repeat(7000));
    world.run(5);
    world.start("c");
    world.run(20);
    let said = "investigating we look, note it was the *disk*; learnt 7000 | Slow logins is investigating: investigating logins are slow";
    world.assert_texts(said);
    for node in ALL {
        world.stop(node);
        world.start(node);
        world.run(20);
    }
    world.assert_texts(said);
    // Another writing is shorter, and nothing of the first is left.
    world.write("c", "short");
    world.say("c", Operation::Post(About::Announcement(announcement()), id(4), update(UpdateState::Resolved, "")));
    world.say("a", Operation::Unpost(About::Incident(world.incident()), id(2)));
    world.run(10);
    let said = "investigating we look; learnt 5 | Slow logins is resolved: investigating logins are slow, resolved ";
    world.assert_texts(said);
    world.stop("b");
    world.wipe("b");
    world.hosts.get_mut(&name("b")).expect("a host").owed.clear();
    world.start("b");
    world.run(20);
    world.assert_texts(said);
}

#[test]
fn parts_of_a_split_cluster_come_to_the_same_texts() {
    let mut world = broken_world();
    for (one, other) in [("a", "b"), ("a", "c")] {
        world.cut(one, other);
    }
    world.write("a", &"a".repeat(6500));
    world.post("a", 1, update(UpdateState::Investigating, "alone"));
    world.run(2);
    world.write("b", "the later one wins");
    world.post("b", 2, update(UpdateState::Identified, "together"));
    world.run(2);
    world.heal();
    world.run(20);
    world.assert_texts("investigating alone, identified together; learnt 18");
}

#[test]
fn texts_go_with_the_history_of_what_they_are_about_and_who_was_away_does_not_bring_them_back() {
    let mut world = forgetful_world();
    world.post("a", 1, update(UpdateState::Investigating, "we look"));
    world.say("a", Operation::Announce(announcement(), Box::new(announced()), id(3), update(UpdateState::Investigating, "slow")));
    world.run(10);
    world.stop("c");
    // As long as it lasts, whatever was said first stays.
    world.run(4 * 3600);
    assert_eq!(world.texts("a"), "investigating we look | Slow logins is investigating: investigating slow");
    world.set("api", &ALL, Outcome::Up);
    world.say("b", Operation::Post(About::Announcement(announcement()), id(4), update(UpdateState::Resolved, "")));
    world.run(3600);
    let closed = world.hosts[&name("a")].incidents.values().next().and_then(|incident| incident.closed).map(|closed| closed.how);
    assert_eq!(closed, Some(CloseReason::Recovered));
    assert!(world.texts("b").starts_with("investigating we look"), "{}", world.texts("b"));
    world.run(3 * 3600);
    assert_eq!((world.texts("a"), world.texts("b")), (String::new(), String::new()));
    world.start("c");
    world.run(2 * 3600);
    world.assert_texts("");
}

#[test]
fn a_node_that_was_away_for_ten_days_brings_back_nothing_that_was_taken_back() {
    let mut world = broken_world();
    world.post("a", 1, update(UpdateState::Investigating, "we look"));
    world.post("a", 2, update(UpdateState::Identified, "it was Bob"));
    world.say("a", Operation::Announce(announcement(), Box::new(announced()), id(3), update(UpdateState::Investigating, "slow")));
    world.say("a", Operation::Post(About::Announcement(announcement()), id(4), update(UpdateState::Identified, "slow, by Bob")));
    world.write("a", &"é".repeat(4000));
    let silence = SilenceId::parse("quietone").expect("an id");
    let quiet = Silence {
        wanted: Selection { names: vec!["api".to_owned()], ..Selection::default() },
        from: UnixMillis(0),
        until: UnixMillis(START) + Duration::from_secs(30 * 86_400),
        by: "ada".to_owned(),
        note: String::new(),
    };
    world.say("a", Operation::Silence(silence.clone(), quiet));
    world.run(10);
    let about = About::Incident(world.incident());
    world.stop("c");
    world.say("b", Operation::Unpost(about, id(2)));
    world.say("b", Operation::Unpost(About::Announcement(announcement()), id(4)));
    world.say("b", Operation::EndSilence(silence));
    world.write("b", "");
    world.run(10);
    let left = "investigating we look | Slow logins is investigating: investigating slow";
    assert_eq!(world.texts("a"), left);
    for node in ["a", "b"] {
        world.stop(node);
    }
    world.step += 10 * 86_400 * 1000 / STEP_MS;
    for node in ["a", "b", "a", "b"] {
        if world.hosts[&name(node)].core.is_some() {
            world.stop(node);
        }
        world.start(node);
        // Whatever is let go meanwhile, what was taken back is not forgotten with it.
        world.say(node, Operation::Silence(SilenceId::parse("shortone").expect("an id"), short_silence(&world)));
        world.run(300);
    }
    world.start("c");
    world.run(60);
    world.assert_texts(left);
    for node in ALL {
        assert_eq!(world.picture(node).silences.len(), 0, "{node}");
    }
}

fn short_silence(world: &World) -> Silence {
    Silence {
        wanted: Selection { names: vec!["x".to_owned()], ..Selection::default() },
        from: UnixMillis(0),
        until: world.now(&name("a")).wall + Duration::from_secs(61),
        by: "ada".to_owned(),
        note: String::new(),
    }
}

#[test]
fn whoever_says_what_was_taken_back_is_told_and_nobody_goes_on_about_it() {
    let mut world = broken_world();
    world.post("a", 1, update(UpdateState::Investigating, "we look"));
    world.run(10);
    world.stop("c");
    world.say("b", Operation::Unpost(About::Incident(world.incident()), id(1)));
    world.run(10);
    // Neither says it any more, as when its time in the gossip is over.
    let is_about_it = |record: &Record| matches!(record, Record::Operator(fact) if matches!(fact.act, OperatorAct::Update(..)));
    for node in ["a", "b"] {
        world.hosts.get_mut(&name(node)).expect("a host").said.retain(|record| !is_about_it(record));
    }
    world.start("c");
    world.run(10);
    world.assert_texts("");
    world.run(60);
    assert!(world.under_way.iter().all(|(.., news)| !matches!(news, PeerNews::Told { records, .. } if records.iter().any(is_about_it))));
}

#[test]
fn an_old_text_of_something_that_is_talked_about_is_kept_by_all() {
    let mut world = forgetful_world();
    world.post("a", 1, update(UpdateState::Investigating, "we look"));
    world.set("api", &ALL, Outcome::Up);
    world.run(5400);
    world.post("a", 2, update(UpdateState::Identified, "it was the disk"));
    world.run(3600);
    world.stop("b");
    world.wipe("b");
    world.hosts.get_mut(&name("b")).expect("a host").owed.clear();
    world.start("b");
    world.run(20);
    world.assert_texts("investigating we look, identified it was the disk");
    world.run(3 * 3600);
    world.assert_texts("");
}

#[test]
fn what_was_written_later_is_newer_whatever_the_clocks_say() {
    let mut world = broken_world();
    world.hosts.get_mut(&name("a")).expect("a host").skew_ms = 50_000;
    world.run(5);
    world.post("a", 1, update(UpdateState::Identified, "the disk"));
    world.say("a", Operation::Announce(announcement(), Box::new(announced()), id(2), update(UpdateState::Investigating, "slow")));
    world.run(5);
    world.post("b", 3, update(UpdateState::Resolved, "a new disk"));
    world.say("b", Operation::Post(About::Announcement(announcement()), id(4), update(UpdateState::Resolved, "fast")));
    world.run(5);
    world.assert_texts("identified the disk, resolved a new disk | Slow logins is resolved: investigating slow, resolved fast");
    let picture = world.picture("b");
    let known = &picture.texts.announcements[&announcement()];
    assert!(known.is_over(world.now(&name("b")).wall), "{known:?}");
}

#[test]
fn a_postmortem_can_be_taken_back_when_there_is_no_room() {
    let mut world = broken_world();
    world.write("a", "it was Bob");
    world.run(5);
    let stamp = Stamp { wall: world.now(&name("a")).wall, counter: 0, by: name("a") };
    let fact = |n: usize| {
        let id = UpdateId::parse(&format!("v{n:07}")).expect("an id");
        let about = About::Incident(IncidentId::from_derived("another"));
        let said = Said::Update(update(UpdateState::Identified, "x"));
        Record::Operator(OperatorFact { act: OperatorAct::Update(about, id), stamp: stamp.clone(), holds: true, said })
    };
    let many: Vec<Record> = (0..TEXTS_MAX).map(fact).collect();
    world.hosts.get_mut(&name("a")).and_then(|host| host.core.as_mut()).expect("it runs").texts.remember(&many);
    world.write("a", "it was Bob, again");
    assert!(world.story.contains("10000 texts about incidents are kept already"), "{}", world.story);
    world.write("a", "");
    world.run(5);
    assert_eq!(world.texts("b"), "");
}

#[test]
fn what_cannot_be_written_is_said() {
    let mut world = broken_world();
    let about = About::Incident(world.incident());
    let nobody = About::Announcement(announcement());
    let fine = || update(UpdateState::Identified, "x");
    let for_nobody = Announced { wanted: Selection::default(), ..announced() };
    let over = Announced { until: Some(UnixMillis(START)), ..announced() };
    let untitled = Announced { title: " ".to_owned(), ..announced() };
    let announce = |announced: Announced| Operation::Announce(announcement(), Box::new(announced), id(9), fine());
    for (operation, why) in [
        (
            Operation::Post(about.clone(), id(1), update(UpdateState::Identified, &"x".repeat(UPDATE_CHARS_MAX + 1))),
            "at most 1000 characters",
        ),
        (Operation::Post(about.clone(), id(1), update(UpdateState::Identified, &"\u{1F600}".repeat(1000))), "too long to be told"),
        (Operation::Post(about.clone(), id(1), Update { kind: UpdateKind::Note, ..update(UpdateState::Identified, " ") }), "a note says"),
        (Operation::Post(about.clone(), id(1), Update { by: String::new(), ..fine() }), "who you are"),
        (Operation::Post(nobody, id(1), fine()), "there is no announcement"),
        (Operation::Unpost(about.clone(), id(1)), "there is no update"),
        (announce(for_nobody), "which monitors, groups or pages"),
        (announce(over), "the end must lie after"),
        (announce(untitled), "a title of 1 to"),
        (
            Operation::Announce(
                announcement(),
                Box::new(announced()),
                id(9),
                update(UpdateState::Identified, &"\u{1F600}".repeat(UPDATE_CHARS_MAX)),
            ),
            "too long to be told",
        ),
    ] {
        let before = world.story.len();
        world.say("a", operation.clone());
        assert!(world.story[before..].contains(why), "{operation:?}: {}", &world.story[before..]);
    }
    assert_eq!(world.texts("a"), "", "what was refused is not there");
    for n in 0..u32::try_from(UPDATES_MAX).expect("small") + 1 {
        world.post("a", n, fine());
    }
    assert!(world.story.contains("200 updates and notes of it already"), "{}", world.story);
    world.run(5);
    assert_eq!(world.picture("c").texts.incidents.values().next().map(|all| all.updates.len()), Some(UPDATES_MAX));
}
