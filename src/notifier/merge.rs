//! What waits is said once: which of the messages that stand in line for one monitor are told in one. Pure.
//!
//! - An opening whose end waits as well: "was down from 12:00 to 12:07". At once when nobody can have heard of the opening: it was never tried by
//!   itself, or every attempt was refused or never got through; when one had no answer, so that it may have arrived, after [`MERGE_AFTER`].
//! - Reminders: only the newest. Behind an opening, or before an end, they have nothing to add; nor has, before an end, who is at work on it.
//! - A degradation that became an outage before anybody was told of it: only the outage.
//!
//! Nobody gets an end without its beginning: where the beginning was given up, the end tells of it. The order of a monitor's messages
//! stays as it is, because only neighbours in its line are told together. Channels that open something at a service and end it later get
//! every beginning and every end, in order, so that what they opened is what was: there is nothing to end where nothing was opened, and
//! that it was down shall be on record all the same.

use std::time::Duration;

use crate::model::incident::Lane;
use crate::model::notification::EventKind;
use crate::model::notification::IncidentFacts;
use crate::model::notification::Notification;
use crate::model::notification::Opening;
use crate::model::notification::Subject;
use crate::model::time::UnixMillis;
use crate::notifier::kind::Manner;
use crate::store::OutboxRow;

/// How old an opening that may have arrived must be to be told together with its end. Until then a repeat of it is more likely to be right than
/// wrong: most channels that fail are back within minutes, and then both are told one after the other.
pub const MERGE_AFTER: Duration = Duration::from_secs(600);

/// What is told in one, of one monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telling {
    /// The message. Its key is that of one of the rows.
    pub notification: Notification,
    /// All rows that it tells, in order; the first one was claimed, and attempts are counted by it.
    pub rows: Vec<Row>,
    /// Which of them has the message's key.
    pub told: usize,
    /// The message that told of the incident first, when this one follows it.
    pub opening: Option<Opening>,
    /// Of several recipients those that are still to be told; none when it is to be told as a whole.
    pub remaining: Vec<String>,
    /// Something newer about the same waits, and the remaining ones are asked for the last time.
    pub is_overtaken: bool,
}

/// A row that is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub id: i64,
    /// Attempts before this one.
    pub n_attempts: u32,
    /// Since when it is owed.
    pub owed_since: UnixMillis,
    /// Its message as it was decided.
    pub notification: Notification,
}

/// What is told of a row that was claimed and of those behind it.
#[must_use]
pub fn telling(mut claimed: OutboxRow, manner: Manner, now: UnixMillis) -> Telling {
    let (remaining, is_overtaken) = (std::mem::take(&mut claimed.remaining), claimed.is_overtaken);
    if !remaining.is_empty() {
        // Others have it as it is.
        claimed.behind.clear();
    }
    let is_opening_lost = claimed.is_opening_lost && manner == Manner::Together;
    let opening = claimed.opening;
    let rows = std::iter::once(row(claimed.id, claimed.n_attempts, claimed.owed_since, claimed.notification));
    let behind = claimed.behind.into_iter().map(|behind| row(behind.id, behind.n_attempts, behind.owed_since, behind.notification));
    let mut rows: Vec<Row> = rows.chain(behind).collect();
    let choice = choose(&rows, manner, now);
    rows.truncate(choice.n_rows);
    let mut notification = rows[choice.told].notification.clone();
    if let Subject::Incident(facts) = &notification.subject
        && (choice.is_passed || is_opening_lost && notification.event == EventKind::Recovered)
    {
        notification.subject = Subject::Passed(facts.clone());
    }
    Telling { notification, rows, told: choice.told, opening, remaining, is_overtaken }
}

fn row(id: i64, n_attempts: u32, owed_since: UnixMillis, notification: Notification) -> Row {
    Row { id, n_attempts, owed_since, notification }
}

/// How many rows, counted from the first, are told in one; which of them is told; and whether as something that has passed.
struct Choice {
    n_rows: usize,
    told: usize,
    is_passed: bool,
}

impl Choice {
    fn last_of(n_rows: usize) -> Choice {
        Choice { n_rows, told: n_rows - 1, is_passed: false }
    }
}

