//! Every component in every state, to be looked at while working on the style sheet. Debug builds only.

use std::time::Duration;

use maud::Markup;
use maud::html;

use crate::config::draft::Draft as MonitorDraft;
use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::id::NodeName;
use crate::model::incident::Lane;
use crate::model::page::AnnouncementKind;
use crate::model::page::DarkMode;
use crate::model::page::Link;
use crate::model::result::Outcome;
use crate::model::result::Timings;
use crate::model::time::UnixMillis;
use crate::model::update::Posted;
use crate::model::update::Update;
use crate::model::update::UpdateId;
use crate::model::update::UpdateKind;
use crate::model::update::UpdateState;
use crate::model::verdict::Diagnosis;
use crate::model::verdict::Verdict;
use crate::ui::component::alert;
use crate::ui::component::alert::AckView;
use crate::ui::component::alert::AlertSection;
use crate::ui::component::alert::Mark;
use crate::ui::component::alert::Waits;
use crate::ui::component::badge;
use crate::ui::component::badge::Drawing;
use crate::ui::component::badge::badge;
use crate::ui::component::bar;
use crate::ui::component::bar::DayBar;
use crate::ui::component::bar::Uptime;
use crate::ui::component::chart;
use crate::ui::component::chart::Sample;
use crate::ui::component::chart::Tick;
use crate::ui::component::delivery::Sending;
use crate::ui::component::latency;
use crate::ui::component::latency::LatencyView;
use crate::ui::component::latency::Point;
use crate::ui::component::maintenance::WindowView;
use crate::ui::component::notice;
use crate::ui::component::notice::AnnouncementView;
use crate::ui::component::notice::Banner;
use crate::ui::component::notice::ProblemView;
use crate::ui::component::regions;
use crate::ui::component::regions::Measured;
use crate::ui::component::regions::RegionResults;
use crate::ui::component::regions::RegionRow;
use crate::ui::component::regions::RegionsView;
use crate::ui::component::runs;
use crate::ui::component::runs::FinishedRun;
use crate::ui::component::runs::Limits;
use crate::ui::component::timeline;
use crate::ui::component::timeline::Happened;
use crate::ui::component::timeline::Moment;
use crate::ui::component::updates;
use crate::ui::component::updates::AnnouncedView;
use crate::ui::component::updates::Draft;
use crate::ui::component::updates::UpdateView;
use crate::ui::component::waterfall::waterfall;
use crate::ui::language::Detail;
use crate::ui::language::Phrases;
use crate::ui::layout;
use crate::ui::layout::Frame;
use crate::ui::links::Links;
use crate::ui::page::dashboard;
use crate::ui::page::dashboard::Count;
use crate::ui::page::dashboard::Place;
use crate::ui::page::dashboard::Summary;
use crate::ui::page::monitor::LastCheck;
use crate::ui::page::new_monitor;
use crate::ui::page::new_monitor::Add;
use crate::ui::page::new_monitor::FieldProblem;
use crate::ui::page::new_monitor::Shown;
use crate::ui::page::peers;
use crate::ui::page::peers::LinkCard;
use crate::ui::page::peers::NodeCard;
use crate::ui::page::peers::RefusedRow;
use crate::ui::page::status;
use crate::ui::page::status::GroupView;
use crate::ui::page::status::Headline;
use crate::ui::page::status::LearntText;
use crate::ui::page::status::PastDay;
use crate::ui::page::status::PublicIncident;
use crate::ui::page::status::RegionCell;
use crate::ui::page::status::ServiceView;
use crate::ui::page::status::StatusView;

const STATES: [Verdict; 6] = Verdict::ALL;
const NOON: UnixMillis = UnixMillis(1_782_820_800_000);

