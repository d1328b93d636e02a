//! What pages and the API say of regions: votes, what other nodes measured, and what visitors of a status page may know of it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::engine::snapshot::Agreement;
use crate::engine::snapshot::ClusterView;
use crate::engine::snapshot::Ignored;
use crate::engine::snapshot::MonitorView;
use crate::engine::snapshot::NodeView;
use crate::engine::snapshot::Snapshot;
use crate::engine::snapshot::VoteView;
use crate::http::archive::Later;
use crate::http::colleagues::Colleagues;
use crate::http::tests::world::NOON;
use crate::http::tests::world::World;
use crate::http::tests::world::config;
use crate::http::tests::world::incident;
use crate::http::tests::world::monitor;
use crate::http::tests::world::page;
use crate::http::tests::world::snapshot;
use crate::http::tests::world::view;
use crate::model::id::NodeName;
use crate::model::id::Region;
use crate::model::incident::CloseReason;
use crate::model::incident::Closed;
use crate::model::incident::Incident;
use crate::model::incident::Lane;
use crate::model::page::Show;
use crate::model::page::Visibility;
use crate::model::peer::Vantage;
use crate::model::result::CheckResult;
use crate::model::result::Failure;
use crate::model::result::Outcome;
use crate::model::result::Timings;
use crate::model::result::Transcript;
use crate::model::verdict::Confidence;
use crate::model::verdict::Diagnosis;
use crate::model::verdict::OpinionState;
use crate::model::verdict::RegionView;
use crate::model::verdict::Verdict;
use crate::peer::port::Ask;
use crate::peer::port::AskError;
use crate::peer::results::Newest;
use crate::peer::results::Results;

pub(super) fn region(name: &str) -> Region {
    Region::parse(name).unwrap()
}

fn node(name: &str) -> NodeName {
    NodeName::parse(name).unwrap()
}

/// The vote of the node `n-<region>`; the node in `eu` is this one, the one at `home` looks from inside.
pub(super) fn vote(name: &str, state: OpinionState, ignored: Option<Ignored>, cause: Option<&str>) -> VoteView {
    VoteView {
        node: Some(node(&format!("n-{name}"))),
        region: region(name),
        vantage: if name == "home" { Vantage::Internal } else { Vantage::External },
        is_me: name == "eu",
        state,
        since: Some(NOON.minus(Duration::from_secs(120))),
        cause: cause.map(ToOwned::to_owned),
        ignored,
    }
}

pub(super) fn cluster(regions: &[&str]) -> Arc<ClusterView> {
    let one = |name: &&str| NodeView {
        name: node(&format!("n-{name}")),
        region: region(name),
        vantage: if *name == "home" { Vantage::Internal } else { Vantage::External },
        is_me: *name == "eu",
        is_configured: true,
        is_live: true,
        known_ago: None,
        ignored: None,
        abstains: None,
        meta: None,
        has_same_config: None,
        n_decides: 0,
    };
    Arc::new(ClusterView {
        name: "acme".to_owned(),
        me: node("n-eu"),
        nodes: regions.iter().map(one).collect(),
        forgotten: Vec::new(),
        solo_after: None,
        is_ready: true,
        is_primary: true,
        clock_offset_ms: None,
    })
}

const CAUSE: &str = "canary-cause of us";

/// A monitor that `us` sees down: nobody else does, or all but the ones inside.
fn regional() -> MonitorView {
    let mut view = view(monitor("api", "canary-target"), None);
    view.votes = vec![
        vote("eu", OpinionState::Up, None, None),
        vote("us", OpinionState::Down, None, Some(CAUSE)),
        vote("ap", OpinionState::Up, None, None),
        vote("home", OpinionState::Up, None, None),
    ];
    view.regions = RegionView { failing: vec![region("us")], fine: vec![region("ap"), region("eu")], unknown: Vec::new() };
    (view.agreement, view.diagnosis, view.decider) = (Agreement::Regional, Some(Diagnosis::Transit), Some(node("n-ap")));
    let mut open = incident(&view.monitor, Failure::Body { detail: "canary-first cause".to_owned() });
    (open.lane, open.regions, open.diagnosis) = (Lane::Regional, view.regions.clone(), view.diagnosis);
    view.incidents = vec![open];
    view
}

