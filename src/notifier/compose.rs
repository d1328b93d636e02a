//! What every channel says, in whatever markup its service has: title, sentence, details, evidence, links. Pure.
//!
//! A channel kind takes these pieces and puts them where its service wants them. So all channels say the same, and a new piece of
//! knowledge reaches all of them.

use std::collections::BTreeSet;

use data_encoding::HEXLOWER;
use ring::digest;

use crate::model::id::MonitorId;
use crate::model::incident::Lane;
use crate::model::notification::Again;
use crate::model::notification::EventKind;
use crate::model::notification::IncidentFacts;
use crate::model::notification::Notification;
use crate::model::notification::ServiceId;
use crate::model::notification::Subject;
use crate::model::time::UnixMillis;
use crate::model::verdict::Verdict;
use crate::notifier::bundle;
use crate::notifier::escape;
use crate::notifier::payload::Links;
use crate::notifier::payload::Payload;
use crate::notifier::payload::SENT_BY;
use crate::notifier::room::Unnamed;
use crate::notifier::shorten::Escape;
use crate::notifier::shorten::Limit;
use crate::notifier::shorten::Lines;
use crate::notifier::shorten::within;
use crate::notifier::text;

/// Room for one text before escaping.
const TEXT_BYTES_MAX: usize = 8192;

/// Share of a message that one detail may take, in whatever the service counts.
const VALUE_MAX: usize = 900;

/// Addresses that are longer are left out: Discord refuses a whole message for one of more than 2048, and no other service of those that
/// are known takes less. One that was cut when the texts were shortened is longer as well.
const URL_BYTES_MAX: usize = 2000;

/// Share of a message that the sentence may take.
const SENTENCE_SHARE: usize = 2;

/// Bytes of a digest that make a short key: enough that no two monitors of the world share it by chance.
const SHORT_KEY_BYTES: usize = 12;

/// What keys of alarms begin with.
const ALARM: &str = "vigilmon:";

/// The monitor whose alarm has this key, if it is one of [`Message::alarm`]'s.
#[must_use]
pub fn monitor_of(alarm: &str) -> Option<MonitorId> {
    MonitorId::parse(alarm.strip_prefix(ALARM)?).ok()
}

/// How bad the news is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Something is down.
    Bad,
    /// Something is not as it should be.
    Warning,
    /// Something is fine again.
    Good,
    /// Nothing to be glad or worried about.
    Neutral,
}

impl Tone {
    /// The bar or icon beside the message; the words say the same, so nothing hangs on the colour.
    #[must_use]
    pub fn colour(self) -> &'static str {
        match self {
            Tone::Bad => "#c62828",
            Tone::Warning => "#f9a825",
            Tone::Good => "#2e7d32",
            Tone::Neutral => "#546e7a",
        }
    }

    /// The colour as a number.
    #[must_use]
    pub fn colour_number(self) -> u32 {
        match self {
            Tone::Bad => 0x00c6_2828,
            Tone::Warning => 0x00f9_a825,
            Tone::Good => 0x002e_7d32,
            Tone::Neutral => 0x0054_6e7a,
        }
    }

    /// A sign for lists of messages, where there is no colour.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Tone::Bad => "🔴",
            Tone::Warning => "🟠",
            Tone::Good => "🟢",
            Tone::Neutral => "⚪",
        }
    }
}

/// What the message does to the alarm that other systems keep of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It opens, or goes on.
    Firing,
    /// It is over.
    Over,
    /// There is none to close, or nothing will close it: the message is about vigilmon itself and says all there is to say.
    Notice,
}

/// One message on its way to a channel, with what it is made of.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// What to say.
    pub notification: &'a Notification,
    /// What the channel hears about.
    pub on: &'a BTreeSet<EventKind>,
    /// For addresses of our own pages.
    pub links: &'a Links,
    /// The time of the attempt.
    pub now: UnixMillis,
    /// What the service calls the message that told of the incident first, when this one follows it and that is known.
    pub first: Option<&'a ServiceId>,
    /// Takes down how many of a bundle had no room for their names, when somebody wants to know.
    pub unnamed: Option<&'a Unnamed>,
}

