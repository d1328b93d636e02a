//! The story: what is done to the shop and to the instances, what must follow, and what must not.

use std::time::Duration;

use crate::app::demo::DemoError;
use crate::app::demo::Message;
use crate::app::demo::Player;
use crate::app::demo::Told;
use crate::app::demo::cast;
use crate::app::demo::nodes::Nodes;
use crate::app::demo::nodes::Seen;
use crate::app::demo::stage::Stage;
use crate::clock::Clock;
use crate::model::time::Mono;

/// Scenes of the story.
const SCENES: usize = 5;

/// Instances that start wait for each other, half a minute at most, and check everything once.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// A change is seen, confirmed and told within seconds; the rest is for a busy machine.
const CHANGED_WITHIN: Duration = Duration::from_secs(45);

/// How long a picture stays, so that it can be looked at.
const HOLD: Duration = Duration::from_secs(4);

/// How long the killed instance is away.
const AWAY: Duration = Duration::from_secs(5);

/// Another node would send the message again after a lease of fifteen seconds, if it believed that it was lost.
const NOT_AGAIN: Duration = Duration::from_secs(17);

/// The instances are asked this often.
const ASK_EVERY: Duration = Duration::from_millis(700);

/// One telling.
pub(super) struct Play<'a> {
    tell: fn(&Told),
    stage: &'a Stage,
    nodes: &'a mut Nodes,
    clock: Clock,
    began: Mono,
    shown: Vec<(&'static str, String)>,
    seen: Vec<(&'static str, Option<Seen>)>,
    messages: Vec<Message>,
    went_well: bool,
}

impl<'a> Play<'a> {
    pub(super) fn new(tell: fn(&Told), stage: &'a Stage, nodes: &'a mut Nodes) -> Play<'a> {
        let clock = Clock::system();
        let began = clock.now().mono;
        let (shown, seen, messages) = (Vec::new(), Vec::new(), Vec::new());
        Play { tell, stage, nodes, clock, began, shown, seen, messages, went_well: true }
    }

    /// Tells it; says whether everything went as it should.
    pub(super) async fn run(mut self) -> Result<bool, DemoError> {
        self.stage.clear();
        self.stage.cut_off(&[]);
        self.introduce().await;
        self.all_is_well().await;
        self.one_region().await;
        self.all_regions().await;
        self.kill_the_sender().await?;
        self.recovery().await;
        self.count();
        Ok(self.went_well)
    }

    async fn introduce(&mut self) {
        let player = |name: &'static str| Player {
            name,
            place: cast::place(name),
            page: format!("{}/status/{}", self.nodes.ports.url(name), cast::PAGE),
        };
        let players = cast::NAMES.into_iter().map(player).collect();
        let link = self.nodes.sign_in_link(cast::US_EAST).await.unwrap_or_else(|| self.nodes.ports.url(cast::US_EAST));
        (self.tell)(&Told::Players(players, link));
    }

    async fn all_is_well(&mut self) {
        self.scene(
            1,
            "All is well",
            "Each instance checks the shop every second: two from outside, through its gateway, one from inside, past it. They find each \
             other, prove who they are, and share what they see."
                .to_owned(),
        );
        let is_fine = self.watch(READY_WITHIN, |play| play.all_show("up", None)).await;
        self.expect(is_fine, "all three agree: the shop is up");
        self.hold(HOLD).await;
    }

    async fn one_region(&mut self) {
        self.scene(
            2,
            "One region cannot reach it",
            format!(
                "From {} the gateway answers 503 now. One of two voters outside is no majority: nobody is woken. The chat has asked for \
                 `regional` and hears of it, once.",
                cast::EU_WEST
            ),
        );
        self.stage.cut_off(&[cast::EU_WEST]);
        let is_seen = self.watch(CHANGED_WITHIN, |play| play.all_show("up", Some("regional")) && play.n(cast::CHAT, "regional") == 1).await;
        self.expect(is_seen, "still up, and all three know from where it is not");
        self.hold(HOLD).await;
        self.expect(self.n(cast::ON_CALL, "down") == 0, "nobody was woken");
    }

    async fn all_regions(&mut self) {
        self.scene(
            3,
            "Nobody outside can reach it",
            format!(
                "Now it fails from {} as well: that is an outage. All three instances owe the alert and exactly one sends it. From inside \
                 the shop answers, so the trouble is on the way to it.",
                cast::US_EAST
            ),
        );
        self.stage.cut_off(&[cast::US_EAST, cast::EU_WEST]);
        let is_seen = self.watch(CHANGED_WITHIN, |play| play.all_show("down", Some("outage")) && play.n(cast::ON_CALL, "down") == 1).await;
        self.expect(is_seen, "down on all three, with one incident id, and one alert");
        self.hold(HOLD).await;
    }

    async fn kill_the_sender(&mut self) -> Result<(), DemoError> {
        let sender = self.messages.iter().rev().find(|message| message.event == "down").map(|message| message.from.clone());
        let victim = cast::NAMES.into_iter().find(|name| Some(*name) == sender.as_deref()).unwrap_or(cast::HOME);
        self.scene(
            4,
            "kill -9, in the middle of the outage",
            format!(
                "The instance that sent the alert, {victim}, is killed without warning and started again {} seconds later. Nothing may be \
                 told twice, and nothing lost.",
                AWAY.as_secs()
            ),
        );
        let incident = self.incident();
        let killed_at = self.clock.now().mono;
        self.nodes.kill(victim);
        self.fine(format!("killed {victim}"));
        self.hold(AWAY).await;
        let others_hold = self.seen.iter().filter(|(name, _)| *name != victim).all(|(_, seen)| has(seen.as_ref(), incident.as_deref()));
        self.expect(others_hold && incident.is_some(), "the other two hold the incident");
        self.nodes.start(victim).await?;
        self.fine(format!("started {victim} again"));
        let is_back = self.watch(CHANGED_WITHIN, |play| play.all_show("down", Some("outage")) && play.incident() == incident).await;
        self.expect(is_back, "it is back, with the same incident");
        let waited = self.clock.now().mono.since(killed_at);
        self.hold(NOT_AGAIN.saturating_sub(waited)).await;
        self.expect(self.n(cast::ON_CALL, "down") == 1, "the alert was not told a second time");
        Ok(())
    }

    async fn recovery(&mut self) {
        self.scene(5, "The shop is reachable again", "Every region sees it, one message says so, with how long it really took.".to_owned());
        self.stage.cut_off(&[]);
        let is_seen = self.watch(CHANGED_WITHIN, |play| play.all_show("up", None) && play.n(cast::ON_CALL, "recovered") == 1).await;
        self.expect(is_seen, "up on all three, and one message");
        self.hold(HOLD).await;
    }

    /// What was sent in all, and whether it is what should have been.
    fn count(&mut self) {
        let incidents: Vec<&str> = self.messages.iter().filter(|m| m.to == cast::ON_CALL).map(|m| m.incident.as_str()).collect();
        let is_one = incidents.windows(2).all(|pair| pair[0] == pair[1]);
        let is_exact = self.messages.len() == 3
            && self.n(cast::CHAT, "regional") == 1
            && self.n(cast::ON_CALL, "down") == 1
            && self.n(cast::ON_CALL, "recovered") == 1
            && is_one;
        self.went_well &= is_exact;
        let text = format!(
            "{} to the chat (regional), {} to on-call (down), {} to on-call (recovered): {} in all, from three instances",
            self.n(cast::CHAT, "regional"),
            self.n(cast::ON_CALL, "down"),
            self.n(cast::ON_CALL, "recovered"),
            messages(self.messages.len()),
        );
        (self.tell)(&Told::End(self.went_well, text));
    }

    fn scene(&self, number: usize, title: &'static str, text: String) {
        (self.tell)(&Told::Scene(number, SCENES, title, text));
    }

    fn expect(&mut self, holds: bool, what: &str) {
        if holds {
            return self.fine(what.to_owned());
        }
        self.went_well = false;
        (self.tell)(&Told::Wrong(self.passed(), format!("not so: {what}")));
        for name in cast::NAMES {
            (self.tell)(&Told::Wrong(self.passed(), format!("the log of {name} ends:\n{}", self.nodes.log(name))));
        }
    }

    fn fine(&self, text: String) {
        (self.tell)(&Told::Fine(self.passed(), text));
    }

    fn passed(&self) -> Duration {
        self.clock.now().mono.since(self.began)
    }

    /// Shows what happens until `is_reached`, at most so long; says whether it was.
    async fn watch(&mut self, within: Duration, is_reached: impl Fn(&Play<'_>) -> bool) -> bool {
        let began = self.clock.now().mono;
        loop {
            self.look().await;
            if is_reached(self) {
                return true;
            }
            if within <= self.clock.now().mono.since(began) {
                return false;
            }
            self.pause(ASK_EVERY).await;
        }
    }

    /// Shows what happens for so long.
    async fn hold(&mut self, time: Duration) {
        let _ = self.watch(time, |_| false).await;
    }

    /// Messages are shown the moment they come.
    async fn pause(&mut self, time: Duration) {
        let (stage, sleep) = (self.stage, tokio::time::sleep(time));
        tokio::pin!(sleep);
        loop {
            tokio::select! {
                () = &mut sleep => return,
                () = stage.arrived() => self.take_messages(),
            }
        }
    }

    fn take_messages(&mut self) {
        for message in self.stage.messages_after(self.messages.len()) {
            (self.tell)(&Told::Message(self.passed(), message.clone()));
            self.messages.push(message);
        }
    }

    async fn look(&mut self) {
        self.take_messages();
        let [us, eu, home] = cast::NAMES;
        let (a, b, c) = tokio::join!(self.nodes.seen(us), self.nodes.seen(eu), self.nodes.seen(home));
        self.seen = vec![(us, a), (eu, b), (home, c)];
        self.take_messages();
        let shown: Vec<(&'static str, String)> = self.seen.iter().map(|(name, seen)| (*name, words(seen.as_ref()))).collect();
        if shown != self.shown {
            (self.tell)(&Told::Shown(self.passed(), shown.clone()));
            self.shown = shown;
        }
    }

    /// Whether all of them show this, with this kind of open incident, or none.
    fn all_show(&self, status: &str, kind: Option<&str>) -> bool {
        self.seen.iter().all(|(_, seen)| {
            seen.as_ref().is_some_and(|seen| {
                let kinds: Vec<&str> = seen.open.iter().map(|(kind, _)| kind.as_str()).collect();
                seen.status == status && kinds == kind.into_iter().collect::<Vec<_>>()
            })
        })
    }

    /// The id of the open incident, when all that answer show the same.
    fn incident(&self) -> Option<String> {
        let mut ids = self.seen.iter().filter_map(|(_, seen)| seen.as_ref()).map(|seen| seen.open.first().map(|(_, id)| id.clone()));
        let first = ids.next()??;
        ids.all(|id| id.as_ref() == Some(&first)).then_some(first)
    }

    fn n(&self, to: &str, event: &str) -> usize {
        self.messages.iter().filter(|message| message.to == to && message.event == event).count()
    }
}

fn has(seen: Option<&Seen>, incident: Option<&str>) -> bool {
    seen.is_some_and(|seen| seen.open.iter().any(|(_, id)| Some(id.as_str()) == incident))
}

/// What an instance shows, in a few words.
fn words(seen: Option<&Seen>) -> String {
    let Some(seen) = seen else { return "gone".to_owned() };
    let is_regional = seen.open.iter().any(|(kind, _)| kind == "regional");
    match (seen.status.as_str(), is_regional) {
        ("up", true) => "up, regional".to_owned(),
        ("down", _) => "DOWN".to_owned(),
        ("unknown", _) => "no data yet".to_owned(),
        (other, _) => other.to_owned(),
    }
}

fn messages(n: usize) -> String {
    if n == 1 { "1 message".to_owned() } else { format!("{n} messages") }
}