/// The whole page.
#[must_use]
pub fn page(links: &Links) -> Markup {
    let content = html! {
        h1 { "Gallery" }
        section { h2 { "Badges" } @for state in STATES { p { (badge(state)) } } }
        section { h2 { "Badges for other pages" } @for state in STATES { p { (badge::drawing(&Drawing { label: "[prod-us] api /health".to_owned(), message: state.word().to_owned(), look: state })) } } }
        section { h2 { "Marks" } (alert::marks(&marks(), NOON)) }
        (alert::section(&frame(links), &alerts()))
        section { h2 { "Run times" } (runs::chart(&finished(), Limits { min: Some(Duration::from_secs(20)), max: Some(Duration::from_secs(110)) })) (runs::chart(&[], Limits { min: None, max: None })) }
        section { h2 { "Days" } (bar::days(&days())) (bar::uptime(Uptime { fraction: Some(0.9987), unknown: 0.02, maintenance: 0.01 })) " " (bar::uptime(Uptime::default())) }
        section { h2 { "Sparkline" } (chart::sparkline(&ticks())) (chart::sparkline(&[])) }
        section { h2 { "Response times of a range" } (latency::section(&latencies())) (latency::section(&LatencyView { points: Vec::new(), ..latencies() })) }
        section { h2 { "Overview" } (dashboard::summary(&overview(Verdict::Down), NOON)) (dashboard::summary(&overview(Verdict::Up), NOON)) (dashboard::counts(&counts())) }
        section { h2 { "Waterfall" } (waterfall(&timings())) (waterfall(&Timings::default())) }
        (regions::section(&shared(), NOON))
        section { h2 { "Regions side by side" } (regions::evidence(&shared().rows, "Newest check", NOON)) (regions::charts(&shared().rows, (NOON.minus(Duration::from_secs(3600 * 24)), NOON))) }
        section { h2 { "Banners" } @for state in STATES { (notice::banner(&Banner { state, text: "Something is to be known.".to_owned(), link: Some(("#".to_owned(), "More".to_owned())) })) } }
        section { h2 { "Timeline" } (timeline::timeline(&frame(links), &IncidentId::from_derived("abc234"), &moments())) }
        (updates::forms(&frame(links), &IncidentId::from_derived("abc234"), &Draft { state: UpdateState::Identified, text: "It is the *disk*.".to_owned(), templates: vec!["Looking into it".to_owned(), "Found".to_owned()] }, None))
        section { h2 { "Problems" } (notice::problems(&[problem()])) }
        section { h2 { "Peers" } div.peers { @for node in peers() { (peers::card(&frame(links), &node)) } } (peers::refused(&frame(links), &[refused()])) }
        section { h2 { "New monitor" } @for shown in new_monitors() { (new_monitor::preview(&frame(links), &MonitorDraft::default(), &shown)) } }
        section { h2 { "Form" } form.stacked { label { "Name" input; } button type="button" { "Send" } } }
    };
    layout::plain(links, "Gallery", &content)
}

fn said() -> Vec<UpdateView> {
    let text = "We *know* the cause: `disk full`.\n\n- logins are slow\n- [more](https://example.com/)";
    let one = |i: u64, state: UpdateState| UpdateView { state, text: text.to_owned(), at: NOON.minus(Duration::from_secs(i * 600)) };
    UpdateState::ALL.into_iter().rev().zip(0..).map(|(state, i)| one(i, state)).collect()
}

fn announced() -> AnnouncedView {
    let from = NOON.minus(Duration::from_secs(7200));
    AnnouncedView {
        key: "open".to_owned(),
        title: "Slow logins".to_owned(),
        state: UpdateState::Monitoring,
        from,
        until: None,
        updates: said(),
    }
}

fn moments() -> Vec<Moment> {
    let posted = |kind| {
        let update = Update { kind, text: "It is the *disk*.".to_owned(), by: "ada".to_owned(), at: NOON };
        UpdateId::parse("abcdefg2").map(|id| Happened::Posted(Posted { id, update }))
    };
    let told = |state| Happened::Told { channel: "ops".to_owned(), event: "down".to_owned(), state };
    let confirmed =
        Happened::Confirmed { failing: vec!["eu".to_owned(), "us".to_owned()], fine: vec!["ap".to_owned()], unknown: Vec::new() };
    let ack = AckView { by: "ada".to_owned(), at: NOON, until: None, note: "on my way".to_owned(), holds: true };
    let first = Happened::FirstBad { look: Verdict::Down, cause: "connection refused by 192.0.2.1:443".to_owned() };
    let rest = [confirmed, told(Sending::Sent(NOON)), told(Sending::Waiting(NOON)), told(Sending::Dead(NOON)), Happened::Acknowledged(ack)];
    let written = [posted(UpdateKind::State { state: UpdateState::Identified, is_public: true }), posted(UpdateKind::Note)];
    let end = [Happened::Learnt { by: "ada".to_owned() }, Happened::Over { how: "recovered".to_owned() }];
    let all = std::iter::once(first).chain(rest).chain(written.into_iter().flatten()).chain(end);
    all.zip(0..).map(|(what, i): (Happened, u64)| Moment { at: NOON.minus(Duration::from_secs((12 - i) * 240)), what }).collect()
}