impl<'a> Message<'a> {
    /// The fields, shortened to what any channel has room for.
    #[must_use]
    pub fn payload(&self) -> Payload {
        Payload::new(self.notification, self.links, TEXT_BYTES_MAX)
    }

    /// The incident; `None` when it is about vigilmon itself, or about many.
    #[must_use]
    pub fn facts(&self) -> Option<&'a IncidentFacts> {
        match &self.notification.subject {
            Subject::Incident(facts) | Subject::Passed(facts) => Some(facts),
            Subject::SelfNotice { .. } | Subject::Bundle(_) => None,
        }
    }

    /// Nobody is at work on it any more, or the time of a snooze is over: whoever was acknowledged to has to be called again.
    #[must_use]
    pub fn calls_again(&self) -> bool {
        self.notification.event == EventKind::Reminder
            && self.facts().is_some_and(|facts| matches!(facts.alert.again, Some(Again::SnoozeOver | Again::Withdrawn)))
    }

    /// The messages that are told in this one; none when it is about one thing.
    #[must_use]
    pub fn parts(&self) -> &'a [Notification] {
        match &self.notification.subject {
            Subject::Bundle(parts) => parts,
            Subject::Incident(_) | Subject::Passed(_) | Subject::SelfNotice { .. } => &[],
        }
    }

    /// How bad it is.
    #[must_use]
    pub fn tone(&self) -> Tone {
        if let Subject::Bundle(parts) = &self.notification.subject {
            return bundle::tone(parts);
        }
        let Some(facts) = self.facts() else { return Tone::Warning };
        match self.notification.event {
            EventKind::Down => Tone::Bad,
            EventKind::Degraded | EventKind::Regional | EventKind::Certificate | EventKind::SelfNotice => Tone::Warning,
            EventKind::Acknowledged => Tone::Neutral,
            EventKind::Reminder if facts.lane == Lane::Regional => Tone::Warning,
            EventKind::Recovered | EventKind::Reminder => match facts.status {
                Verdict::Up => Tone::Good,
                Verdict::Degraded => Tone::Warning,
                Verdict::Down => Tone::Bad,
                Verdict::Unknown | Verdict::Paused | Verdict::Maintenance => Tone::Neutral,
            },
        }
    }

    /// What becomes of the alarm. An outage that turned into a degradation leaves it open for a channel that hears about
    /// degradations, because that channel will hear of their end; for every other channel it is over.
    #[must_use]
    pub fn phase(&self) -> Phase {
        let Some(facts) = self.facts() else {
            // Only a test message has an end.
            let is_end = self.notification.event == EventKind::Recovered;
            let is_self = matches!(self.notification.subject, Subject::SelfNotice { .. });
            return if is_end && is_self { Phase::Over } else { Phase::Notice };
        };
        let hears_of_the_rest = self.on.contains(&EventKind::Degraded) || self.on.contains(&EventKind::Certificate);
        match self.notification.event {
            EventKind::Recovered if facts.status == Verdict::Degraded && hears_of_the_rest => Phase::Firing,
            EventKind::Recovered => Phase::Over,
            EventKind::Down
            | EventKind::Degraded
            | EventKind::Regional
            | EventKind::Reminder
            | EventKind::Acknowledged
            | EventKind::Certificate
            | EventKind::SelfNotice => Phase::Firing,
        }
    }

    /// Key of the alarm in other systems. It is the monitor's and not the incident's: when a degradation becomes an outage, its
    /// incident ends without a message of its own, and an alarm with the incident's key would stay open for ever.
    #[must_use]
    pub fn alarm(&self) -> String {
        match self.facts() {
            Some(facts) => format!("{ALARM}{}", facts.monitor),
            None => format!("{ALARM}{}", self.notification.key),
        }
    }

    /// What a button in the message carries: it names the incident and the channel, and nobody else can make it.
    #[must_use]
    pub fn act_token(&self) -> Option<String> {
        self.links.act_token(self.notification, self.facts()?)
    }

    /// The same for systems that take only a few letters and digits.
    #[must_use]
    pub fn alarm_short(&self) -> String {
        let sum = digest::digest(&digest::SHA256, self.alarm().as_bytes());
        format!("vigilmon-{}", HEXLOWER.encode(&sum.as_ref()[..SHORT_KEY_BYTES]))
    }

    /// A few words for a headline, without markup.
    #[must_use]
    pub fn title(&self) -> String {
        if let Subject::Bundle(parts) = &self.notification.subject {
            return bundle::headline(parts);
        }
        let payload = self.payload();
        let name = &payload.monitor_name;
        let Some(facts) = self.facts() else { return format!("{name}: {}", payload.cause) };
        let word = match self.notification.event {
            _ if matches!(self.notification.subject, Subject::Passed(_)) => match facts.lane {
                Lane::Outage => "Was DOWN",
                Lane::Degradation => "Was degraded",
                Lane::Regional => "Was DOWN from some regions",
            },
            EventKind::Down => "DOWN",
            EventKind::Degraded => "Degraded",
            EventKind::Regional => "DOWN from some regions",
            EventKind::Certificate => "Certificate",
            EventKind::Reminder => match facts.status {
                Verdict::Down => "Still DOWN",
                Verdict::Degraded => "Still degraded",
                Verdict::Up | Verdict::Unknown | Verdict::Paused | Verdict::Maintenance => "Still DOWN from some regions",
            },
            EventKind::Acknowledged => "Acknowledged",
            EventKind::SelfNotice => "Notice",
            EventKind::Recovered => match facts.status {
                Verdict::Up => "Up",
                Verdict::Degraded => "Degraded",
                Verdict::Down => "DOWN",
                Verdict::Unknown | Verdict::Paused | Verdict::Maintenance => "Closed",
            },
        };
        format!("{word}: {name}")
    }

    /// The address to open first, if it is one that a browser should open.
    #[must_use]
    pub fn click(&self) -> Option<String> {
        let payload = self.payload();
        [payload.links.incident, payload.runbook].into_iter().flatten().find(|url| is_web(url))
    }

    /// Labels and addresses to read on.
    #[must_use]
    pub fn pointers(&self) -> Vec<(&'static str, String)> {
        let payload = self.payload();
        let links = payload.links;
        let incident = if self.parts().is_empty() { "Incident" } else { "Incidents" };
        let pages = [(incident, links.incident), ("Monitor", links.monitor), ("Runbook", payload.runbook)];
        let all = pages.into_iter().chain([("Acknowledge", links.acknowledge), ("Silence", links.silence)]);
        all.filter_map(|(label, url)| Some((label, url.filter(|url| is_web(url))?))).collect()
    }

    /// Labels and values of what is known besides the sentence.
    #[must_use]
    pub fn details(&self) -> Vec<(&'static str, String)> {
        if self.facts().is_none() {
            return Vec::new();
        }
        let payload = self.payload();
        // With one voter there is nothing to agree about.
        let votes = payload.quorum.filter(|quorum| 1 < quorum.voters);
        let all = [
            ("Target", payload.url),
            ("Failing from", payload.regions_failing.join(", ")),
            ("Fine from", payload.regions_fine.join(", ")),
            ("No word from", payload.regions_unknown.join(", ")),
            ("Votes", votes.map(|quorum| format!("{} of {} count", quorum.counted, quorum.voters)).unwrap_or_default()),
            ("Diagnosis", payload.diagnosis_text.unwrap_or_default().to_owned()),
        ];
        all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
    }

    /// Who says it and about which incident, for the end of a message.
    #[must_use]
    pub fn footer(&self) -> String {
        let payload = self.payload();
        let incident = payload.incident_id.as_deref().map(|id| format!(" · incident {id}")).unwrap_or_default();
        format!("{SENT_BY} · {}{incident}", payload.event)
    }

    /// What a person reads first: the sentence, or what the many have in common.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self.parts() {
            [] => self.payload().text,
            parts => text::once_more(bundle::headline(parts), self.notification),
        }
    }

    /// The whole message in some markup: the sentence, the details, the evidence and the links, each on a line of its own.
    #[must_use]
    pub fn text(&self, markup: &Markup, limit: Limit) -> String {
        let first = within(&self.sentence(), limit.at_most(limit.max / SENTENCE_SHARE), markup.escape);
        self.with_lines(first, markup, limit)
    }

    /// The same as it stands in place of the message that began it, once it is over: with the beginning and the cause, which would be gone.
    #[must_use]
    pub fn text_over(&self, markup: &Markup, limit: Limit) -> String {
        let first = within(&text::over(self.notification), limit.at_most(limit.max / SENTENCE_SHARE), markup.escape);
        self.with_lines(first, markup, limit)
    }

    /// The same without the sentence, for services that have a place of its own for that.
    #[must_use]
    pub fn text_below(&self, markup: &Markup, limit: Limit) -> String {
        self.with_lines(String::new(), markup, limit)
    }

    fn with_lines(&self, first: String, markup: &Markup, limit: Limit) -> String {
        let links = self.link_line(markup, limit);
        // What is left out of a bundle is behind the link, so that has its room before the rest.
        let taken = [&first, &links].into_iter().filter(|_| !self.parts().is_empty());
        let taken: usize = taken.map(|line| limit.unit.of(line) + limit.unit.of(markup.line_break)).sum();
        // The sentence about vigilmon itself has all of its evidence in it.
        let is_said = !first.is_empty() && self.facts().is_none() && self.parts().is_empty();
        let details = if is_said { Vec::new() } else { self.detail_lines(markup, limit.at_most(limit.max.saturating_sub(taken))) };
        let mut lines = Lines::new(limit, markup.line_break);
        for line in [first].iter().chain(&details).chain([&links]) {
            lines.push(line);
        }
        lines.done()
    }

    /// The details and the evidence; of many messages a line for each, as far as `limit` allows.
    #[must_use]
    pub fn detail_lines(&self, markup: &Markup, limit: Limit) -> Vec<String> {
        if let Subject::Bundle(parts) = &self.notification.subject {
            let (lines, n_unnamed) = bundle::lines(parts, markup, limit);
            self.unnamed.inspect(|unnamed| unnamed.note(n_unnamed));
            return lines;
        }
        let room = limit.at_most(VALUE_MAX);
        let (open, close) = markup.bold;
        let mut lines: Vec<String> = self
            .details()
            .into_iter()
            .map(|(label, value)| format!("{open}{label}:{close} {}", within(&value, room, markup.escape)))
            .collect();
        let evidence = self.payload().evidence;
        if !evidence.is_empty() {
            let (open, close) = markup.code;
            lines.push(format!("{open}{}{close}", within(&evidence, room, markup.code_escape)));
        }
        lines
    }

    /// The links. One that is too long is left out, because half an address leads elsewhere.
    #[must_use]
    pub fn link_line(&self, markup: &Markup, limit: Limit) -> String {
        let links = self.pointers().into_iter().map(|(label, url)| (markup.link)(label, &url));
        let fitting: Vec<String> = links.filter(|link| limit.unit.of(link) <= limit.max.min(VALUE_MAX)).collect();
        fitting.join(markup.between_links)
    }
}

