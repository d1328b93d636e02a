//! What services of channels report by themselves: that somebody pressed a button in Slack, that somebody acknowledged in PagerDuty.
//!
//! The signature is the proof: whoever can make it knows the secret of the channel. There is no session and no cookie, and so nothing that
//! another site could make a browser do. Channels that do not exist, those without a secret and signatures that are wrong get the same
//! answer, and nothing is noted of them. What was proved is done by the same operations as on the pages, so it is known on all nodes, and a
//! report that comes twice does nothing twice: what was done is remembered here, and what holds already is not asked for again.

mod pagerduty;
mod slack;

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use data_encoding::HEXLOWER_PERMISSIVE;
use ring::hmac;
use subtle::ConstantTimeEq;

use crate::config::Config;
use crate::http::act_link::MISSES_WAIT;
use crate::http::act_link::Uses;
use crate::http::acts::clean;
use crate::http::answer::Answer;
use crate::http::error::Refusal;
use crate::http::heartbeat::misses::Misses;
use crate::http::limits::REPORTS_MAX;
use crate::http::route::HookRoute;
use crate::http::viewer::Desk;
use crate::http::visit::Visit;
use crate::model::channel::ChannelSpec;
use crate::model::id::ChannelName;
use crate::model::policy::BY_CHARS_MAX;
use crate::model::secret::Secret;
use crate::model::time::Mono;
use crate::model::time::UnixMillis;

/// How far the time of a report may be from ours: Slack's own advice. An older one may have been recorded by somebody, and is refused.
const AGE_MAX: Duration = Duration::from_secs(300);

/// How long reports are remembered: one whose time is ahead of ours is good for twice [`AGE_MAX`].
const REMEMBERED_FOR: Duration = Duration::from_secs(2 * AGE_MAX.as_secs());

/// What reports of services work with.
#[derive(Debug, Default)]
pub struct Hooks {
    misses: Misses,
    uses: Uses,
    done: Done,
    newest: Newest,
}

impl Hooks {
    /// Takes a report; the answer comes when what it says is durable.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] when it is not proved, [`Refusal::TooMany`] when there were many of those from one address, and as the engine
    /// refuses what must be reported again.
    pub async fn answer(&self, desk: &Desk, visit: &Visit, hook: &HookRoute) -> Result<Answer, Refusal> {
        let snapshot = desk.engine.snapshot();
        match hook {
            HookRoute::Slack(name) => {
                let spec = slack::proved(&snapshot.config, name, visit).ok_or_else(|| self.miss(visit))?;
                slack::take(self, desk, visit, (name, spec)).await
            }
            HookRoute::PagerDuty(name) if pagerduty::is_proved(&snapshot.config, name, visit) => {
                pagerduty::take(self, desk, visit, name).await
            }
            HookRoute::PagerDuty(_) => Err(self.miss(visit)),
        }
    }

    fn miss(&self, visit: &Visit) -> Refusal {
        if self.misses.count(visit.client, visit.now.mono) { Refusal::TooMany(MISSES_WAIT) } else { Refusal::NotFound }
    }
}

/// Reports that were taken lately.
#[derive(Debug, Default)]
struct Done(Mutex<HashMap<[u8; 32], Mono>>);

impl Done {
    /// Notes one; says whether it is new.
    fn begin(&self, report: [u8; 32], now: Mono) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if REPORTS_MAX <= known.len() {
            known.retain(|_, at| now.since(*at) < REMEMBERED_FOR);
        }
        if known.get(&report).is_some_and(|at| now.since(*at) < REMEMBERED_FOR) {
            return false;
        }
        known.insert(report, now);
        true
    }

    /// It could not be done, and may come again.
    fn undo(&self, report: &[u8; 32]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(report);
    }
}

/// When the newest report about an alarm was made, by what names the alarm. They may come in another order than they were made in.
#[derive(Debug, Default)]
struct Newest(Mutex<HashMap<[u8; 32], UnixMillis>>);