/// A status page with everything that can be on one.
#[must_use]
pub fn status(links: &Links, p: &Phrases) -> Markup {
    let window = |is_open| WindowView {
        name: "Database upgrade".to_owned(),
        message: Some("Reports are read-only meanwhile.".to_owned()),
        from: if is_open { NOON.minus(Duration::from_secs(1800)) } else { NOON + Duration::from_secs(90_000) },
        to: NOON + Duration::from_secs(97_200),
        is_open,
        services: (1..=10).map(|n| format!("Reports {n}")).collect(),
    };
    let lanes = [Lane::Outage, Lane::Degradation, Lane::Regional];
    let group = |name: &str, states: &[Verdict]| GroupView {
        name: name.to_owned(),
        services: states.iter().map(|state| service(*state)).collect(),
        is_open: None,
    };
    let view = StatusView {
        links: links.clone(),
        address: "#".to_owned(),
        feed: "#".to_owned(),
        calendar: "#".to_owned(),
        subscribe: Some("#".to_owned()),
        title: "Status gallery".to_owned(),
        indexed: false,
        dark: DarkMode::Auto,
        stylesheet: None,
        logo: None,
        headline: Headline::Counted { n_down: 1, n_degraded: 1, n_unknown: 1, n_regional: 1, n_maintenance: 1, n: 9 },
        as_of: Some(NOON.minus(Duration::from_secs(20))),
        old_at: Some(NOON + Duration::from_secs(600)),
        groups: vec![
            group("All states", &STATES),
            group("In maintenance", &[Verdict::Maintenance; 3]),
            group("Paused", &[Verdict::Paused]),
        ],
        troubled: vec!["us-east".to_owned()],
        open: lanes.map(|lane| public_incident(lane, true)).into(),
        past: vec![PastDay { date: "2026-06-29".to_owned(), incidents: lanes.map(|lane| public_incident(lane, false)).into() }],
        maintenance: vec![window(true), window(false)],
        announcements: announcements(),
        announced: vec![announced()],
        past_announced: vec![AnnouncedView {
            key: "over".to_owned(),
            state: UpdateState::Resolved,
            until: Some(NOON.minus(Duration::from_secs(3600))),
            ..announced()
        }],
        footer: vec![Link { title: "Support".to_owned(), url: "https://example.com/support".to_owned() }],
    };
    status::page(&view, p, NOON)
}

/// `2026-06-30`, of a day of the bar.
fn date(day: usize) -> String {
    let ago = 89_u64.saturating_sub(u64::try_from(day).unwrap_or(89));
    NOON.minus(Duration::from_secs(ago * 86_400)).rfc3339().chars().take(10).collect()
}

fn service(state: Verdict) -> ServiceView {
    let cell = |region: &str, state| RegionCell { region: region.to_owned(), state };
    let took = |i: u64| (!(20..23).contains(&i)).then(|| Duration::from_millis(80 + i * 37 % 90));
    ServiceView {
        name: format!("Service that is {}", state.word()),
        state,
        is_regional: state == Verdict::Up,
        detail: (state == Verdict::Unknown).then_some((Verdict::Unknown, Detail::NeverPinged)),
        uptime: Uptime { fraction: Some(0.9987), unknown: 0.02, maintenance: 0.01 },
        days: days().into_iter().enumerate().map(|(i, day)| DayBar { date: date(i), ..day }).collect(),
        response_time: (state != Verdict::Down).then_some(Duration::from_millis(128)),
        response_times: (0..40).map(took).collect(),
        response_from: Some("eu-west".to_owned()),
        target: Some("https://api.example.com/health".to_owned()),
        error: (state == Verdict::Down).then(|| "no connection within 10 s".to_owned()),
        regions_failing: if state == Verdict::Down { vec!["eu-west".to_owned(), "us-east".to_owned()] } else { Vec::new() },
        regions: vec![cell("eu-west", Some(state)), cell("us-east", Some(Verdict::Up)), cell("home", None)],
    }
}

