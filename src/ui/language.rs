//! What visitors read, in every language that a status page speaks.
//!
//! A language is one value of [`Phrases`]: a sentence that is missing does not compile, and plurals are the business of the language
//! that has them. Names, messages of the operators and texts of failures are shown as they are. Operators' pages, the API and JSON
//! are English.

mod english;
mod french;
mod german;
mod japanese;
mod spanish;
pub mod subscribing;

use std::time::Duration;

use crate::model::incident::Lane;
use crate::model::page::AnnouncementKind;
use crate::model::page::Language;
use crate::model::time::UnixMillis;
use crate::model::update::UpdateState;
use crate::model::verdict::Diagnosis;
use crate::model::verdict::Verdict;
use crate::ui::text;

/// How many services are how, as the sentence on top says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Down.
    pub n_down: usize,
    /// Degraded.
    pub n_degraded: usize,
    /// Unknown.
    pub n_unknown: usize,
    /// In maintenance.
    pub n_maintenance: usize,
    /// All that are not paused.
    pub n: usize,
}

/// How many days of a bar were how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayCounts {
    /// With an outage.
    pub n_down: usize,
    /// With nothing worse than a degradation.
    pub n_degraded: usize,
    /// Of which nothing is known.
    pub n_unknown: usize,
    /// With maintenance.
    pub n_maintenance: usize,
    /// All.
    pub n: usize,
}

/// What a heartbeat's verdict does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Its time has come and its grace is not over.
    Late,
    /// Nothing ever came.
    NeverPinged,
    /// Something came, and no run has finished yet.
    Waiting,
}

/// What stands before something and what after it.
pub type Around = (&'static str, &'static str);

