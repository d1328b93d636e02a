//! Recurrence rules against those of another program: dateutil, which calendars in Python are made with. Rules are made up, a few hundred of
//! every kind, always the same ones.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Command;
use std::process::Stdio;

use vigilmon::model::schedule::Zone;
use vigilmon::model::schedule::recurrence::Recurrence;

/// Rules that are compared, and times of each.
const N_RULES: usize = 400;
const N_TIMES: usize = 60;

/// Reads rules and prints their first times, as far as our calendar goes.
const PRINT: &str = r"
import sys
from datetime import datetime
from itertools import islice, takewhile
from dateutil.rrule import rrulestr
for line in sys.stdin:
    rule, start = line.strip().split(' ')
    times = rrulestr(rule, dtstart=datetime.fromisoformat(start))
    times = takewhile(lambda time: time.year <= 2199, islice(times, int(sys.argv[1])))
    print(' '.join(time.isoformat() for time in times))
";

/// Chance that is the same every time (the generator of Knuth's MMIX).
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % n
    }

    fn is(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }

    fn some<T: Clone>(&mut self, all: &[T], n_max: usize) -> Vec<T> {
        (0..=self.below(n_max)).map(|_| all[self.below(all.len())].clone()).collect()
    }

    fn rule(&mut self) -> String {
        let freq = ["DAILY", "WEEKLY", "MONTHLY", "YEARLY"][self.below(4)];
        let mut rule = format!("FREQ={freq}");
        if self.is(2) {
            write!(rule, ";INTERVAL={}", 1 + self.below(6)).expect("a string");
        }
        let mut has_days = false;
        if self.is(2) {
            let days = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
            let may_count = matches!(freq, "MONTHLY" | "YEARLY") && self.is(2);
            let has_months = self.is(2);
            let most = if freq == "YEARLY" && !has_months { 53 } else { 5 };
            let chosen = self.some(&days, 3).into_iter().map(|day| match (may_count, self.is(2)) {
                (false, _) => day.to_owned(),
                (true, true) => format!("{}{day}", 1 + self.below(most)),
                (true, false) => format!("-{}{day}", 1 + self.below(most)),
            });
            let chosen: Vec<String> = chosen.collect();
            write!(rule, ";BYDAY={}", chosen.join(",")).expect("a string");
            if has_months {
                let months: Vec<String> = self.some(&(1..=12).collect::<Vec<u32>>(), 3).iter().map(ToString::to_string).collect();
                write!(rule, ";BYMONTH={}", months.join(",")).expect("a string");
            }
            has_days = true;
        }
        if freq != "WEEKLY" && self.is(3) {
            let all: Vec<i32> = (-31..=31).filter(|day| *day != 0).collect();
            let days: Vec<String> = self.some(&all, 6).iter().map(ToString::to_string).collect();
            write!(rule, ";BYMONTHDAY={}", days.join(",")).expect("a string");
            has_days = true;
        }
        // In a first week that is not whole dateutil counts from the start, where the RFC counts from the beginning of the week.
        if has_days && freq != "WEEKLY" && self.is(3) {
            write!(rule, ";BYSETPOS={}", ["1", "-1", "2", "-2,1", "3", "1,2"][self.below(6)]).expect("a string");
        }
        match self.below(4) {
            // What counts and never happens, dateutil looks for until the year 9999.
            0 if !rule.contains("BYMONTHDAY") && !rule.contains("BYSETPOS") => write!(rule, ";COUNT={}", 1 + self.below(80)),
            _ => write!(rule, ";UNTIL=20{}0115T120000", 27 + self.below(60)),
        }
        .expect("a string");
        if self.is(3) {
            write!(rule, ";WKST={}", ["SU", "MO", "WE"][self.below(3)]).expect("a string");
        }
        rule
    }
}

/// A Python that has dateutil: it is required in CI, and may be missing elsewhere. Where there are two Pythons, distributions give their
/// packages to their own.
fn python() -> Option<&'static str> {
    let has_dateutil = |python: &&str| {
        let asked = Command::new(python).args(["-c", "import dateutil"]).stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    };
    let found = ["python3", "/usr/bin/python3"].into_iter().find(has_dateutil);
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "`python3-dateutil` is required in CI");
        eprintln!("skipped: `python3-dateutil` is not installed");
    }
    found
}

#[test]
fn rules_happen_when_dateutil_says_so() {
    let Some(python) = python() else { return };
    let mut chance = Chance(20_260_630);
    let rules: Vec<(String, String)> = (0..N_RULES)
        .map(|_| {
            let start = format!(
                "20{:02}-{:02}-{:02}T{:02}:30:00",
                20 + chance.below(8),
                1 + chance.below(12),
                1 + chance.below(28),
                chance.below(24)
            );
            (chance.rule(), start)
        })
        .collect();
    let mut python = Command::new(python)
        .args(["-c", PRINT, &N_TIMES.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    let asked: String = rules.iter().map(|(rule, start)| format!("{rule} {start}\n")).collect();
    let mut input = python.stdin.take().expect("piped");
    let writer = std::thread::spawn(move || input.write_all(asked.as_bytes()));
    let said = python.wait_with_output().expect("it ends");
    writer.join().expect("no panic").expect("all was read");
    assert!(said.status.success());
    let said = String::from_utf8(said.stdout).expect("text");
    assert_eq!(said.lines().count(), N_RULES);
    let mut n_happening = 0;
    for ((rule, start), expected) in rules.iter().zip(said.lines()) {
        // A rule that never happens is refused here.
        let found = Recurrence::parse(rule, start.parse().expect("a time"), Zone::utc())
            .map(|read| read.occurrences().take(N_TIMES).map(|time| time.to_string()).collect::<Vec<_>>().join(" "))
            .unwrap_or_default();
        assert_eq!(found, expected, "{rule} from {start}");
        n_happening += usize::from(!found.is_empty());
    }
    assert!(N_RULES / 2 < n_happening, "only {n_happening} happen at all");
}
