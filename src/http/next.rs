//! Where people go on after signing in or after a refusal: always one of our own pages, worked out again from the closed list of routes and from
//! the words of a query that this page knows, so that nothing that was sent can lead anywhere else.

use crate::http::route::Route;
use crate::http::route::ViewerRoute;
use crate::http::route::route;
use crate::http::visit::Visit;

/// Longest query that is carried along. It goes through headers and a cookie, and a form of ours fills in far less.
const QUERY_BYTES_MAX: usize = 1000;

/// The address of a page below the base, with what its query may say; `None` for what is no page.
#[must_use]
pub fn address(route: &ViewerRoute, query: &str) -> Option<String> {
    let path = route.page_path()?;
    let mut kept = url::form_urlencoded::Serializer::new(String::new());
    for name in words(route) {
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        if let Some((_, value)) = pairs.find(|(asked, value)| asked == name && !value.is_empty()) {
            kept.append_pair(name, &value);
        }
    }
    let kept = kept.finish();
    Some(if kept.is_empty() || QUERY_BYTES_MAX < kept.len() { path } else { format!("{path}?{kept}") })
}

/// The address of one of our own pages, if this is one.
#[must_use]
pub fn own_page(address_of: &str) -> Option<String> {
    let (path, query) = address_of.split_once('?').unwrap_or((address_of, ""));
    match route("GET", path) {
        Ok(Route::Viewer(found)) => address(&found, query),
        Ok(
            Route::Public(_)
            | Route::Ping(_)
            | Route::Healthchecks(_)
            | Route::Hook(_)
            | Route::Operator(_)
            | Route::Admin(_)
            | Route::Local(_),
        )
        | Err(_) => None,
    }
}

/// The page on which a form was that came to this path: what the browser says, as far as it is a page of ours, or the nearest one above.
#[must_use]
pub fn page_of_form(visit: &Visit, path: &str) -> Option<String> {
    let named = visit.header("referer").and_then(|text| url::Url::parse(text).ok());
    let named = named.and_then(|url| {
        let below = url.path().strip_prefix(visit.links.to("").as_str())?;
        own_page(&format!("{below}?{}", url.query().unwrap_or_default()))
    });
    let mut above = std::iter::successors(Some(path), |path| path.rsplit_once('/').map(|(above, _)| above));
    named.or_else(|| above.find_map(own_page))
}

/// What the query of a page may say.
fn words(route: &ViewerRoute) -> &'static [&'static str] {
    match route {
        ViewerRoute::Dashboard => &["q", "state", "group", "label", "by", "show"],
        ViewerRoute::Monitor(_) => &["range"],
        ViewerRoute::NewMonitor => &["kind"],
        ViewerRoute::Incidents => &["before"],
        ViewerRoute::Incident(_) => &["template"],
        ViewerRoute::Announcements => &["about", "template"],
        ViewerRoute::Channel(_) => &["before", "state"],
        ViewerRoute::Heartbeats
        | ViewerRoute::Silences
        | ViewerRoute::Maintenance
        | ViewerRoute::Config
        | ViewerRoute::Channels
        | ViewerRoute::Peers
        | ViewerRoute::ApiStatus
        | ViewerRoute::ApiEvents
        | ViewerRoute::ApiMonitor(_)
        | ViewerRoute::ApiPings(_)
        | ViewerRoute::ApiPingBody(..)
        | ViewerRoute::ApiSilences
        | ViewerRoute::ApiAnnouncements
        | ViewerRoute::ApiIncidents
        | ViewerRoute::ApiIncident(_)
        | ViewerRoute::ApiUpdates(_)
        | ViewerRoute::ApiChannels
        | ViewerRoute::ApiDeliveries(_)
        | ViewerRoute::ApiPeers => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_to_come_back_to_is_always_one_of_ours() {
        assert_eq!(own_page("/incidents/abc").as_deref(), Some("/incidents/abc"));
        for evil in [
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/%09/evil.example",
            "javascript:alert(1)",
            "/sign-out",
            "/api/v1/status",
            "?q=x",
            "//evil.example?/monitors",
            "",
        ] {
            assert_eq!(own_page(evil), None, "{evil}");
        }
    }

    #[test]
    fn what_a_page_is_narrowed_to_comes_along_and_nothing_else_does() {
        for (asked, kept) in [
            ("/monitors?state=down", "/monitors?state=down"),
            ("/monitors?show=all&q=a+b%26c&evil=//x.example", "/monitors?q=a+b%26c&show=all"),
            ("/monitors?q=a%0d%0aset-cookie:%20x", "/monitors?q=a%0D%0Aset-cookie%3A+x"),
            ("/monitors?q=&state=", "/monitors"),
            ("/monitors?state=down#//evil.example", "/monitors?state=down%23%2F%2Fevil.example"),
            ("/monitors/api?range=7d&q=x", "/monitors/api?range=7d"),
            ("/silences?next=/x", "/silences"),
            ("/channels/on%20call?before=7&state=given_up", "/channels/on%20call?before=7&state=given_up"),
        ] {
            assert_eq!(own_page(asked).as_deref(), Some(kept), "{asked}");
            assert_eq!(own_page(kept).as_deref(), Some(kept), "{kept} stays as it is");
        }
        assert_eq!(own_page(&format!("/monitors?q={}", "x".repeat(QUERY_BYTES_MAX))).as_deref(), Some("/monitors"));
    }
}