/// All outside see it down but this node, which does not check it; nothing was ever measured here.
fn elsewhere() -> MonitorView {
    let mut view = view(monitor("web", "canary-web"), None);
    view.votes = vec![vote("us", OpinionState::Down, None, Some(CAUSE)), vote("ap", OpinionState::Down, Some(Ignored::Silent), None)];
    view.regions = RegionView { failing: vec![region("us")], fine: Vec::new(), unknown: vec![region("ap")] };
    (view.verdict, view.last, view.recent, view.next_check_at) = (Verdict::Down, None, Arc::new([]), None);
    let mut open = incident(&view.monitor, Failure::Body { detail: "canary-first cause".to_owned() });
    (open.regions, open.confidence) = (view.regions.clone(), Confidence::Degraded);
    view.incidents = vec![open];
    view
}

fn of(views: Vec<MonitorView>, show: Show) -> Snapshot {
    let mut config = config();
    let ids: Vec<String> = views.iter().map(|view| view.monitor.id.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut shown = page("prod", Visibility::Public, &ids);
    shown.show = show;
    config.pages = vec![Arc::new(shown)];
    Snapshot { cluster: Some(cluster(&["eu", "us", "ap", "home"])), ..snapshot(config, views) }
}

const ALL: Show = Show { targets: true, errors: true, response_times: true, regions: true, history: Duration::from_secs(86_400) };
const NOTHING: Show = Show { targets: false, errors: false, response_times: false, regions: false, history: Duration::from_secs(86_400) };

/// Nodes that tell: `us` what it measured, `ap` nothing for ever, `home` that it does not want to.
pub(super) struct Nodes(pub(super) String);

impl Colleagues for Nodes {
    fn ask<'a>(&'a self, node: &'a NodeName, ask: Ask) -> Later<'a, Result<Bytes, AskError>> {
        assert!(matches!(ask.about.as_str(), "results" | "failed"), "{ask:?}");
        Box::pin(async move {
            match node.as_str() {
                "n-us" => Ok(self.results().encode(NOON)),
                "n-ap" => std::future::pending().await,
                _ => Err(AskError::Refused { node: node.clone(), why: self.0.clone() }),
            }
        })
    }
}

impl Nodes {
    fn results(&self) -> Results {
        let ms = Duration::from_millis;
        let newest = Newest {
            at: NOON.minus(ms(7000)),
            outcome: Outcome::Down,
            failure: Some(self.0.clone()),
            status: Some(503),
            remote: "192.0.2.9".parse().ok(),
            timings: Timings { connect: Some(ms(31)), first_byte: Some(ms(90)), total: ms(123), ..Timings::default() },
            transcript: Transcript { lines: vec![self.0.clone()], n_dropped: 2 },
        };
        Results { newest: Some(newest), ..Results::default() }
    }
}

async fn world(views: Vec<MonitorView>, show: Show) -> World {
    let mut world = World::new(of(views, show)).await;
    world.has_colleagues(Arc::new(Nodes("told by a node".to_owned())));
    world.read_history().await;
    world
}

#[tokio::test(start_paused = true)]
async fn a_monitor_says_what_each_region_holds_and_measured() {
    let world = world(vec![regional()], ALL).await;
    let cookie = world.sign_in().await;
    let html = world.get("/monitors/api", &[("cookie", &cookie)]).await.body;
    for shown in [
        "1 of 3 regions says down, which is short of the quorum (majority): it counts as up.",
        "From inside it works.",
        "n-ap decides and tells.",
        Diagnosis::Transit.sentence(),
        "from us: canary-cause of us",
        "n-eu, this node",
        "n-home, inside",
        "123 ms",
        "connect 31 ms · first byte 90 ms",
        "status 503 from 192.0.2.9",
        "<td class=\"quiet\">did not answer</td>",
        "refused: told by a node",
    ] {
        assert!(html.contains(shown), "{shown} in {html}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_incident_has_the_evidence_of_other_regions() {
    let world = world(vec![regional()], ALL).await;
    let cookie = world.sign_in().await;
    let html = world.get("/incidents/incapi", &[("cookie", &cookie)]).await.body;
    for shown in
        ["Regional", "Regions now", "canary-cause of us", "told by a node\n2 more lines were not kept", Diagnosis::Transit.sentence()]
    {
        assert!(html.contains(shown), "{shown} in {html}");
    }
    assert!(!html.contains("did not answer"), "regions that are fine have nothing to show");
    let list = world.get("/monitors", &[("cookie", &cookie)]).await.body;
    assert!(list.contains("<a href=\"/incidents/incapi\">from us: ") && list.contains("The one monitor fails from some regions"), "{list}");
}

#[tokio::test(start_paused = true)]
async fn an_incident_that_is_over_has_what_each_region_saw_last() {
    let mut view = regional();
    let open = view.incidents.remove(0);
    let own = view.last.as_deref().unwrap().clone();
    let world = world(vec![view], ALL).await;
    let over = |at| Incident { closed: Some(Closed { at, how: CloseReason::Recovered }), ..open.clone() };
    *world.shelf.incidents.lock().unwrap() = vec![over(open.confirmed_at + Duration::from_secs(60))];
    let failed = |at| CheckResult {
        at,
        outcome: Outcome::Down,
        failure: Some(Failure::Body { detail: "seen from here".to_owned() }),
        ..own.clone()
    };
    let cookie = world.sign_in().await;
    let page = async || world.get("/incidents/incapi", &[("cookie", &cookie)]).await.body;
    *world.shelf.results.lock().unwrap() = vec![own.clone(), failed(open.confirmed_at)];
    let html = page().await;
    for shown in [
        "What the regions saw last",
        "told by a node\n2 more lines were not kept",
        "seen from here",
        "Last bad check: did not answer",
        "refused: told by a node",
    ] {
        assert!(html.contains(shown), "{shown} in {html}");
    }
    assert!(!html.contains("Regions now"));
    let slow = CheckResult { outcome: Outcome::Degraded, ..failed(open.confirmed_at) };
    *world.shelf.results.lock().unwrap() = vec![failed(open.confirmed_at + Duration::from_secs(60)), own.clone()];
    assert!(!page().await.contains("seen from here"), "that was later");
    let outage = Incident { lane: Lane::Outage, ..over(open.confirmed_at + Duration::from_secs(60)) };
    *world.shelf.incidents.lock().unwrap() = vec![outage];
    *world.shelf.results.lock().unwrap() = vec![slow];
    assert!(!page().await.contains("seen from here"), "slowness is not what it was about");
}

#[tokio::test(start_paused = true)]
async fn what_is_decided_by_few_says_so() {
    let world = world(vec![elsewhere()], ALL).await;
    let cookie = world.sign_in().await;
    let sentence = "The outage was decided by 1 of 2 regions, because the others were not seen.";
    for path in ["/monitors/web", "/incidents/incweb"] {
        let html = world.get(path, &[("cookie", &cookie)]).await.body;
        assert!(html.contains(sentence) && html.contains(CAUSE), "{path}: {html}");
    }
    let html = world.get("/monitors/web", &[("cookie", &cookie)]).await.body;
    assert!(html.contains("Does not count: not heard; it said down before") && html.contains("by other nodes"), "{html}");
}

#[tokio::test(start_paused = true)]
async fn the_dashboard_has_a_mark_for_each_region() {
    let quiet = |name: &str| {
        let mut view = view(monitor(name, "db"), None);
        view.votes = ["eu", "us", "ap", "home"].map(|name| vote(name, OpinionState::Up, None, None)).to_vec();
        view
    };
    let world = world(vec![quiet("first"), regional(), elsewhere()], ALL).await;
    let cookie = world.sign_in().await;
    let html = world.get("/monitors", &[("cookie", &cookie)]).await.body;
    assert!(html.contains("<th title=\"eu, us, ap, home\">Regions</th>"), "{html}");
    assert!(html.contains("<td><b class=\"is-up\" aria-hidden=\"true\">●●●●</b> 4/4</td>"), "{html}");
    assert!(html.contains("title=\"Up: eu, ap, home; Down: us\"") && html.contains("3/4<p class=\"quiet\">us</p>"), "{html}");
    assert!(html.contains("title=\"Down: us; Unknown: ap\"") && html.contains("elsewhere"), "{html}");
    let order: Vec<usize> =
        ["/monitors/web\"", "/monitors/api\"", "/monitors/first\""].iter().filter_map(|link| html.rfind(link)).collect();
    assert!(order.is_sorted() && order.len() == 3, "down, regional, fine");
}

#[tokio::test(start_paused = true)]
async fn the_api_has_the_votes_and_on_request_what_was_measured() {
    let world = world(vec![regional(), elsewhere()], ALL).await;
    let cookie = world.sign_in().await;
    let get =
        async |path: &str| -> serde_json::Value { serde_json::from_str(&world.get(path, &[("cookie", &cookie)]).await.body).unwrap() };
    let plain = get("/api/v1/monitors/api").await;
    let us = &plain["regions"][1];
    assert_eq!((&us["region"], &us["node"], &us["vantage"]), (&"us".into(), &"n-us".into(), &"external".into()));
    assert_eq!(
        (&us["status"], &us["cause"], &us["ignored"], us.get("results")),
        (&"down".into(), &CAUSE.into(), &serde_json::Value::Null, None)
    );
    assert_eq!(
        (&plain["status"], &plain["cause"], &plain["cause_code"]),
        (&"up".into(), &"from us: canary-cause of us".into(), &"body".into())
    );
    let full = get("/api/v1/monitors/api?results=1").await;
    let check = &full["regions"][1]["results"]["last_check"];
    assert_eq!(
        (&check["total_ms"], &check["phases_ms"]["connect"], &check["cause"]),
        (&123.0.into(), &31.0.into(), &"told by a node".into())
    );
    assert_eq!(full["regions"][0]["results"]["last_check"]["total_ms"], 42.0, "this node is not asked over a link");
    assert_eq!(full["regions"][2]["results"]["error"], "did not answer");
    let web = get("/api/v1/monitors/web").await;
    assert_eq!((&web["status"], &web["cause"], &web["regions"][1]["ignored"]), (&"down".into(), &CAUSE.into(), &"not heard".into()));
}

#[tokio::test(start_paused = true)]
async fn a_status_page_does_not_depend_on_what_this_node_checks() {
    let world = world(vec![elsewhere()], ALL).await;
    let html = world.get("/status/prod", &[]).await.body;
    assert!(html.contains("1 of 1 service is down") && html.contains(">2026-06-30 12:00 UTC</time> ("), "{html}");
    assert!(html.contains(CAUSE) && !html.contains("Nothing was checked yet"), "{html}");
    world.show(|snapshot| {
        let view = Arc::make_mut(snapshot.monitors.values_mut().next().unwrap());
        view.votes.iter_mut().for_each(|vote| vote.ignored = Some(Ignored::Silent));
    });
    world.clock.advance(Duration::from_secs(1));
    assert!(world.get("/status/prod", &[]).await.body.contains("Nothing was checked yet"), "nobody has a say");
}

#[tokio::test(start_paused = true)]
async fn trouble_of_a_few_regions_is_told_to_visitors() {
    let world = world(vec![regional(), elsewhere()], ALL).await;
    let html = world.get("/status/prod", &[]).await.body;
    for shown in [
        "1 of 2 services is down, 1 has trouble from us",
        "Regional trouble",
        "<p>Failing from us</p>",
        "<th class=\"is-down failing\" scope=\"col\">us <span class=\"tally\">",
        "2 in trouble",
        "<th class=\"is-up\" scope=\"col\">home ",
        " Not checked from here",
        CAUSE,
        Diagnosis::Transit.sentence(),
        "42 ms from eu",
    ] {
        assert!(html.contains(shown), "{shown} in {html}");
    }
    let json: serde_json::Value = serde_json::from_str(&world.get("/status/prod.json", &[]).await.body).unwrap();
    let api = &json["groups"][0]["services"][0];
    assert_eq!(
        api["regions"],
        serde_json::json!([{"region": "eu", "status": "up"}, {"region": "us", "status": "down"}, {"region": "ap", "status": "up"}, {"region": "home", "status": "up"}])
    );
    assert_eq!(
        (&api["status"], &api["regions_failing"][0], &json["open_incidents"][0]["kind"]),
        (&"up".into(), &"us".into(), &"regional".into())
    );
}

#[tokio::test(start_paused = true)]
async fn a_page_that_shows_no_regions_and_no_errors_names_none() {
    let world = world(vec![regional(), elsewhere()], NOTHING).await;
    for path in ["/status/prod", "/status/prod.json"] {
        let body = world.get(path, &[]).await.body;
        assert!(body.contains("1 of 2 services is down, 1 has trouble from some regions"), "{body}");
        for hidden in ["canary", "transit", "\"us\"", ">us<", "from us", "n-us", "home", "matrix", "told by"] {
            assert!(!body.contains(hidden), "{hidden} in {body}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn alone_pages_say_nothing_of_regions() {
    let mut alone = view(monitor("api", "db"), None);
    alone.votes = vec![VoteView { node: None, ..vote("eu", OpinionState::Up, None, None) }];
    let world = World::new(Snapshot { cluster: None, ..of(vec![alone], ALL) }).await;
    let cookie = world.sign_in().await;
    for path in ["/monitors/api", "/status/prod"] {
        let html = world.get(path, &[("cookie", &cookie)]).await.body;
        assert!(!html.contains("Regions") && !html.contains("quorum"), "{path}: {html}");
    }
    assert!(world.get("/monitors", &[("cookie", &cookie)]).await.body.contains("<th>Region</th>"));
}