fn public_incident(lane: Lane, is_open: bool) -> PublicIncident {
    PublicIncident {
        key: format!("{lane:?}-{is_open}"),
        service: "Payments API".to_owned(),
        lane,
        opened_at: NOON.minus(Duration::from_secs(4000)),
        closed_at: (!is_open).then_some(NOON),
        cause: Some("no connection within 10 s".to_owned()),
        diagnosis: Some(Diagnosis::Transit),
        regions: vec!["us-east".to_owned()],
        updates: if lane == Lane::Outage { said() } else { Vec::new() },
        postmortem: (!is_open).then(|| LearntText { text: "It was the **disk**.".to_owned(), at: NOON }),
    }
}

/// What came of a new monitor: wrong, right, tried.
fn new_monitors() -> [Shown; 3] {
    let item = |name: &str, tried| Shown::Item {
        yaml: format!("  - name: {name}\n    http: https://shop.example.com/\n"),
        name: name.to_owned(),
        tried,
        add: Add::Offered {
            file: "web.yaml".to_owned(),
            seen: String::new(),
            complaint: Some("`web.yaml` was changed meanwhile, and nothing was added.".to_owned()),
        },
    };
    let (message, hint) = ("`soon` is not a duration".to_owned(), "write `30s`, `5m` or `1h30m`".to_owned());
    let wrong = vec![FieldProblem { field: "interval", message, hint }];
    let check = LastCheck {
        at: NOON,
        outcome: Outcome::Down,
        failure: Some("status 503 instead of 2xx".to_owned()),
        status: Some(503),
        remote: Some("192.0.2.7:443".to_owned()),
        certificate_not_after: None,
        timings: timings(),
        transcript: vec!["connect 192.0.2.7:443 (24 ms)".to_owned()],
        n_dropped: 1,
    };
    [Shown::Problems { of_fields: wrong, others: vec![problem()] }, item("Shop", None), item("Tried", Some(Box::new(check)))]
}

fn finished() -> Vec<FinishedRun> {
    let run = |i: u64| {
        let (took, look, word) = match i {
            7 => (3, Verdict::Degraded, "suspiciously fast"),
            20 | 33 => (118, Verdict::Down, "fail"),
            _ => (40 + i * 37 % 60, Verdict::Up, "success"),
        };
        let at = NOON.minus(Duration::from_secs((50 - i) * 3600));
        FinishedRun { at, took: Duration::from_secs(took), look, word, run: i.is_multiple_of(2).then(|| format!("run-{i}")) }
    };
    (0..50).map(run).collect()
}

fn days() -> Vec<DayBar> {
    (0..90)
        .map(|i| DayBar {
            date: format!("day {i}"),
            up_fraction: (i > 9).then_some(if i % 30 == 0 { 0.97 } else { 1.0 }),
            worst: match i {
                0..10 => Verdict::Unknown,
                20 | 21 => Verdict::Paused,
                25 => Verdict::Maintenance,
                45 => Verdict::Degraded,
                _ if i % 30 == 0 => Verdict::Down,
                _ => Verdict::Up,
            },
            down_minutes: if i % 30 == 0 { 43 } else { 0 },
            maintenance_minutes: if i % 7 == 4 { 120 } else { 0 },
        })
        .collect()
}

fn ticks() -> Vec<Tick> {
    let outcome = |i: u64| match i {
        20 => Outcome::Degraded,
        40..44 => Outcome::Down,
        50 => Outcome::Unknown,
        _ => Outcome::Up,
    };
    (0..60).map(|i| Tick { outcome: outcome(i), took: Duration::from_millis(80 + i * 37 % 90) }).collect()
}

fn samples() -> Vec<Sample> {
    (0..96_u64)
        .map(|i| Sample {
            at: NOON.minus(Duration::from_secs((96 - i) * 900)),
            p50: (!(40..=50).contains(&i)).then_some(Duration::from_millis(80 + i * 31 % 40)),
            p95: (!(40..=50).contains(&i)).then_some(Duration::from_millis(140 + i * 53 % 160)),
        })
        .collect()
}

