//! How many of those that wait have their names in one message to a channel. Pure.
//!
//! It is found by writing the message: how much room there is depends on the markup, on links and on how long each name is once it is escaped,
//! and only a kind itself knows where it puts what.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use crate::model::channel::Channel;
use crate::model::notification::Notification;
use crate::model::time::UnixMillis;
use crate::notifier::bundle;
use crate::notifier::compose::Message;
use crate::notifier::email;
use crate::notifier::kind::Way;
use crate::notifier::kind::way;
use crate::notifier::merge::Telling;
use crate::notifier::payload::Links;

/// Where one message does not name at least so many, several of them do not name all of a storm either: text messages have room for a
/// handful, and cost by their length.
const WORTH: usize = 20;

/// Counts the messages of a bundle whose name had no room.
#[derive(Debug)]
pub struct Unnamed(AtomicUsize);

impl Unnamed {
    fn new() -> Unnamed {
        Unnamed(AtomicUsize::new(usize::MAX))
    }

    /// Takes down how many had no room in one place. Of several places, such as a text with markup and one without, the roomiest counts.
    pub fn note(&self, n: usize) {
        self.0.fetch_min(n, Ordering::Relaxed);
    }

    /// Whether all are named. A kind that lists none has all of them in another form.
    fn is_none(&self) -> bool {
        matches!(self.0.load(Ordering::Relaxed), 0 | usize::MAX)
    }
}

/// How many of these messages, the first ones, go into one so that all of them are named.
#[must_use]
pub fn fitting(tellings: &[Telling], channel: &Channel, links: &Links, now: UnixMillis) -> usize {
    let fits = |n: usize| names_all(&bundle::of(&tellings[..n]), channel, links, now);
    if tellings.len() <= WORTH || fits(tellings.len()) {
        return tellings.len();
    }
    if !fits(WORTH) {
        return tellings.len();
    }
    let (mut most, mut too_many) = (WORTH, tellings.len());
    while 1 < too_many - most {
        let middle = usize::midpoint(most, too_many);
        if fits(middle) { most = middle } else { too_many = middle }
    }
    most
}

/// Whether a message to this channel names all that it tells.
fn names_all(notification: &Notification, channel: &Channel, links: &Links, now: UnixMillis) -> bool {
    let unnamed = Unnamed::new();
    let message = Message { notification, on: &channel.on, links, now, first: None, unnamed: Some(&unnamed) };
    // One that cannot be written is refused when it is sent, whatever is in it.
    match way(&channel.spec) {
        Way::Http(kind) => _ = kind.next(&message, &[]),
        Way::Mail(spec) => _ = email::mail(spec, &message),
        // It gets all of them as data.
        Way::Program(_) => {}
    }
    unnamed.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::channel::ChannelSpec;
    use crate::model::channel::spec::TwilioSpec;
    use crate::model::id::MonitorId;
    use crate::model::secret::Secret;
    use crate::notifier::merge::Row;
    use crate::notifier::samples;

    fn tellings(n: usize) -> Vec<Telling> {
        let telling = |n: usize| {
            let mut facts = samples::facts();
            facts.monitor = MonitorId::parse(&format!("m{n}")).expect("an id");
            facts.monitor_name = format!("a shop whose name is long, no. {n:03}");
            let notification = Notification { key: format!("key {n}"), ..samples::notification(facts) };
            let row = Row { id: 1, n_attempts: 0, owed_since: notification.at, notification: notification.clone() };
            Telling { notification, rows: vec![row], told: 0, opening: None, remaining: Vec::new(), is_overtaken: false }
        };
        (0..n).map(telling).collect()
    }

    fn fitting_of(n: usize, spec: ChannelSpec) -> usize {
        let now = samples::TEN_TWENTY_THREE;
        fitting(&tellings(n), &samples::channel("chat", spec), &samples::links(), now)
    }

    #[test]
    fn as_many_as_are_named_go_into_one() {
        let ntfy = || ChannelSpec::Ntfy(samples::ntfy());
        assert_eq!(fitting_of(90, ntfy()), 90, "names have room");
        let n = fitting_of(200, ntfy());
        assert!((90..110).contains(&n), "{n}");
        let (links, tellings) = (samples::links(), tellings(200));
        let channel = samples::channel("chat", ntfy());
        for (n, expected) in [(n, true), (n + 1, false)] {
            assert_eq!(names_all(&bundle::of(&tellings[..n]), &channel, &links, samples::TEN_TWENTY_THREE), expected, "{n}");
        }
    }

    #[test]
    fn what_has_them_as_data_or_has_room_for_a_few_only_gets_one() {
        assert_eq!(fitting_of(250, ChannelSpec::Webhook(samples::webhook("https://hooks.example.com/x"))), 250);
        assert_eq!(fitting_of(250, ChannelSpec::Email(samples::mail_to("mail.example.com"))), 250);
        let twilio = TwilioSpec {
            account_sid: "AC00000000000000000000000000000000".to_owned(),
            auth_token: Secret::new("token"),
            from: "+15005550006".to_owned(),
            to: "+15005550001".to_owned(),
            api_url: "https://api.twilio.com".to_owned(),
        };
        assert_eq!(fitting_of(250, ChannelSpec::Twilio(twilio)), 250, "ten text messages for one storm would be many");
    }
}