/// `rows` is never empty.
fn choose(rows: &[Row], manner: Manner, now: UnixMillis) -> Choice {
    let first = &rows[0];
    let Some(facts) = facts(first) else { return Choice::last_of(1) };
    let same = |row: &&Row| self::facts(row).is_some_and(|other| other.incident == facts.incident);
    let n_same = rows.iter().take_while(same).count();
    let end = rows[..n_same].iter().position(|row| row.notification.event == EventKind::Recovered);
    let n_reminders = rows[1..n_same].iter().take_while(|row| row.notification.event == EventKind::Reminder).count();
    if !first.notification.event.opens() {
        return Choice::last_of(match first.notification.event {
            EventKind::Reminder => end.map_or(1 + n_reminders, |end| end + 1),
            // Who is at work on something that is over has nothing to do any more.
            EventKind::Acknowledged => end.map_or(1, |end| end + 1),
            EventKind::Down
            | EventKind::Degraded
            | EventKind::Recovered
            | EventKind::Regional
            | EventKind::Certificate
            | EventKind::SelfNotice => 1,
        });
    }
    if let Some(end) = end.filter(|_| manner == Manner::Together && may_wait(first, now)) {
        return Choice { is_passed: true, ..Choice::last_of(end + 1) };
    }
    let worse = rows.get(n_same).filter(|next| end.is_none() && is_worse(facts, next) && may_wait(first, now));
    if worse.is_some() {
        let rest = choose(&rows[n_same..], manner, now);
        return Choice { n_rows: n_same + rest.n_rows, told: n_same + rest.told, is_passed: rest.is_passed };
    }
    Choice { n_rows: 1 + n_reminders, told: 0, is_passed: false }
}

/// Whether `opening` need not be told by itself any more: nobody can have heard of it, other than together with what waits behind it, or long
/// ago.
fn may_wait(opening: &Row, now: UnixMillis) -> bool {
    !opening.notification.may_be_repeat || MERGE_AFTER <= now.since(opening.notification.at)
}

/// Whether the degradation became this outage.
fn is_worse(degradation: &IncidentFacts, next: &Row) -> bool {
    degradation.lane == Lane::Degradation && next.notification.event == EventKind::Down && facts(next).is_some()
}

