use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::result::CheckResult;
use crate::model::result::Outcome;
use crate::model::result::Timings;
use crate::model::result::Transcript;
use crate::model::rollup::Resolution;
use crate::model::rollup::Rollup;
use crate::model::time::UnixMillis;
use crate::store::Store;
use crate::store::StoreRetention;
use crate::store::history::codec;
use crate::store::history::codec::Encoder;
use crate::store::history::codec::Stored;
use crate::store::history::rollup;
use crate::store::row::tests::every_failure;
use crate::store::tests::Dice;
use crate::store::tests::Fixture;
use crate::store::tests::RETENTION;
use crate::store::tests::T0;
use crate::store::tests::at;
use crate::store::tests::id;
use crate::store::tests::result;

fn random_result(dice: &mut Dice, monitor: &str, when: UnixMillis) -> CheckResult {
    let outcome = match dice.below(10) {
        0 => Outcome::Down,
        1 => Outcome::Degraded,
        2 => Outcome::Unknown,
        _ => Outcome::Up,
    };
    let failures = every_failure();
    let failure = usize::try_from(dice.below(failures.len() as u64)).expect("fits");
    let mut phase = || if dice.below(4) == 0 { None } else { Some(Duration::from_micros(dice.below(300_000))) };
    let (dns, connect, tls, first_byte, transfer) = (phase(), phase(), phase(), phase(), phase());
    let total = Duration::from_micros(dice.below(5_000_000));
    let remotes = ["192.0.2.1", "192.0.2.2", "2001:db8::7"];
    CheckResult {
        monitor: id(monitor),
        at: when,
        outcome,
        failure: (outcome != Outcome::Up).then(|| failures[failure].clone()),
        timings: Timings { dns, connect, tls, first_byte, transfer, total },
        status: [None, Some(200), Some(503)][usize::try_from(dice.below(3)).expect("fits")],
        remote: remotes.get(usize::try_from(dice.below(4)).expect("fits")).map(|text| text.parse().expect("an address")),
        certificate_not_after: (dice.below(2) == 0).then(|| UnixMillis(T0.0 + i64::try_from(dice.below(3)).expect("fits") - 1)),
        transcript: Transcript::default(),
    }
}

#[test]
fn results_come_back_from_bytes_as_they_were() {
    let mut dice = Dice(7);
    let mut encoder = Encoder::new(T0);
    let mut expected = Vec::new();
    for n in 0..2000 {
        // Backwards and far away, too: clocks do that.
        let when = if n % 100 == 0 { UnixMillis(i64::from(dice.next() as i32) * 1_000_000) } else { at(n * 30_000) };
        let result = random_result(&mut dice, "a", when);
        let has_transcript = n % 3 == 0;
        encoder.push(&result, has_transcript);
        expected.push(Stored { result, has_transcript });
    }
    assert_eq!(codec::decode(&id("a"), T0, encoder.bytes()), Ok(expected));
}

#[test]
fn damaged_bytes_are_an_error_and_not_a_crash() {
    let mut dice = Dice(8);
    let mut encoder = Encoder::new(T0);
    for n in 0..20 {
        encoder.push(&random_result(&mut dice, "a", at(n)), false);
    }
    let bytes = encoder.bytes().to_vec();
    for n in 0..bytes.len() {
        let _ = codec::decode(&id("a"), T0, &bytes[..n]);
        let mut flipped = bytes.clone();
        flipped[n] ^= u8::try_from(dice.below(255)).expect("a byte") + 1;
        let _ = codec::decode(&id("a"), T0, &flipped);
    }
}

#[test]
fn a_steady_monitor_takes_a_few_bytes_per_result() {
    let mut encoder = Encoder::new(T0);
    for n in 0..10 {
        let us = 23_456 + u64::try_from(n).expect("positive") * 777;
        encoder.push(&result("a", at(n * 30_000 + n % 3), Outcome::Up, us), false);
    }
    assert!(encoder.bytes().len() <= 200, "{}", encoder.bytes().len());
}

