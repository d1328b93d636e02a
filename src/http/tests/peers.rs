//! The peers page, the banners that lead to it, and what programs are told of a cluster.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;

use crate::config::Scope;
use crate::engine::handle::Operation;
use crate::engine::snapshot::Agreement;
use crate::engine::snapshot::ClusterView;
use crate::engine::snapshot::Ignored;
use crate::engine::snapshot::MonitorView;
use crate::engine::snapshot::NodeView;
use crate::http::api;
use crate::http::peer_views::LinkReport;
use crate::http::tests::regions::vote;
use crate::http::tests::world::NOON;
use crate::http::tests::world::World;
use crate::http::tests::world::api_token;
use crate::http::tests::world::cluster;
use crate::http::tests::world::config;
use crate::http::tests::world::monitor;
use crate::http::tests::world::node;
use crate::http::tests::world::snapshot;
use crate::http::tests::world::usual;
use crate::http::tests::world::view;
use crate::http::visit::Peer;
use crate::model::id::NodeName;
use crate::model::id::Region;
use crate::model::verdict::Diagnosis;
use crate::model::verdict::OpinionState;
use crate::model::verdict::RegionView;
use crate::peer::port::Dialer;
use crate::peer::port::LinkState;
use crate::peer::port::LinkView;
use crate::peer::port::RefusedLink;

async fn world_of(nodes: Vec<NodeView>) -> World {
    let world = World::new(usual()).await;
    world.show(|snapshot| snapshot.cluster = Some(Arc::new(cluster(nodes))));
    world
}

#[tokio::test]
async fn alone_the_page_says_how_to_change_that_and_nothing_leads_there() {
    let world = World::new(usual()).await;
    let cookie = world.sign_in().await;
    assert!(!world.get("/monitors", &[("cookie", &cookie)]).await.body.contains("href=\"/peers\""));
    let page = world.get("/peers", &[("cookie", &cookie)]).await.body;
    for shown in
        ["watches alone", "VIGILMON_NODE", "peers:\n  cluster: acme", "region: local, url: &quot;wss://status.example.com/peer&quot;"]
    {
        assert!(page.contains(shown), "{shown}");
    }
    let ping = world.ask_from(Peer::Control, "POST /local/peers/b/ping", &[], "").await;
    assert!(ping.status == StatusCode::CONFLICT && ping.body.contains("watches alone"), "{}", ping.body);
    world.show(|snapshot| {
        let mut config = snapshot.config.as_ref().clone();
        (config.server.public_url, config.server.base_path) = (Some("http://localhost:8080/watch".to_owned()), "/watch".to_owned());
        snapshot.config = Arc::new(config);
    });
    let cookie_below = ("cookie", cookie.as_str());
    let page = world.get("/watch/peers", &[cookie_below]).await.body;
    assert!(page.contains("ws://localhost:8080/watch/peer&quot;"), "{page}");
    let json = world.get("/watch/api/v1/peers", &[cookie_below]).await.body;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(json["cluster"].is_null() && json["nodes"] == serde_json::json!([]), "{json}");
}