fn facts(row: &Row) -> Option<&IncidentFacts> {
    match &row.notification.subject {
        Subject::Incident(facts) | Subject::Passed(facts) => Some(facts),
        Subject::SelfNotice { .. } | Subject::Bundle(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::IncidentId;
    use crate::notifier::samples;

    /// A line such as `D:down*2 D:reminder D:recovered`: incident (`D` and `O` are a degradation and an outage), event, attempts, of which
    /// with a question mark one had no answer. The first was decided `age` seconds ago. Says how many are told, which, and as what.
    #[track_caller]
    fn assert_told(line: &str, manner: Manner, age: u64, expected: &str) {
        let mut rows: Vec<OutboxRow> = line.split(' ').enumerate().map(|(n, word)| sample(n, word)).collect();
        let mut claimed = rows.remove(0);
        claimed.behind = rows;
        let told = telling(claimed, manner, samples::TEN_TWENTY_THREE + Duration::from_secs(age));
        let how = match &told.notification.subject {
            Subject::Passed(_) => "passed",
            Subject::Incident(_) | Subject::SelfNotice { .. } | Subject::Bundle(_) => "as it is",
        };
        assert_eq!(format!("{} of {}, {how}", told.notification.key, told.rows.len()), expected, "{line}");
        assert_eq!(told.notification.key, told.rows[told.told].notification.key);
        assert_eq!(told.rows[0].id, 0);
    }

    fn sample(n: usize, word: &str) -> OutboxRow {
        let (incident, rest) = word.split_once(':').expect("an incident");
        let (rest, may_be_repeat) = rest.strip_suffix('?').map_or((rest, false), |rest| (rest, true));
        let (event, n_attempts) = rest.split_once('*').map_or((rest, 0), |(event, n)| (event, n.parse().expect("a number")));
        let lane = if incident == "D" { Lane::Degradation } else { Lane::Outage };
        let facts = IncidentFacts { incident: IncidentId::from_derived(incident), lane, ..samples::facts() };
        let event = EventKind::ALL.into_iter().find(|kind| kind.word() == event.trim_end_matches('!')).expect("an event");
        let notification = Notification { key: format!("{n}"), event, may_be_repeat, ..samples::notification(facts) };
        let id = i64::try_from(n).expect("small");
        OutboxRow {
            id,
            n_attempts,
            owed_since: notification.at,
            notification,
            remaining: Vec::new(),
            is_overtaken: false,
            is_opening_lost: word.ends_with('!'),
            opening: None,
            behind: Vec::new(),
        }
    }

    #[test]
    fn for_people_what_is_over_is_told_as_over_and_once() {
        for (line, age, expected) in [
            ("O:down", 0, "0 of 1, as it is"),
            ("O:down O:recovered", 0, "1 of 2, passed"),
            ("O:down O:reminder O:reminder O:recovered O:down", 0, "3 of 4, passed"),
            // Every attempt was refused, or never got through: nobody has heard of it.
            ("O:down*1 O:recovered", 1, "1 of 2, passed"),
            ("O:down*9 O:reminder*1 O:recovered", 1, "2 of 3, passed"),
            // One had no answer, so it may have arrived.
            ("O:down*1? O:recovered", 599, "0 of 1, as it is"),
            ("O:down*1? O:recovered", 600, "1 of 2, passed"),
            // Once told together, also in the attempts that follow: what had no answer then was the end.
            ("O:down*4 O:recovered*3?", 60, "1 of 2, passed"),
            ("O:down*4? O:recovered*3?", 60, "0 of 1, as it is"),
            ("O:certificate O:recovered", 0, "1 of 2, passed"),
            ("O:down O:acknowledged O:recovered", 0, "2 of 3, passed"),
            // What is behind another incident keeps its place.
            ("O:down P:regional O:recovered", 0, "0 of 1, as it is"),
        ] {
            assert_told(line, Manner::Together, age, expected);
        }
    }

    #[test]
    fn only_the_newest_reminder_is_told_and_none_that_adds_nothing() {
        for manner in [Manner::Together, Manner::Apart] {
            for (line, expected) in [
                ("O:reminder O:reminder*2 O:reminder", "2 of 3, as it is"),
                ("O:reminder*5 O:reminder O:recovered O:down", "2 of 3, as it is"),
                ("O:down O:reminder O:reminder", "0 of 3, as it is"),
                ("O:reminder P:reminder O:reminder", "0 of 1, as it is"),
                ("O:reminder O:acknowledged O:recovered", "2 of 3, as it is"),
                ("O:acknowledged O:recovered", "1 of 2, as it is"),
                ("O:acknowledged O:reminder", "0 of 1, as it is"),
                ("O:down O:acknowledged", "0 of 1, as it is"),
                ("O:recovered O:down", "0 of 1, as it is"),
            ] {
                assert_told(line, manner, 0, expected);
            }
        }
    }

    #[test]
    fn what_got_worse_before_anybody_was_told_is_told_as_what_it_is_now() {
        for manner in [Manner::Together, Manner::Apart] {
            assert_told("D:degraded O:down", manner, 0, "1 of 2, as it is");
            assert_told("D:degraded D:reminder O:down O:reminder", manner, 0, "2 of 4, as it is");
            assert_told("D:degraded*1 O:down", manner, 0, "1 of 2, as it is");
            assert_told("D:degraded*1? O:down", manner, 0, "0 of 1, as it is");
            assert_told("D:degraded*1? O:down", manner, 600, "1 of 2, as it is");
            // The end of the degradation is told first, if it has one.
            assert_told("D:degraded*1? D:recovered O:down", manner, 0, "0 of 1, as it is");
        }
        assert_told("D:degraded O:down O:recovered", Manner::Together, 0, "2 of 3, passed");
    }

    #[test]
    fn what_opens_and_ends_something_elsewhere_gets_both_in_order() {
        assert_told("O:down O:recovered", Manner::Apart, 0, "0 of 1, as it is");
        assert_told("O:down*9 O:reminder O:recovered", Manner::Apart, 86_400, "0 of 2, as it is");
        assert_told("O:recovered!", Manner::Apart, 0, "0 of 1, as it is");
    }

    #[test]
    fn an_end_whose_beginning_was_given_up_tells_of_it() {
        assert_told("O:recovered!", Manner::Together, 0, "0 of 1, passed");
        assert_told("O:down!", Manner::Together, 0, "0 of 1, as it is");
    }
}