/// Everything that a language has to say. Texts that come as an argument are in the language already, or names.
#[derive(Debug)]
pub struct Phrases {
    /// Which it is.
    pub language: Language,
    /// Between the items of a list.
    pub comma: &'static str,
    /// Between what something is and its name.
    pub colon: &'static str,
    /// Between whole and fraction of a number.
    pub decimal: char,
    /// Before the sign of a percentage.
    pub before_percent: &'static str,
    /// Seconds, minutes, hours and days after their number, with the space if there is one.
    pub units: [&'static str; 4],

    /// The page lists nothing.
    pub nothing_listed: &'static str,
    /// The newest data is too old.
    pub no_current_data: &'static str,
    /// Everything is paused.
    pub all_paused: &'static str,
    /// Everything is well.
    pub all_operational: &'static str,
    /// What is not well, when something is not, or is in maintenance.
    pub counted: fn(Counts) -> String,
    /// Everything is up, and so many of all have trouble from these regions.
    pub operational_but: fn(usize, usize, &str) -> String,
    /// Further on in a sentence: so many have trouble from these regions.
    pub and_regional: fn(usize, &str) -> String,
    /// Regions that are not named.
    pub some_regions: &'static str,
    /// Around the time of the newest data.
    pub as_of: Around,
    /// Around the time of the newest data when it is old.
    pub old_as_of: Around,
    /// Nothing was checked yet.
    pub nothing_checked: &'static str,
    /// The page could not be fetched again.
    pub not_renewed: &'static str,

    /// A state, as it stands beside a name.
    pub state: fn(Verdict) -> &'static str,
    /// So many services are in this state, as short as it goes.
    pub tally: fn(Verdict, usize) -> String,
    /// What a heartbeat's verdict does not say.
    pub detail: fn(Detail) -> &'static str,
    /// Up, and in trouble as seen from some regions.
    pub partly: &'static str,
    /// From these regions it fails.
    pub failing_from: fn(&str) -> String,
    /// From where a response time was measured.
    pub measured_from: fn(&str) -> String,
    /// Shortest and longest of the last response times.
    pub response_times: fn(&str, &str) -> String,
    /// Left end of a bar.
    pub days_ago: fn(usize) -> String,
    /// Right end of a bar.
    pub today: &'static str,
    /// What a bar shows.
    pub days_summary: fn(DayCounts) -> String,
    /// So much of the time it was up.
    pub available: fn(&str) -> String,
    /// So much of the time nothing is known.
    pub unknown_share: fn(&str) -> String,
    /// So much of the time it was in maintenance.
    pub maintenance_share: fn(&str) -> String,
    /// Nothing is known yet.
    pub no_data_yet: &'static str,
    /// The list of so many days with trouble.
    pub days_with_trouble: fn(usize) -> String,
    /// So many more days.
    pub more_days: fn(usize) -> String,
    /// Heading of what was announced and ended lately.
    pub past_announcements: &'static str,
    /// A day: nothing happened.
    pub day_fine: &'static str,
    /// A day: nothing is known.
    pub day_unknown: &'static str,
    /// A day: down for so long.
    pub day_down: fn(&str) -> String,
    /// A day: in maintenance for so long.
    pub day_maintenance: fn(&str) -> String,
    /// A day: degraded.
    pub day_degraded: &'static str,

    /// Heading of the table of regions.
    pub regions: &'static str,
    /// Heading of its first column.
    pub service: &'static str,
    /// A service is not checked from a region.
    pub not_checked_here: &'static str,
    /// So many services are in trouble as seen from a region.
    pub n_failing: fn(usize) -> String,
    /// Everything is well as seen from a region.
    pub none_failing: &'static str,
    /// The table leaves out what is well everywhere.
    pub only_troubled: &'static str,

    /// Heading of open incidents.
    pub open_incidents: &'static str,
    /// Heading of past ones.
    pub past_incidents: &'static str,
    /// There were none.
    pub no_past_incidents: &'static str,
    /// What kind of incident.
    pub lane: fn(Lane) -> &'static str,
    /// How far people have got with trouble.
    pub update_state: fn(UpdateState) -> &'static str,
    /// What was learnt from an incident.
    pub postmortem: &'static str,
    /// When it began; beside nothing else, unlike on the page.
    pub began_at: fn(&str) -> String,
    /// It has lasted so long.
    pub lasting: fn(&str) -> String,
    /// It lasted so long.
    pub lasted: fn(&str) -> String,
    /// Before a diagnosis.
    pub diagnosed: &'static str,
    /// A diagnosis, in one sentence without a full stop.
    pub diagnosis: fn(Diagnosis) -> &'static str,
    /// Something is over, in one word.
    pub over: &'static str,

    /// Before the name of a window in a calendar.
    pub maintenance: &'static str,
    /// Heading of windows that are to come.
    pub planned_maintenance: &'static str,
    /// A window is open.
    pub under_way: &'static str,
    /// A window is to come.
    pub planned: &'static str,
    /// Between the beginning and the end of a window.
    pub until: &'static str,
    /// An open window ends then.
    pub ends: fn(&str) -> String,
    /// A planned window begins then and lasts so long.
    pub begins: fn(&str, &str) -> String,
    /// What a window affects, and how many more.
    pub affects: fn(&str, usize) -> String,
    /// What kind of announcement.
    pub announcement: fn(AnnouncementKind) -> &'static str,

    /// So long ago.
    pub ago: fn(&str) -> String,
    /// In so long.
    pub in_future: fn(&str) -> String,
    /// Heading of the form that asks for a page's password.
    pub password_needed: &'static str,
    /// Its field.
    pub password: &'static str,
    /// Its button.
    pub show_page: &'static str,
    /// The password was another one.
    pub wrong_password: &'static str,
    /// The way past what stands above the services, for those who go by keys.
    pub skip: &'static str,
    /// Days are counted in UTC.
    pub days_in_utc: &'static str,
    /// Who made the page.
    pub monitored_by: &'static str,
    /// Link to the feed of incidents.
    pub feed: &'static str,
    /// Link to the calendar of maintenance.
    pub calendar: &'static str,
}

/// The phrases of a language.
#[must_use]
pub fn phrases(language: Language) -> &'static Phrases {
    match language {
        Language::English => &english::PHRASES,
        Language::German => &german::PHRASES,
        Language::French => &french::PHRASES,
        Language::Spanish => &spanish::PHRASES,
        Language::Japanese => &japanese::PHRASES,
    }
}

/// The language that `Accept-Language` asks for most; English when it asks for none of ours. Of equals the first counts.
#[must_use]
pub fn wished(accept: &str) -> Language {
    let mut best = (0, Language::English);
    for item in accept.split(',').take(WISHES_MAX) {
        let (range, parameters) = item.split_once(';').unwrap_or((item, ""));
        let Some(thousandths) = weight(parameters) else { continue };
        let code = range.trim().split('-').next().unwrap_or_default();
        let found = Language::ALL.into_iter().find(|language| language.code().eq_ignore_ascii_case(code));
        if let Some(language) = found.filter(|_| best.0 < thousandths) {
            best = (thousandths, language);
        }
    }
    best.1
}

/// More languages than that nobody asks for.
const WISHES_MAX: usize = 32;

/// `q=0.8` in thousandths; 1000 when it says nothing, `None` when it is no weight.
fn weight(parameters: &str) -> Option<u32> {
    let Some(text) = parameters.split(';').find_map(|part| part.trim().strip_prefix("q=")) else { return Some(1000) };
    let share = text.trim().parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share))?;
    // Between 0 and 1000, as just asked.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
    Some((share * 1000.0) as u32)
}