#[tokio::test]
async fn who_is_there_and_who_counts_is_on_the_page() {
    let world = world_of(vec![node("a", None), node("b", Some(Ignored::Silent)), node("c", Some(Ignored::Wedged))]).await;
    let cookie = world.sign_in().await;
    let dashboard = world.get("/monitors", &[("cookie", &cookie)]).await.body;
    assert!(dashboard.contains("href=\"/peers\"") && !dashboard.contains("See the peers"), "nothing is wrong enough for a banner");
    let page = world.get("/peers", &[("cookie", &cookie)]).await.body;
    for shown in [
        "This node sees 2 of 3 nodes",
        "not heard: b.",
        "Live",
        "Silent",
        "Wedged",
        "look at its load",
        "3.0 ms ahead",
        "0123456789ab",
        "data-key=\"b\"",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
    assert!(page.contains("action=\"/peers/b/forget\"") && !page.contains("/peers/c/forget") && !page.contains("/peers/a/forget"));
}

#[tokio::test]
async fn what_is_wrong_with_the_cluster_is_said_on_every_page() {
    let cut_off = vec![node("a", None), node("b", Some(Ignored::Silent)), node("c", Some(Ignored::Silent))];
    let sick = vec![NodeView { abstains: Some("it reaches nothing".to_owned()), ..node("a", Some(Ignored::Abstains)) }, node("b", None)];
    let other = vec![node("a", None), NodeView { has_same_config: Some(false), ..node("b", None) }];
    for (nodes, expected) in [
        (cut_off, "This node sees 1 of 3 nodes and is not the primary part: it acts alone after 1 min."),
        (sick, "This node abstains: it reaches nothing. The others decide without it."),
        (other, "b has another config than this node. Monitors that differ are not voted on together"),
        (vec![node("a", Some(Ignored::Forgotten)), node("b", None)], "This node was forgotten"),
    ] {
        let world = world_of(nodes).await;
        let cookie = world.sign_in().await;
        let page = world.get("/config", &[("cookie", &cookie)]).await.body;
        assert!(page.contains(expected) && page.contains("<a href=\"/peers\">See the peers</a>"), "{expected}\n{page}");
    }
}

#[tokio::test]
async fn a_node_is_forgotten_by_admins_only() {
    let nodes = vec![node("a", None), node("b", Some(Ignored::Silent))];
    let mut config = config();
    config.auth.tokens = vec![api_token("reader", Scope::Read), api_token("writer", Scope::Write), api_token("root", Scope::Admin)];
    let world = World::new(snapshot(config, Vec::new())).await;
    world.show(|snapshot| snapshot.cluster = Some(Arc::new(cluster(nodes))));
    let page = world.get("/peers", &[("authorization", "Bearer reader")]).await.body;
    assert!(page.contains("Silent") && !page.contains("/forget"), "{page}");
    let page = world.get("/peers", &[("authorization", "Bearer writer")]).await.body;
    assert!(page.contains("Silent") && !page.contains("/forget"), "{page}");
    for (name, status) in [("reader", 403), ("writer", 403), ("neither", 401)] {
        let answer = world.ask("POST", "/api/v1/peers/b/forget", &[("authorization", &format!("Bearer {name}"))], "").await;
        assert_eq!(answer.status.as_u16(), status, "{name}");
    }
    let cookie = world.sign_in().await;
    assert_eq!(world.post("/peers/b/forget", &cookie, "form=wrong").await.status, StatusCode::FORBIDDEN);
    assert!(world.asked.lock().unwrap().is_empty(), "nothing was changed");
    let form = format!("form={}", world.form_token(&cookie).await);
    let answer = world.post("/peers/b/forget", &cookie, &form).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/peers"));
    let answer = world.ask("POST", "/api/v1/peers/b/forget", &[("authorization", "Bearer root")], "").await;
    assert_eq!(answer.body, r#"{"done":true}"#);
    let answer = world.ask_from(Peer::Control, "POST /local/peers/b/forget", &[], "").await;
    assert_eq!(answer.body, r#"{"done":true}"#);
    let forget = Operation::Forget(NodeName::parse("b").unwrap());
    assert_eq!(*world.asked.lock().unwrap(), [forget.clone(), forget.clone(), forget]);
}

#[tokio::test]
async fn programs_are_told_of_the_cluster() {
    let world = world_of(vec![node("a", None), node("b", Some(Ignored::Silent))]).await;
    let local = world.ask_from(Peer::Control, "GET /local/peers", &[], "").await.body;
    let cookie = world.sign_in().await;
    assert_eq!(world.get("/api/v1/peers", &[("cookie", &cookie)]).await.body, local);
    let link = |name: &str, state| LinkView {
        node: NodeName::parse(name).unwrap(),
        state,
        address: Some("wss://b.example/peer".to_owned()),
        round_trip: Some(Duration::from_millis(24)),
        clock_offset_ms: Some(12),
        n_bytes: (10, 20),
        dialer: Dialer::Here,
    };
    let why = "it calls itself `x`, which is not in `peers.nodes`".to_owned();
    let stranger = RefusedLink { at: NOON, node: Some("x".to_owned()), from: "192.0.2.1".to_owned(), why: why.clone(), is_twin: false };
    let down = LinkState::Down { since: NOON, error: Some("nobody is there".to_owned()) };
    let report = LinkReport {
        links: Arc::new(vec![link("b", LinkState::Up { since: NOON, is_dialed: true }), link("c", down)]),
        refused: vec![stranger],
    };
    world.show(|snapshot| {
        let nodes = vec![node("a", None), node("b", None), node("c", Some(Ignored::Silent))];
        let forgotten = vec![NodeName::parse("old").unwrap()];
        snapshot.cluster = Some(Arc::new(ClusterView { forgotten, ..cluster(nodes) }));
    });
    let told = serde_json::to_value(api::peers::peers(&world.engine.snapshot(), &report)).unwrap();
    let common = |name: &str| {
        serde_json::json!({
            "name": name, "region": name, "vantage": "external", "is_self": name == "a", "decides": 1, "has_same_config": true,
            "config_hash": "0123456789abcdef", "version": "0.1.0 (canary-build)", "started_at": "2026-06-30T11:00:00Z",
            "state": "live", "reason": null, "is_counted": true, "clock_offset_ms": 12,
            "link": { "is_up": true, "since": "2026-06-30T12:00:00Z", "is_dialed": true, "address": "wss://b.example/peer", "error": null,
                      "round_trip_ms": 24, "bytes_sent": 10, "bytes_received": 20 },
        })
    };
    let (mut a, b, mut c) = (common("a"), common("b"), common("c"));
    (a["link"], a["clock_offset_ms"]) = (serde_json::Value::Null, 3.into());
    (c["state"], c["is_counted"]) = ("silent".into(), false.into());
    c["reason"] = "It is not heard, neither directly nor through others.".into();
    (c["link"]["is_up"], c["link"]["is_dialed"]) = (false.into(), serde_json::Value::Null);
    c["link"]["error"] = "No link: nobody is there.".into();
    let expected = serde_json::json!({
        "at": "2026-06-30T12:00:00Z",
        "cluster": { "name": "acme", "node": "a", "nodes_live": 2, "nodes_total": 3, "is_primary": true },
        "summary": "This node sees 2 of 3 nodes, enough to decide at once; not heard: c.",
        "is_ready": true,
        "solo_after_seconds": 60,
        "nodes": [a, b, c],
        "forgotten": ["old"],
        "refused": [{ "at": "2026-06-30T12:00:00Z", "node": "x", "from": "192.0.2.1", "why": why }],
    });
    assert_eq!(told, expected);
}

#[tokio::test]
async fn the_status_says_who_decides_and_who_sees_what() {
    let region = |name: &str| Region::parse(name).unwrap();
    let regions = RegionView { failing: vec![region("eu")], fine: vec![region("us")], unknown: vec![region("home")] };
    let shown = MonitorView {
        regions,
        agreement: Agreement::Regional,
        decider: Some(NodeName::parse("b").unwrap()),
        diagnosis: Some(Diagnosis::Transit),
        votes: vec![vote("us", OpinionState::Up, None, None)],
        ..view(monitor("api", "db"), None)
    };
    let world = World::new(snapshot(config(), vec![shown, view(monitor("web", "db"), None)])).await;
    let status = |body: String| -> serde_json::Value { serde_json::from_str(&body).unwrap() };
    let alone = status(world.ask_from(Peer::Control, "GET /local/status", &[], "").await.body);
    assert!(alone["cluster"].is_null() && alone["monitors"][1]["agreement"].is_null(), "{alone}");
    world.show(|snapshot| snapshot.cluster = Some(Arc::new(cluster(vec![node("a", None), node("b", None)]))));
    let together = status(world.ask_from(Peer::Control, "GET /local/status", &[], "").await.body);
    let expected = serde_json::json!({ "name": "acme", "node": "a", "nodes_live": 2, "nodes_total": 2, "is_primary": true });
    assert_eq!(together["cluster"], expected);
    let monitor = &together["monitors"][0];
    assert_eq!((&monitor["regions_fine"], &monitor["regions_unknown"]), (&serde_json::json!(["us"]), &serde_json::json!(["home"])));
    assert_eq!([&monitor["agreement"], &monitor["decided_by"], &monitor["diagnosis"]], ["regional", "b", "transit"]);
}