fn latencies() -> LatencyView {
    let ms = Duration::from_millis;
    let step = Duration::from_secs(900);
    let point = |i: u64| {
        let answered = !(40..=50).contains(&i);
        let time = |n: u64| answered.then(|| ms(n));
        let phase = |n: u64| if answered { ms(n) } else { Duration::ZERO };
        Point {
            at: NOON.minus(step * u32::try_from(96 - i).unwrap_or(0)),
            n_checks: 15,
            n_bad: if answered { u64::from(i.is_multiple_of(20)) } else { 15 },
            p50: time(80 + i * 31 % 40),
            p95: time(140 + i * 53 % 160),
            p99: time(200 + i * 53 % 260),
            phases: [phase(8), phase(20), phase(30), phase(40 + i * 31 % 40), phase(6)],
        }
    };
    let points = (0..96).filter(|i| !(70..75).contains(i)).map(point).collect();
    LatencyView { span: (NOON.minus(step * 96), NOON), step, is_joined: true, points }
}

fn overview(state: Verdict) -> Summary {
    let place = |name: &str, n| Place { name: name.to_owned(), n, href: Some("#".to_owned()) };
    let is_bad = state == Verdict::Down;
    Summary {
        state,
        sentence: if is_bad { "4 of 60 monitors are down, 2 degraded" } else { "All 60 monitors are up" }.to_owned(),
        first: is_bad.then(|| NOON.minus(Duration::from_secs(7800))),
        newest: is_bad.then(|| NOON.minus(Duration::from_secs(190))),
        groups: (if is_bad { vec![place("Production", 3), place("Office", 1)] } else { Vec::new() }, if is_bad { 2 } else { 0 }),
        regions: (if is_bad { vec![place("eu-west", 4)] } else { Vec::new() }, 0),
    }
}

fn counts() -> Vec<Count> {
    let count = |(i, state): (usize, Verdict)| Count { state, n: i * 7, href: "#".to_owned(), is_chosen: i == 2 };
    STATES.into_iter().enumerate().map(count).collect()
}

fn timings() -> Timings {
    let ms = |n| Some(Duration::from_millis(n));
    Timings { dns: ms(12), connect: ms(24), tls: ms(41), first_byte: ms(130), transfer: ms(8), total: Duration::from_millis(215) }
}

fn shared() -> RegionsView {
    let results = |outcome| {
        let lines = if outcome == Outcome::Up { Vec::new() } else { vec!["connect 192.0.2.7:443 (24 ms)".to_owned()] };
        Measured::Results(Box::new(RegionResults {
            at: NOON.minus(Duration::from_secs(20)),
            outcome,
            status: Some(200),
            remote: Some("192.0.2.7".to_owned()),
            timings: timings(),
            lines,
            n_dropped: 0,
            recent: ticks(),
            samples: samples(),
        }))
    };
    let row = |region: &str, state, measured| RegionRow {
        region: region.to_owned(),
        node: format!("node-{region}"),
        is_inside: region == "home",
        is_me: region == "eu-west",
        state,
        is_suspect: state == Verdict::Up && region == "home",
        since: Some(NOON.minus(Duration::from_secs(300))),
        cause: (state == Verdict::Down).then(|| "no connection within 10 s".to_owned()),
        ignored: (state == Verdict::Unknown).then(|| "not heard; it said up before".to_owned()),
        measured,
    };
    RegionsView {
        sentences: vec!["1 of 3 regions says down, which is short of the quorum (majority): it counts as up.".to_owned()],
        diagnosis: Some("it works from inside and from other regions: look at transit, CDN or geographic DNS for the failing ones"),
        decider: Some("node-eu-west".to_owned()),
        rows: vec![
            row("eu-west", Verdict::Up, results(Outcome::Up)),
            row("us-east", Verdict::Down, results(Outcome::Down)),
            row("ap-south", Verdict::Unknown, Measured::Nothing("did not answer".to_owned())),
            row("sa-east", Verdict::Degraded, results(Outcome::Degraded)),
            row("home", Verdict::Up, Measured::NotAsked),
            row("attic", Verdict::Paused, Measured::Nothing("no check yet".to_owned())),
        ],
    }
}

fn announcements() -> Vec<AnnouncementView> {
    let kinds = [AnnouncementKind::Info, AnnouncementKind::Warning, AnnouncementKind::Outage, AnnouncementKind::Operational];
    kinds.map(|kind| AnnouncementView { at: NOON, kind, text: "We are moving to the new data centre.".to_owned() }).into()
}