#[test]
fn percentiles_are_by_nearest_rank() {
    let of = |latencies: &[u64]| {
        let results: Vec<CheckResult> = latencies.iter().map(|us| result("a", T0, Outcome::Up, *us)).collect();
        let sum = rollup::sum_up(T0, &results);
        (sum.min_us, sum.p50_us, sum.p95_us, sum.p99_us, sum.max_us, sum.mean_us)
    };
    assert_eq!(of(&[]), (0, 0, 0, 0, 0, 0));
    assert_eq!(of(&[7]), (7, 7, 7, 7, 7, 7));
    assert_eq!(of(&[30, 10, 20, 40]), (10, 20, 40, 40, 40, 25));
    assert_eq!(of(&(1..=100).collect::<Vec<_>>()), (1, 50, 95, 99, 100, 50));
    let sum = rollup::sum_up(T0, &[result("a", T0, Outcome::Down, 9), result("a", T0, Outcome::Unknown, 9)]);
    assert_eq!((sum.n_down, sum.n_unknown, sum.max_us, sum.phase_mean_us), (1, 1, 0, [0; 5]));
    assert_eq!(rollup::from_bytes(T0, &rollup::to_bytes(&sum)), Ok(sum));
}

/// A second way to compute the same, as plainly as can be.
fn plainly(start: i64, results: &[&CheckResult]) -> Rollup {
    let n = |outcome| u32::try_from(results.iter().filter(|result| result.outcome == outcome).count()).expect("fits");
    let answered: Vec<&&CheckResult> = results.iter().filter(|result| matches!(result.outcome, Outcome::Up | Outcome::Degraded)).collect();
    let mut us: Vec<u64> = answered.iter().map(|result| u64::try_from(result.timings.total.as_micros()).expect("fits")).collect();
    us.sort_unstable();
    let rank = |share: f64| us.get(((share * us.len() as f64).ceil() as usize).max(1) - 1).copied().unwrap_or(0) as u32;
    let mean = |of: &[u64]| if of.is_empty() { 0 } else { (of.iter().sum::<u64>() / of.len() as u64) as u32 };
    let phase = |i: usize| {
        let took: Vec<u64> =
            answered.iter().filter_map(|result| result.timings.phases()[i].1).map(|took| took.as_micros() as u64).collect();
        mean(&took)
    };
    Rollup {
        start: UnixMillis(start),
        n_up: n(Outcome::Up),
        n_degraded: n(Outcome::Degraded),
        n_down: n(Outcome::Down),
        n_unknown: n(Outcome::Unknown),
        min_us: us.first().copied().unwrap_or(0) as u32,
        max_us: us.last().copied().unwrap_or(0) as u32,
        mean_us: mean(&us),
        p50_us: rank(0.5),
        p95_us: rank(0.95),
        p99_us: rank(0.99),
        phase_mean_us: [phase(0), phase(1), phase(2), phase(3), phase(4)],
    }
}

async fn assert_equal_to_brute_force(store: &Store, all: &BTreeMap<(String, i64), CheckResult>) {
    let ever = (UnixMillis(0), UnixMillis(T0.0 * 2));
    for monitor in ["a", "b", "c"] {
        let mine: Vec<&CheckResult> = all.values().filter(|result| result.monitor.as_str() == monitor).collect();
        let mut found = Vec::new();
        let mut to = ever.1;
        loop {
            let page = store.results(&id(monitor), ever.0, to, 100).await.expect("reads");
            let Some(last) = page.last() else { break };
            to = last.at;
            found.extend(page);
        }
        found.reverse();
        assert!(found.iter().eq(mine.iter().copied()), "results of {monitor}");
        for (resolution, length) in [(Resolution::FiveMinutes, 300_000), (Resolution::Hour, 3_600_000)] {
            let mut groups: BTreeMap<i64, Vec<&CheckResult>> = BTreeMap::new();
            for result in &mine {
                groups.entry(result.at.0 / length * length).or_default().push(result);
            }
            let expected: Vec<Rollup> = groups.into_iter().map(|(start, group)| plainly(start, &group)).collect();
            assert_eq!(store.rollups(&id(monitor), resolution, ever.0, ever.1).await.expect("reads"), expected);
        }
    }
}

