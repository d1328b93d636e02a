//! The contract's cases about rules with the base monitor, each as a script.

use super::*;

const DAY: i64 = 86_400;

#[test]
fn d01_up_late_and_down_at_their_exact_moments() {
    assert_script(base(), &[(0, Say(Success))], 1000, "0: finished ?\n0: up\n60: late\n90: OPENED missed since 90\n90: down");
}

#[test]
fn d02_a_late_success_alarms_nobody() {
    let script = [(0, Say(Success)), (75, Say(Success))];
    assert_script(base(), &script, 134, "0: finished ?\n0: up\n60: late\n75: finished ?\n75: up");
    let mut world = World::new(base(), UnixMillis(0));
    world.run(&script);
    assert_eq!(world.seen().expected, Some(UnixMillis(135_000)));
}

#[test]
fn d03_a_success_recovers_once_and_tells_what_was_missed() {
    let expected = "0: finished ?\n0: up\n60: late\n90: OPENED missed since 90\n90: down
        250: finished ?\n250: CLOSED missed at 250, Recovered, 3 missed\n250: up\n260: finished ?";
    assert_script(base(), &[(0, Say(Success)), (250, Say(Success)), (260, Say(Success))], 300, expected);
}

#[test]
fn d04_and_d05_never_seen_or_waiting_for_ever() {
    assert_script(base(), &[], DAY, "90: OPENED never-seen since 90\n90: down");
    assert_script(Heartbeat { first_ping: FirstPing::Optional, ..base() }, &[], DAY, "");
}

#[test]
fn d06_and_d07_the_first_ping_opens_or_not() {
    assert_script(base(), &[(10, Say(Success))], 20, "10: finished ?\n10: up");
    assert_script(base(), &[(10, Say(Fail))], DAY, "10: finished ?\n10: OPENED failed since 10\n10: down");
}

#[test]
fn d08_more_failures_open_nothing_more() {
    let script = [(0, Say(Success)), (90, Say(Fail)), (100, Say(Fail)), (110, Say(Fail))];
    let expected = "0: finished ?\n0: up\n60: late\n90: OPENED missed since 90\n90: down\n90: finished ?\n100: finished ?\n110: finished ?";
    assert_script(base(), &script, DAY, expected);
}

#[test]
fn r01_and_r02_a_run_is_watched_from_its_start() {
    let expected = "10: waiting, running ?\n40: OPENED overran since 40\n40: down, running ?";
    assert_script(base(), &[(10, Say(Start))], DAY, expected);
    let script = [(0, Say(Success)), (5, Say(Start)), (15, Say(Success))];
    assert_script(base(), &script, 60, "0: finished ?\n0: up\n5: up, running ?\n15: finished ? after 10s\n15: up");
}

#[test]
fn r03_a_start_buys_no_time() {
    let script = [(0, Say(Success)), (70, Say(Start))];
    let expected = "0: finished ?\n0: up\n60: late\n70: late, running ?\n90: OPENED missed since 90\n90: down, running ?";
    assert_script(base(), &script, DAY, expected);
}

#[test]
fn starts_change_nothing_while_it_is_down_and_the_latest_without_name_counts() {
    let script = [(0, Say(Fail)), (10, Say(Start))];
    assert_script(base(), &script, DAY, "0: finished ?\n0: OPENED failed since 0\n0: down\n10: down, running ?");
    let script = [(0, Say(Success)), (10, Say(Start)), (30, Say(Start)), (50, Say(Success))];
    assert_script(base(), &script, 60, "0: finished ?\n0: up\n10: up, running ?\n50: finished ? after 20s\n50: up\n");
}

#[test]
fn r06_and_r07_every_open_run_is_watched() {
    let start = [(0, Say(Success)), (1, Of("a", Start)), (11, Of("b", Start))];
    let script = [&start[..], &[(21, Of("a", Success))]].concat();
    let expected = "0: finished ?\n0: up\n1: up, running a\n11: up, running a b\n21: finished a after 20s\n21: up, running b
        41: OPENED overran since 41\n41: down, running b";
    assert_script(base(), &script, DAY, expected);
    let beat = Heartbeat { max_runtime: Some(secs(30)), ..base() };
    let script = [(0, Of("a", Start)), (20, Of("b", Start)), (25, Of("b", Success))];
    let expected = "0: waiting, running a\n20: waiting, running a b\n25: finished b after 5s\n25: up, running a
        30: OPENED overran since 30\n30: down, running a";
    assert_script(beat, &script, DAY, expected);
}

#[test]
fn a_hung_run_is_held_against_it_once() {
    let script = [(0, Of("a", Start)), (40, Of("b", Success))];
    let expected = "0: waiting, running a\n30: OPENED overran since 30\n30: down, running a\n40: finished b
        40: CLOSED overran at 40, Recovered, 0 missed\n40: up, running a";
    assert_script(base(), &script, 99, expected);
}