fn problem() -> ProblemView {
    ProblemView {
        place: "config.yaml:14:5".to_owned(),
        path: "monitors[2].timeout".to_owned(),
        message: "`45s` is longer than the interval `30s`".to_owned(),
        hint: "make `timeout` at most `interval`".to_owned(),
    }
}

fn frame(links: &Links) -> Frame {
    Frame {
        links: links.clone(),
        now: NOON,
        user: "owner".to_owned(),
        may_operate: true,
        may_administer: true,
        form_token: String::new(),
        revision: String::new(),
        has_peers: true,
        has_heartbeats: true,
        banners: Vec::new(),
    }
}

fn marks() -> Vec<Mark> {
    let by = || "ada".to_owned();
    vec![
        Mark::Acknowledged { by: by(), until: None },
        Mark::Acknowledged { by: by(), until: Some(NOON + Duration::from_secs(3600)) },
        Mark::Silenced(NOON + Duration::from_secs(3600)),
        Mark::Hidden("[prod-us] load balancer".to_owned()),
        Mark::Flapping,
    ]
}

fn alerts() -> AlertSection {
    let at = NOON.minus(Duration::from_secs(300));
    AlertSection {
        incident: IncidentId::from_derived("k3v9q2m7x4t1a"),
        monitor: MonitorId::parse("api").expect("an id"),
        acknowledged: Some(AckView { by: "ada".to_owned(), at, until: None, note: "on it".to_owned(), holds: true }),
        told: vec!["chat".to_owned()],
        waiting: vec!["pager".to_owned()],
        waits: Some(Waits::Parent { name: "[prod-us] load balancer".to_owned(), is_down: true }),
        next_at: None,
        morning: NOON + Duration::from_secs(21 * 3600),
    }
}

/// A node in every state, some of them with what else can be wrong.
fn peers() -> Vec<NodeCard> {
    let states = [
        (Verdict::Up, "Live", ""),
        (Verdict::Unknown, "Settling", "It has just started, and checks everything once before it takes part."),
        (Verdict::Down, "Silent", "No link: the connection was refused."),
        (Verdict::Degraded, "Abstains", "It abstains: `eu` reaches none of its controls."),
        (Verdict::Degraded, "Wedged", "It answers, and its checks do not run: look at its load and its log."),
        (Verdict::Paused, "Forgotten", "It was forgotten and still runs, without a vote: stop it, or start it under another name."),
    ];
    let link = |is_up| LinkCard {
        words: if is_up { "Up" } else { "Down" },
        since: NOON.minus(Duration::from_secs(4000)),
        look: if is_up { Verdict::Up } else { Verdict::Down },
        dialer: "dialed from here",
        address: Some("wss://eu.example.net/peer".to_owned()),
    };
    let card = |(i, (look, word, note)): (usize, (Verdict, &'static str, &str))| {
        let is_live = look != Verdict::Down;
        Some(NodeCard {
            name: NodeName::parse(&format!("node-{i}")).ok()?,
            region: "eu-west".to_owned(),
            vantage: "looks from outside",
            is_me: i == 0,
            look,
            word,
            notes: Some(note.to_owned()).filter(|note| !note.is_empty()).into_iter().collect(),
            link: (i > 0).then(|| link(is_live)),
            round_trip: (i > 0 && is_live).then_some(Duration::from_millis(24)),
            clock: is_live.then(|| "12 ms ahead".to_owned()),
            has_same_config: is_live.then_some(i != 3),
            config: is_live.then(|| "0123456789ab".to_owned()),
            n_decides: 14 * i,
            traffic: (i > 0 && is_live).then_some((48_211, 51_030)),
            version: is_live.then(|| ("0.1.0".to_owned(), "0.1.0 (0a1b2c3d)".to_owned())),
            started_at: is_live.then(|| NOON.minus(Duration::from_secs(90_000))),
            may_be_forgotten: !is_live,
        })
    };
    states.into_iter().enumerate().filter_map(card).collect()
}

fn refused() -> RefusedRow {
    RefusedRow {
        at: NOON,
        from: "203.0.113.9".to_owned(),
        node: Some("ap-south".to_owned()),
        why: "it calls itself `ap-south`, which is not in `peers.nodes`".to_owned(),
    }
}