#[tokio::test]
async fn packing_and_sums_equal_brute_force_with_late_results_and_wrong_clocks() {
    for seed in 1..=3_u64 {
        let fixture = Fixture::new();
        let mut store = fixture.open();
        let mut dice = Dice(seed * 77_777);
        let mut all: BTreeMap<(String, i64), CheckResult> = BTreeMap::new();
        for minute in 0..150_i64 {
            for monitor in ["a", "b", "c"] {
                for _ in 0..dice.below(6) {
                    let late = match dice.below(20) {
                        0 => i64::try_from(dice.below(7_200_000)).expect("fits"),
                        1 => -i64::try_from(dice.below(86_400_000)).expect("fits"),
                        _ => 0,
                    };
                    let when = at(minute * 60_000 + i64::try_from(dice.below(60_000)).expect("fits") - late);
                    if let std::collections::btree_map::Entry::Vacant(place) = all.entry((monitor.to_owned(), when.0)) {
                        store.record(place.insert(random_result(&mut dice, monitor, when)).clone());
                    }
                }
            }
            if dice.below(4) == 0 {
                store.flush().await.expect("flushes");
                store.maintain(at((minute + 1) * 60_000), RETENTION).await.expect("maintains");
            }
            if minute == 70 {
                drop(store);
                store = fixture.open();
            }
        }
        store.flush().await.expect("flushes");
        assert_equal_to_brute_force(&store, &all).await;
        store.maintain(at(200 * 60_000), RETENTION).await.expect("maintains");
        assert_equal_to_brute_force(&store, &all).await;
        let hot: i64 = store.read(|conn| conn.query_row("SELECT count(*) FROM results_hot", [], |row| row.get(0))).await.expect("reads");
        assert!(hot < i64::try_from(all.len()).expect("fits") / 4, "{hot} of {} are still hot", all.len());
    }
}

#[tokio::test]
async fn a_late_result_is_added_to_a_sum_whose_results_are_gone() {
    let fixture = Fixture::new();
    let store = fixture.open();
    for n in 0..10 {
        store.record(result("a", at(n * 1000), Outcome::Up, 1000));
    }
    let short = StoreRetention { results: Duration::from_secs(3600), ..RETENTION };
    store.flush().await.expect("flushes");
    store.maintain(at(4 * 3_600_000), short).await.expect("maintains");
    assert_eq!(store.results(&id("a"), T0, at(1_000_000), 99).await, Ok(Vec::new()));
    store.record(result("a", at(20_000), Outcome::Down, 5));
    store.flush().await.expect("flushes");
    for _ in 0..2 {
        for resolution in [Resolution::FiveMinutes, Resolution::Hour] {
            let sums = store.rollups(&id("a"), resolution, T0, at(1_000_000)).await.expect("reads");
            assert_eq!(sums.len(), 1);
            assert_eq!((sums[0].n_up, sums[0].n_down, sums[0].mean_us, sums[0].p99_us), (10, 1, 1000, 1000), "{resolution:?}");
        }
        store.maintain(at(4 * 3_600_000), RETENTION).await.expect("maintains");
    }
}

#[tokio::test]
async fn transcripts_come_with_the_results_that_are_not_up_and_are_bounded() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let mut bad = result("a", T0, Outcome::Down, 5);
    bad.transcript = Transcript { lines: vec!["one".to_owned(), String::new(), "three".to_owned()], n_dropped: 2 };
    store.record(bad.clone());
    store.flush().await.expect("flushes");
    assert_eq!(store.results(&id("a"), T0, at(1), 9).await, Ok(vec![bad.clone()]));
    store.maintain(at(3_600_000), RETENTION).await.expect("maintains");
    assert_eq!(store.results(&id("a"), T0, at(1), 9).await, Ok(vec![bad]));
    for n in 0..9000 {
        store.record(result("b", at(n), Outcome::Down, 5));
    }
    store.flush().await.expect("flushes");
    let n: i64 = store.read(|conn| conn.query_row("SELECT count(*) FROM transcripts", [], |row| row.get(0))).await.expect("reads");
    assert_eq!(n, 1 + 100 + 890);
}