impl Phrases {
    /// A stretch of time for a glance.
    #[must_use]
    pub fn span(&self, duration: Duration) -> String {
        let seconds = duration.as_secs();
        let two = |big: u64, unit: usize, small: u64| {
            let rest = if small == 0 { String::new() } else { format!(" {small}{}", self.units[unit - 1]) };
            format!("{big}{}{rest}", self.units[unit])
        };
        match seconds {
            0..60 => format!("{seconds}{}", self.units[0]),
            60..3600 => format!("{}{}", seconds / 60, self.units[1]),
            3600..86_400 => two(seconds / 3600, 2, seconds % 3600 / 60),
            86_400.. => two(seconds / 86_400, 3, seconds % 86_400 / 3600),
        }
    }

    /// How far away a point in time is.
    #[must_use]
    pub fn distance(&self, at: UnixMillis, now: UnixMillis) -> String {
        if now < at { (self.in_future)(&self.span(at.since(now))) } else { (self.ago)(&self.span(now.since(at))) }
    }

    /// A share as a percentage, cut and never rounded up.
    #[must_use]
    pub fn percent(&self, share: f64) -> String {
        text::percent(share).replace('.', &self.decimal.to_string()).replace(" %", &format!("{}%", self.before_percent))
    }

    /// A response time.
    #[must_use]
    pub fn latency(&self, took: Duration) -> String {
        // Milliseconds and seconds are written alike everywhere, but for the fraction.
        text::latency(took).replace('.', &self.decimal.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_get_the_language_they_ask_for_most() {
        for (accept, expected) in [
            ("", Language::English),
            ("de", Language::German),
            ("de-AT,de;q=0.9,en;q=0.8", Language::German),
            ("nl, fr;q=0.5, es;q=0.7", Language::Spanish),
            ("JA-jp", Language::Japanese),
            ("de;q=0, en;q=0.1", Language::English),
            ("pt-BR, *;q=0.5", Language::English),
            ("fr;q=x, es;q=0.2", Language::Spanish),
            ("fr;q=7, de;q=nan, es;q=-1", Language::English),
            ("en, de", Language::English),
            ("den, frr", Language::English),
        ] {
            assert_eq!(wished(accept), expected, "{accept}");
        }
        assert_eq!(wished(&"xx,".repeat(10_000)), Language::English);
    }

    /// What a language says of the usual cases, one line each.
    fn said(language: Language) -> String {
        let p = phrases(language);
        let counts = |n_down, n_degraded, n_unknown, n_maintenance, n| Counts { n_down, n_degraded, n_unknown, n_maintenance, n };
        let mut lines: Vec<String> = [
            counts(1, 0, 0, 0, 1),
            counts(1, 0, 0, 0, 12),
            counts(3, 2, 0, 1, 12),
            counts(0, 1, 0, 0, 12),
            counts(0, 0, 2, 0, 12),
            counts(0, 0, 0, 1, 12),
            counts(0, 0, 0, 12, 12),
            counts(0, 0, 0, 1, 1),
        ]
        .map(p.counted)
        .into();
        lines.extend([
            (p.operational_but)(1, 12, "eu"),
            (p.operational_but)(2, 12, "eu"),
            (p.and_regional)(1, "eu"),
            (p.and_regional)(2, "eu"),
        ]);
        lines.extend(Verdict::ALL.map(|state| format!("{} / {} / {}", (p.state)(state), (p.tally)(state, 1), (p.tally)(state, 2))));
        lines.extend([
            (p.days_ago)(1),
            (p.days_ago)(90),
            (p.days_with_trouble)(1),
            (p.days_with_trouble)(3),
            (p.more_days)(1),
            (p.more_days)(2),
        ]);
        lines.push((p.days_summary)(DayCounts { n_down: 1, n_degraded: 2, n_unknown: 0, n_maintenance: 3, n: 90 }));
        lines.extend([p.percent(0.99987), p.percent(1.0), p.span(Duration::from_secs(7500)), p.latency(Duration::from_millis(2400))]);
        lines.extend([p.distance(UnixMillis(0), UnixMillis(180_000)), p.distance(UnixMillis(90_000_000), UnixMillis(0))]);
        lines.extend([(p.affects)("a", 0), (p.affects)("a", 1), (p.affects)("a", 4), (p.n_failing)(1), (p.n_failing)(2)]);
        lines.join("\n")
    }

    #[test]
    fn every_language_says_it_in_its_own_words() {
        for language in Language::ALL {
            assert_eq!(phrases(language).language, language);
            insta::assert_snapshot!(format!("language_{}", language.code()), said(language));
        }
    }
}