/// Whether a browser should open it, and every service takes it.
#[must_use]
pub fn is_web(url: &str) -> bool {
    (url.starts_with("https://") || url.starts_with("http://")) && url.len() <= URL_BYTES_MAX
}

/// How a service wants texts to be marked up.
#[derive(Debug, Clone, Copy)]
pub struct Markup {
    /// For values.
    pub escape: Escape,
    /// Around labels.
    pub bold: (&'static str, &'static str),
    /// Around the evidence.
    pub code: (&'static str, &'static str),
    /// For the evidence.
    pub code_escape: Escape,
    /// A label and its address.
    pub link: fn(&str, &str) -> String,
    /// Between links.
    pub between_links: &'static str,
    /// Between lines.
    pub line_break: &'static str,
}

/// No markup at all.
pub const PLAIN: Markup = Markup {
    escape: escape::plain,
    bold: ("", ""),
    code: ("", ""),
    code_escape: escape::plain,
    link: |label, url| format!("{label}: {url}"),
    between_links: "\n",
    line_break: "\n",
};

/// Markdown as most chat servers read it. The line breaks are hard ones.
pub const MARKDOWN: Markup = Markup {
    escape: escape::markdown,
    bold: ("**", "**"),
    code: ("`", "`"),
    code_escape: escape::code,
    link: |label, url| format!("[{label}]({})", quoted(url)),
    between_links: " · ",
    line_break: "  \n",
};