impl Newest {
    fn is_older(&self, alarm: &[u8; 32], at: UnixMillis) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(alarm).is_some_and(|newest| at < *newest)
    }

    fn note(&self, alarm: [u8; 32], at: UnixMillis) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if REPORTS_MAX <= known.len() && !known.contains_key(&alarm) {
            let oldest = known.iter().min_by_key(|(_, at)| **at).map(|(alarm, _)| *alarm);
            oldest.map(|oldest| known.remove(&oldest));
        }
        let newest = known.entry(alarm).or_insert(at);
        *newest = at.max(*newest);
    }
}

/// The settings of a channel that is in the config.
fn spec_of<'a>(config: &'a Config, name: &ChannelName) -> Option<&'a ChannelSpec> {
    config.channels.get(name).map(|channel| &channel.spec)
}

/// Whether a signature was made by who knows the secret, of exactly this.
fn is_signed(secret: &Secret, parts: &[&[u8]], signature: &str) -> bool {
    let Ok(signature) = HEXLOWER_PERMISSIVE.decode(signature.as_bytes()) else { return false };
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret.reveal_for_use().as_bytes()));
    for part in parts {
        context.update(part);
    }
    context.sign().as_ref().ct_eq(&signature).into()
}

/// Who did something elsewhere, as it is told. Names there are whatever people call themselves.
fn person_in(name: &str, service: &str) -> String {
    let end = format!(" in {service}");
    let room = BY_CHARS_MAX.saturating_sub(end.chars().count());
    let name: String = clean(name).chars().take(room).collect();
    let name = name.trim_end();
    if name.is_empty() { format!("somebody{end}") } else { format!("{name}{end}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_done_once_and_again_only_when_it_could_not_be() {
        let done = Done::default();
        assert!(done.begin([1; 32], Mono(0)) && !done.begin([1; 32], Mono(0)) && done.begin([2; 32], Mono(0)));
        done.undo(&[1; 32]);
        assert!(done.begin([1; 32], Mono(0)));
        for n in 0..20_000_u32 {
            let mut report = [3; 32];
            report[..4].copy_from_slice(&n.to_be_bytes());
            done.begin(report, Mono(0) + REMEMBERED_FOR + Duration::from_millis(u64::from(n)) * 1000);
        }
        assert!(done.0.lock().expect("fine").len() <= REPORTS_MAX);
    }

    #[test]
    fn what_happened_before_the_newest_is_known_to_be_old() {
        let newest = Newest::default();
        newest.note([1; 32], UnixMillis(5));
        newest.note([1; 32], UnixMillis(3));
        assert!(newest.is_older(&[1; 32], UnixMillis(4)) && !newest.is_older(&[1; 32], UnixMillis(5)));
        for n in 0..20_000_u32 {
            let mut alarm = [2; 32];
            alarm[..4].copy_from_slice(&n.to_be_bytes());
            newest.note(alarm, UnixMillis(i64::from(n) + 10));
        }
        assert!(newest.0.lock().expect("fine").len() <= REPORTS_MAX);
    }

    #[test]
    fn names_of_elsewhere_are_one_short_line() {
        assert_eq!(person_in("Ada", "Slack"), "Ada in Slack");
        assert_eq!(person_in(" a\nb\u{202e} ", "Slack"), "a b in Slack");
        assert_eq!(person_in(" \u{202e}\n", "PagerDuty"), "somebody in PagerDuty");
        let long = person_in(&"é".repeat(500), "PagerDuty");
        assert!(long.chars().count() == BY_CHARS_MAX && long.ends_with("é in PagerDuty"), "{long}");
    }

    #[test]
    fn signatures_are_of_the_secret_and_of_every_byte() {
        // RFC 4231, test case 2.
        let secret = Secret::new("Jefe");
        let tag = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert!(is_signed(&secret, &[b"what do ya ", b"want for nothing?"], tag));
        assert!(is_signed(&secret, &[b"what do ya want for nothing?"], &tag.to_uppercase()));
        for (text, tag) in
            [(&b"what do ya want for nothing"[..], tag), (b"what do ya want for nothing?", &tag[..62]), (b"", ""), (b"", "zz")]
        {
            assert!(!is_signed(&secret, &[text], tag), "{tag}");
        }
        assert!(!is_signed(&Secret::new("jefe"), &[b"what do ya want for nothing?"], tag));
    }
}