#[test]
fn r08_and_r09_a_finish_without_name_and_any_failure_close_all_runs() {
    let script = [(0, Of("a", Start)), (10, Say(Success))];
    assert_script(base(), &script, 69, "0: waiting, running a\n10: finished ?\n10: up");
    let script = [(0, Of("a", Start)), (10, Of("b", Fail))];
    assert_script(base(), &script, DAY, "0: waiting, running a\n10: finished b\n10: OPENED failed since 10\n10: down");
}

#[test]
fn r10_letter_case_does_not_matter() {
    let script = [(0, Of("6F0C1E9A-0000-4000-8000-00000000000A", Start)), (5, Of("6f0c1e9a-0000-4000-8000-00000000000a", Success))];
    let expected =
        "0: waiting, running 6f0c1e9a-0000-4000-8000-00000000000a\n5: finished 6f0c1e9a-0000-4000-8000-00000000000a after 5s\n5: up";
    assert_script(base(), &script, 64, expected);
}

#[test]
fn retries_of_the_same_ping_count_once() {
    let beat = || Heartbeat { failures: 2, ..base() };
    let script = [(0, Of("a", Start)), (1, Of("a", Start)), (5, Of("a", Fail)), (6, Of("a", Fail)), (8, Of("b", Fail))];
    let expected = "0: waiting, running a\n1: repeated\n5: finished a after 5s\n5: up\n6: repeated\n8: finished b
        8: OPENED failed since 5\n8: down";
    assert_script(beat(), &script, DAY, expected);
    // One name for all retries of a job: a start after a failure is a new attempt.
    let script = [(0, Of("job", Start)), (5, Of("job", Fail)), (15, Of("job", Start)), (20, Of("job", Success))];
    let expected = "0: waiting, running job\n5: finished job after 5s\n5: up\n15: up, running job\n20: finished job after 5s\n20: up";
    assert_script(beat(), &script, 79, expected);
}

#[test]
fn a_job_that_uses_one_name_for_all_its_runs_is_heard_each_time() {
    let script = [
        (0, Of("a", Success)),
        (29, Of("a", Success)),
        (60, Of("a", Success)),
        (115, Of("a", Start)),
        (150, Of("a", Start)),
        (160, Of("a", Success)),
    ];
    let expected = "0: finished a\n0: up\n29: repeated\n60: late\n60: finished a\n60: up\n115: up, running a\n120: late, running a
        145: OPENED overran since 145\n145: down, running a\n160: finished a after 10s\n160: CLOSED overran at 160, Recovered, 1 missed\n160: up";
    assert_script(base(), &script, 200, expected);
}

#[test]
fn tolerated_failures_keep_the_deadline_going_and_do_not_heal() {
    let beat = || Heartbeat { failures: 3, ..base() };
    let script = [(0, Say(Success)), (50, Say(Fail)), (100, Say(Fail))];
    let expected = "0: finished ?\n0: up\n50: finished ?\n100: finished ?\n160: late\n190: OPENED missed since 190\n190: down";
    assert_script(beat(), &script, DAY, expected);
    let script = [(0, Say(Success)), (100, Say(Fail)), (110, Say(Success)), (120, Say(Fail)), (130, Say(Fail))];
    let expected = "0: finished ?\n0: up\n60: late\n90: OPENED missed since 90\n90: down\n100: finished ?\n110: finished ?
        110: CLOSED missed at 110, Recovered, 0 missed\n110: up\n120: finished ?\n130: finished ?";
    assert_script(beat(), &script, 189, expected);
}

#[test]
fn a_start_may_be_waited_for() {
    let beat = || Heartbeat { start_grace: Some(secs(10)), ..base() };
    let script = [(0, Say(Success))];
    assert_script(beat(), &script, DAY, "0: finished ?\n0: up\n60: late\n70: OPENED never-started since 70\n70: down");
    let script = [(0, Say(Success)), (65, Say(Start)), (80, Say(Success))];
    let expected = "0: finished ?\n0: up\n60: late\n65: late, running ?\n80: finished ? after 15s\n80: up";
    assert_script(beat(), &script, 139, expected);
}

#[test]
fn log_entries_keep_a_run_alive_when_they_may() {
    let script = [(0, Of("a", Start)), (20, Of("a", Log)), (45, Of("a", Log)), (60, Of("a", Success))];
    let beat = Heartbeat { keep_alive: true, ..base() };
    assert_script(beat, &script, 119, "0: waiting, running a\n60: finished a after 60s\n60: up");
    let expected = "0: waiting, running a\n30: OPENED overran since 30\n30: down, running a";
    assert_script(base(), &script[..3], 59, expected);
}