/// Markdown where nothing can be escaped.
pub const GAPPED: Markup = Markup { escape: escape::gapped, line_break: "\n", ..MARKDOWN };

/// What Home Assistant reads.
pub const HOME_ASSISTANT: Markup =
    Markup { escape: escape::home_assistant, bold: ("", ""), code: ("", ""), code_escape: escape::home_assistant, ..PLAIN };

/// Google Chat's own markup.
pub const GOOGLE_CHAT: Markup = Markup {
    escape: escape::google_chat,
    bold: ("*", "*"),
    code: ("", ""),
    code_escape: escape::google_chat,
    link: |label, url| format!("<{}|{label}>", quoted(url)),
    between_links: " · ",
    line_break: "\n",
};

/// The few tags that Telegram takes.
pub const TELEGRAM: Markup = Markup { escape: escape::telegram, line_break: "\n", ..HTML };

/// The HTML that chat servers and mail programs take.
pub const HTML: Markup = Markup {
    escape: escape::html,
    bold: ("<b>", "</b>"),
    code: ("<code>", "</code>"),
    code_escape: escape::html,
    link: |label, url| {
        let mut address = String::new();
        quoted(url).chars().for_each(|c| escape::html(c, &mut address));
        format!("<a href=\"{address}\">{label}</a>")
    },
    between_links: " · ",
    line_break: "<br>\n",
};

