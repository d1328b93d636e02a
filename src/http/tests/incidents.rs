//! Lists of incidents: what is open is never lost among what is over.

use std::time::Duration;

use crate::http::tests::world::*;
use crate::http::visit::Peer;
use crate::model::id::IncidentId;
use crate::model::incident::CloseReason;
use crate::model::incident::Closed;
use crate::model::incident::Incident;
use crate::model::result::Failure;

/// So many incidents of a monitor that goes up and down; each began after what is open, two at a time.
fn flapping(name: &str, n: u64) -> Vec<Incident> {
    let one = |k: u64| {
        let opened_at = NOON.minus(Duration::from_secs(250 - k / 2));
        Incident {
            id: IncidentId::from_derived(&format!("past{k:04}")),
            opened_at,
            closed: Some(Closed { at: opened_at + Duration::from_secs(1), how: CloseReason::Recovered }),
            ..incident(&monitor(name, "host"), Failure::Refused { at: format!("flap{k:04}") })
        }
    };
    (0..n).map(one).collect()
}

#[tokio::test]
async fn an_open_incident_stands_above_any_number_of_newer_ones_that_are_over() {
    let world = World::new(usual()).await;
    *world.shelf.incidents.lock().unwrap() = flapping("canary-hidden", 251);
    let cookie = world.sign_in().await;
    let page = world.get("/incidents", &[("cookie", &cookie)]).await.body;
    let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text} is on the page"));
    assert!(at("/incidents/incapi") < at("/incidents/past0250") && at(">Open<") < at(">Past<"), "{page}");
    assert!(page.contains("/incidents/past0051") && !page.contains("/incidents/past0050"), "a page has 200");

    let (_, rest) = page.split_once("rel=\"next\" href=\"").expect("there are older ones");
    let older = world.get(rest.split('"').next().unwrap(), &[("cookie", &cookie)]).await.body;
    for k in 0..=50 {
        assert!(older.contains(&format!("/incidents/past{k:04}")), "{k} is on the second page, also when it began with one of the first");
    }
    assert!(!older.contains("/incidents/past0051") && !older.contains("incapi") && !older.contains("rel=\"next\""), "{older}");
    assert!(older.contains("href=\"/incidents\">Open and newest"), "and there is a way back");
}

#[tokio::test]
async fn programs_and_the_page_of_a_monitor_are_told_of_it_too() {
    let world = World::new(usual()).await;
    *world.shelf.incidents.lock().unwrap() = flapping("api", 250);
    let cookie = world.sign_in().await;
    let api = world.get("/api/v1/incidents", &[("cookie", &cookie)]).await.body;
    assert!(api.contains("\"incapi\"") && api.contains("past0249"), "{api}");
    let told = world.ask_from(Peer::Control, "GET /local/incidents", &[], "").await.body;
    assert!(told.contains("\"incapi\""), "{told}");
    let page = world.get("/monitors/api", &[("cookie", &cookie)]).await.body;
    let (_, list) = page.split_once("Incidents</h2>").expect("the list");
    assert!(list.find("/incidents/incapi").expect("it is there") < list.find("/incidents/past0249").expect("and so are others"));
}

#[tokio::test]
async fn without_the_database_the_open_ones_are_shown() {
    let world = World::new(usual()).await;
    let cookie = world.sign_in().await;
    for mark in ["nonsense", "x-y", "99999999999999999999-a", "-"] {
        let page = world.get(&format!("/incidents?before={mark}"), &[("cookie", &cookie)]).await.body;
        assert!(page.contains("/incidents/incapi"), "{mark} is no place to begin at");
    }
    world.shelf.is_broken.store(true, std::sync::atomic::Ordering::Relaxed);
    let page = world.get("/incidents", &[("cookie", &cookie)]).await.body;
    assert!(page.contains("/incidents/incapi") && page.contains("Past incidents cannot be read"), "{page}");
}