#[test]
fn a_run_may_be_suspiciously_fast() {
    let beat = Heartbeat { min_runtime: Some(secs(5)), ..base() };
    let script = [(0, Say(Start)), (2, Say(Success)), (50, Say(Start)), (56, Say(Success))];
    let expected = "0: waiting, running ?\n2: finished ? after 2s\n2: too fast: 2s\n2: up\n50: up, running ?\n56: finished ? after 6s
        56: not too fast\n56: up";
    assert_script(beat, &script, 100, expected);
}

#[test]
fn f07_and_f08_pauses_end_by_a_ping_or_by_people() {
    let script = [(0, Say(Success)), (10, Do::Pause), (5000, Say(Success))];
    assert_script(base(), &script, 5059, "0: finished ?\n0: up\n10: paused\n5000: finished ?\n5000: resumed\n5000: up");
    let beat = || Heartbeat { resume: Resume::Manual, ..base() };
    let script = [(0, Say(Success)), (10, Do::Pause), (500, Say(Success)), (600, Do::Resume)];
    let expected = "0: finished ?\n0: up\n10: paused\n500: finished ?\n600: waiting\n690: OPENED never-seen since 690\n690: down";
    assert_script(beat(), &script, DAY, expected);
}

#[test]
fn a_pause_closes_what_is_open_and_a_start_ends_it_with_a_fresh_deadline() {
    let script = [(0, Say(Fail)), (10, Do::Pause), (10, Do::Pause), (5000, Say(Start)), (5010, Say(Success)), (5020, Do::Resume)];
    let expected = "0: finished ?\n0: OPENED failed since 0\n0: down\n10: CLOSED failed at 10, Paused, 0 missed\n10: paused
        5000: resumed\n5000: waiting, running ?\n5010: finished ? after 10s\n5010: up";
    assert_script(base(), &script, 5069, expected);
}

#[test]
fn x01_a_restart_in_between_changes_nothing() {
    let script = [(0, Say(Success)), (20, Do::Blind(10))];
    assert_script(base(), &script, DAY, "0: finished ?\n0: up\n60: late\n90: OPENED missed since 90\n90: down");
}

#[test]
fn x02_what_fell_due_while_nobody_could_hear_it_is_waited_for_anew() {
    let script = [(0, Say(Success)), (600, Do::Blind(10))];
    let moved = "0: finished ?\n0: up\n600: moved from 90 to 630\n600: late";
    assert_script(base(), &script, DAY, &format!("{moved}\n630: OPENED missed since 630\n630: down"));
    let script = [&script[..], &[(610, Say(Success))]].concat();
    assert_script(base(), &script, 669, &format!("{moved}\n610: finished ?\n610: up"));
}

#[test]
fn a_healthy_job_is_never_blamed_for_a_restart_of_ours() {
    // It reports each minute, whatever we hear of it; we are away for any time, at any phase.
    for away in [1, 5, 20, 40, 59, 61, 90, 200, 601] {
        for from in (121..181).step_by(3).chain([178, 179, 180]) {
            let mut world = World::new(base(), UnixMillis(1_800_000_000_000));
            world.run(&[(0, Say(Success)), (60, Say(Success)), (120, Say(Success))]);
            let script: Vec<(i64, Do)> =
                (3..30).map(|n| (n * 60, Say(Success))).filter(|(at, _)| *at < from || from + away <= *at).collect();
            let (before, after): (Vec<_>, Vec<_>) = script.into_iter().partition(|(at, _)| *at < from);
            world.run(&before);
            world.go_to(from);
            world.run(&[(from + away, Do::Blind(from))]);
            // A ping within the last two seconds is repeated by its client.
            let lost = (from + away - 2..from + away).find(|at| at % 60 == 0);
            if let Some(lost) = lost {
                world.run(&[(lost + 3, Say(Success))]);
            }
            world.run(&after);
            world.go_to(1790);
            assert!(!world.printed.contains("OPENED"), "away for {away} s from {from}:\n{}", world.printed);
        }
    }
}

#[test]
fn a_run_whose_end_may_have_come_unheard_is_not_blamed() {
    let script = [(0, Say(Success)), (5, Of("a", Start)), (600, Do::Blind(10)), (610, Of("b", Success))];
    let expected =
        "0: finished ?\n0: up\n5: up, running a\n600: moved from 90 to 630\n600: late, running a\n610: finished b\n610: up, running a";
    assert_script(base(), &script, 669, expected);
}

#[test]
fn x03_what_was_open_stays_open_and_closes_once() {
    let script = [(0, Say(Fail)), (600, Do::Blind(10)), (700, Say(Success))];
    let expected = "0: finished ?\n0: OPENED failed since 0\n0: down\n600: moved from 90 to 630\n700: finished ?
        700: CLOSED failed at 700, Recovered, 2 missed\n700: up";
    assert_script(base(), &script, 759, expected);
}