/// Slack's own markup.
pub const SLACK: Markup = Markup {
    escape: escape::slack,
    bold: ("*", "*"),
    code: ("`", "`"),
    code_escape: escape::slack_code,
    link: |label, url| format!("<{}|{label}>", quoted(url).replace('&', "&amp;")),
    between_links: " · ",
    line_break: "\n",
};

/// An address without the characters that would end it in some markup.
fn quoted(url: &str) -> String {
    let mut out = String::with_capacity(url.len());
    for c in url.chars() {
        match c {
            '<' => out.push_str("%3C"),
            '>' => out.push_str("%3E"),
            '|' => out.push_str("%7C"),
            ' ' => out.push_str("%20"),
            '"' => out.push_str("%22"),
            '(' => out.push_str("%28"),
            ')' => out.push_str("%29"),
            '[' => out.push_str("%5B"),
            ']' => out.push_str("%5D"),
            '`' => out.push_str("%60"),
            '\\' => out.push_str("%5C"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notifier::samples;
    use crate::notifier::shorten::Unit;

    #[test]
    fn every_event_has_its_title_tone_and_phase() {
        use EventKind::Certificate;
        use EventKind::Degraded;
        use EventKind::Down;
        use EventKind::Recovered;
        use EventKind::Regional;
        use EventKind::Reminder;
        for (event, status, expected) in [
            (Down, Verdict::Down, "DOWN: x Bad Firing"),
            (Degraded, Verdict::Degraded, "Degraded: x Warning Firing"),
            (Regional, Verdict::Up, "DOWN from some regions: x Warning Firing"),
            (Reminder, Verdict::Down, "Still DOWN: x Bad Firing"),
            (Reminder, Verdict::Degraded, "Still degraded: x Warning Firing"),
            (Certificate, Verdict::Degraded, "Certificate: x Warning Firing"),
            (Recovered, Verdict::Up, "Up: x Good Over"),
            (Recovered, Verdict::Degraded, "Degraded: x Warning Firing"),
            (Recovered, Verdict::Unknown, "Closed: x Neutral Over"),
        ] {
            let mut facts = samples::facts();
            (facts.monitor_name, facts.status) = ("x".to_owned(), status);
            let notification = Notification { event, ..samples::notification(facts) };
            let world = samples::World::new(notification);
            let message = world.message();
            assert_eq!(format!("{} {:?} {:?}", message.title(), message.tone(), message.phase()), expected);
        }
        let world = samples::World::new(samples::self_notice());
        let message = world.message();
        assert_eq!(format!("{} {:?}", message.title(), message.phase()), "vigilmon: the new config is not valid Notice");
    }

    #[test]
    fn an_outage_that_became_a_degradation_is_over_for_who_does_not_hear_about_those() {
        let mut world = samples::World::recovered(Verdict::Degraded);
        assert_eq!(world.message().phase(), Phase::Firing);
        world.on = BTreeSet::from([EventKind::Down, EventKind::Recovered]);
        assert_eq!(world.message().phase(), Phase::Over);
    }

    #[test]
    fn the_alarm_is_the_monitors_whatever_the_incident() {
        let mut facts = samples::facts();
        facts.incident = crate::model::id::IncidentId::from_derived("another");
        let (one, other) = (samples::World::down(), samples::World::new(samples::notification(facts)));
        assert_eq!(one.message().alarm(), "vigilmon:prod-us-api-health");
        assert_eq!(one.message().alarm_short(), other.message().alarm_short());
        assert_eq!(one.message().alarm_short().len(), 33);
        assert!(one.message().alarm_short().chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
    }

    #[test]
    fn every_markup_stays_within_every_limit_and_says_the_sentence_first() {
        let world = samples::World::hostile();
        for (markup, sign) in [(PLAIN, "<@"), (MARKDOWN, "\\<@"), (HTML, "&lt;@"), (SLACK, "&lt;@")] {
            for unit in [Unit::Chars, Unit::Utf16, Unit::Bytes] {
                for max in [160, 1024, 4096, 40_000] {
                    let text = world.message().text(&markup, Limit { max, unit });
                    assert!(unit.of(&text) <= max, "{unit:?} {max}");
                    assert!(text.starts_with(sign), "{text}");
                }
            }
        }
    }

    #[test]
    fn links_cannot_break_out_and_only_web_addresses_are_links() {
        let mut facts = samples::facts();
        facts.runbook = Some("https://x.example/)](javascript:1)\"><b>|!channel>".to_owned());
        let world = samples::World::new(samples::notification(facts));
        let message = world.message();
        for (markup, expected) in [
            (MARKDOWN, "[Runbook](https://x.example/%29%5D%28javascript:1%29%22%3E%3Cb%3E%7C!channel%3E)"),
            (HTML, "<a href=\"https://x.example/%29%5D%28javascript:1%29%22%3E%3Cb%3E%7C!channel%3E\">Runbook</a>"),
        ] {
            let line = message.link_line(&markup, Limit::chars(4000));
            assert!(line.contains(expected), "{line}");
        }
        let mut facts = samples::facts();
        for unusable in ["javascript:alert(1)".to_owned(), format!("https://x.example/{}", "r".repeat(URL_BYTES_MAX))] {
            facts.runbook = Some(unusable);
            let mut world = samples::World::new(samples::notification(facts.clone()));
            assert!(world.message().pointers().iter().all(|(label, _)| *label != "Runbook"));
            world.links = Links::new(&crate::config::Server { public_url: None, ..samples::server() });
            assert_eq!(world.message().click(), None, "the runbook is no address to open");
        }
    }
}