#[test]
fn x03_a_stale_sign_of_life_does_not_take_back_what_was_told() {
    // The last sign of life is older than the alarm: the process was killed right after it.
    let mut world = World::new(base(), UnixMillis(1_800_000_000_000));
    world.run(&[(0, Say(Success))]);
    world.go_to(92);
    world.run(&[(600, Do::Blind(88))]);
    world.go_to(DAY);
    assert_eq!(world.printed.matches("OPENED").count(), 1, "{}", world.printed);
    assert!(!world.printed.contains("CLOSED"), "{}", world.printed);
}

#[test]
fn a_hundred_failures_are_one_incident() {
    let script: Vec<(i64, Do)> = (0..100).map(|n| (n * 10, Say(Fail))).collect();
    let mut world = World::new(base(), UnixMillis(1_800_000_000_000));
    world.run(&script);
    world.go_to(DAY);
    assert_eq!(world.printed.matches("OPENED").count(), 1, "{}", world.printed);
    assert!(!world.printed.contains("CLOSED"), "{}", world.printed);
}

#[test]
fn in_maintenance_neither_silence_nor_failures_count() {
    let script = [(0, Say(Success)), (10, Do::Maintenance(400)), (100, Say(Fail)), (425, Say(Success))];
    let expected = "0: finished ?\n0: up\n10: moved from 90 to 450\n100: finished ?\n400: late\n425: finished ?\n425: up";
    assert_script(base(), &script, 484, expected);
}

#[test]
fn a_changed_config_marks_and_wakes_nobody() {
    let short = Heartbeat { schedule: Schedule::interval(secs(10)).expect("an interval"), grace: secs(5), ..base() };
    let script = [(0, Say(Success)), (50, Do::Config(Box::new(short))), (55, Do::Config(Box::new(base())))];
    let expected =
        "0: finished ?\n0: up\n50: quietly OPENED missed since 15\n50: down\n55: CLOSED missed at 55, Reconfigured, 0 missed\n55: up";
    assert_script(base(), &script, 59, expected);
}

#[test]
fn silence_is_believed_only_when_all_who_could_hear_were_asked() {
    let mut world = World::new(base(), UnixMillis(1_800_000_000_000));
    world.belief = Belief::Unsure;
    world.run(&[(0, Say(Success))]);
    world.go_to(100);
    let down = world.seen().down.expect("overdue");
    assert_eq!((world.second(down.since), down.reason.code()), (90.0, "missed"));
    assert!(is_overdue(&world.state, &world.seen()) && !world.printed.contains("OPENED"));
    // Another node had it: nothing was ever wrong.
    world.run(&[(101, Do::Late(80, Success))]);
    assert!(world.printed.ends_with("101: finished ?\n101: up\n"), "{}", world.printed);
    // Nobody had it.
    world.go_to(180);
    world.belief = SURE;
    world.run(&[(200, Do::Late(150, Log))]);
    assert!(world.printed.contains("200: OPENED missed since 170\n"), "{}", world.printed);
    // It was there after all, and its node comes back.
    world.run(&[(300, Do::Late(165, Success))]);
    assert!(world.printed.contains("300: CLOSED missed at 300, Refuted, 0 missed\n300: OPENED missed since 255\n"), "{}", world.printed);
}

#[test]
fn a_clock_that_was_ahead_does_not_keep_it_up() {
    // The ping at 3600 was received by a clock an hour ahead.
    let mut world = World::new(base(), UnixMillis(1_800_000_000_000));
    world.go_to(3);
    world.run(&[(3600, Say(Success))]);
    world.now = 10;
    world.act(Input::SetBack(secs(3595)));
    assert_eq!(world.seen().last_success, Some(world.wall(5)));
    world.go_to(95);
    assert!(world.printed.ends_with("95: OPENED missed since 95\n95: down\n"), "{}", world.printed);
}

#[test]
fn a_run_that_is_still_open_explains_missing_ones() {
    let beat = Heartbeat { max_runtime: Some(secs(1000)), ..base() };
    let mut world = World::new(beat, UnixMillis(0));
    world.run(&[(0, Say(Success)), (10, Of("a", Start))]);
    world.go_to(200);
    let seen = world.seen();
    assert_eq!(blocking_run(&seen).map(|run| run.started), Some(UnixMillis(10_000)));
    assert_eq!(missed_runs(&world.beat, &world.state, UnixMillis(269_999)), 3);
    assert_eq!(missed_runs(&world.beat, &world.state, UnixMillis(270_000)), 4);
    let slots =
        |n: usize| missed_slots(&world.beat, &world.state, UnixMillis(269_999), n).iter().map(|slot| slot.0 / 1000).collect::<Vec<_>>();
    assert_eq!((slots(10), slots(2)), (vec![60, 120, 180], vec![60, 120]));
}
