//! Badges: the state of a monitor or of a whole status page for other people's pages, as a drawing, as the endpoint format of
//! shields.io, and as data.
//!
//! A badge tells what a page that is open to everybody tells, and nothing else: a monitor is found only on the page that is named in the
//! address (or, by the addresses of Gatus, on a page that is public), figures go as far back as the page does, and response times are
//! told when the page shows them. Everything else is the same 404.

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header;
use hyper::header::HeaderName;
use serde::Serialize;

use crate::engine::snapshot::MonitorView;
use crate::engine::snapshot::Snapshot;
use crate::http::answer;
use crate::http::answer::Answer;
use crate::http::beat;
use crate::http::beat::Nuance;
use crate::http::error::Refusal;
use crate::http::history::PagePast;
use crate::http::history::Stretch;
use crate::http::pages::Pages;
use crate::http::random::sha256;
use crate::http::visit::Visit;
use crate::model::id::MonitorId;
use crate::model::id::PageSlug;
use crate::model::page::StatusPage;
use crate::model::page::Visibility;
use crate::model::result::Outcome;
use crate::model::verdict::Verdict;
use crate::ui::component::badge;
use crate::ui::component::badge::Drawing;
use crate::ui::component::badge::shields_colour;
use crate::ui::component::bar::Uptime;
use crate::ui::text;

/// How long a badge may be kept by whoever fetched it: about as long as a monitor's interval, so that a crowd of readers costs one
/// request a minute. Then it is asked for again, and mostly confirmed by its tag.
const KEEP: &str = "public, max-age=60, stale-while-revalidate=60";

/// A drawing needs nothing from anywhere.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// Availability from which a badge is green, and from which it is yellow.
const FINE: f64 = 0.995;
const POOR: f64 = 0.95;

/// A badge that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Of what.
    pub of: Subject,
    /// What about it.
    pub figure: Figure,
    /// In which form.
    pub format: Format,
}

/// Of what a badge is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A status page as a whole.
    Page(PageSlug),
    /// A monitor on it.
    Monitor(PageSlug, MonitorId),
    /// A monitor by the key that Gatus would give it, on any public page.
    Key(String),
}

/// What a badge tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// The state in a word.
    State,
    /// Up or down: late, waiting, degraded and paused count as up, as on the two-state badges of healthchecks.
    UpDown,
    /// Availability.
    Uptime(Stretch),
    /// How long the newest check took.
    Response,
}

/// The form of a badge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A drawing.
    Svg,
    /// For `https://img.shields.io/endpoint?url=…`.
    Shields,
    /// Data.
    Json,
}

/// Longest key of Gatus that is looked at: a group and a name.
const KEY_BYTES_MAX: usize = 512;

/// Reads an address, cut at its slashes; `None`: there is no such badge.
#[must_use]
pub fn parse(segments: &[&str]) -> Option<Asked> {
    let page = |text: &str| PageSlug::parse(text).ok();
    match segments {
        ["badge", slug, file] => {
            let (figure, format) = file_name(file)?;
            (figure != Figure::Response).then_some(())?;
            Some(Asked { of: Subject::Page(page(slug)?), figure, format })
        }
        ["badge", slug, id, file] => {
            let (figure, format) = file_name(file)?;
            Some(Asked { of: Subject::Monitor(page(slug)?, MonitorId::parse(id).ok()?), figure, format })
        }
        ["api", "v1", "endpoints", key, "health", file] => {
            let format = gatus_file(file)?;
            (key.len() <= KEY_BYTES_MAX).then(|| Asked { of: Subject::Key((*key).to_owned()), figure: Figure::UpDown, format })
        }
        ["api", "v1", "endpoints", key, "uptimes", stretch, "badge.svg"] => {
            let figure = Figure::Uptime(Stretch::ALL.into_iter().find(|known| known.word() == *stretch)?);
            (key.len() <= KEY_BYTES_MAX).then(|| Asked { of: Subject::Key((*key).to_owned()), figure, format: Format::Svg })
        }
        _ => None,
    }
}

fn file_name(file: &str) -> Option<(Figure, Format)> {
    let (name, format) = file.rsplit_once('.')?;
    let format = match format {
        "svg" => Format::Svg,
        "shields" => Format::Shields,
        "json" => Format::Json,
        _ => return None,
    };
    let figure = match name {
        "status" => Figure::State,
        "up-down" => Figure::UpDown,
        "response-time" => Figure::Response,
        name => {
            let wanted = name.strip_prefix("uptime-")?;
            Figure::Uptime(Stretch::ALL.into_iter().find(|stretch| stretch.word() == wanted)?)
        }
    };
    Some((figure, format))
}

fn gatus_file(file: &str) -> Option<Format> {
    match file {
        "badge.svg" => Some(Format::Svg),
        "badge.shields" => Some(Format::Shields),
        _ => None,
    }
}

/// What a badge says.
#[derive(Debug, Clone, PartialEq)]
pub struct Face {
    /// Of what.
    label: String,
    /// How it is, in words.
    message: String,
    look: Verdict,
    data: Data,
}

/// The same as data. Wire type: `status`, `total`, `grace` and `down` are what badges of healthchecks have.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
enum Data {
    State {
        status: String,
        total: usize,
        grace: usize,
        down: usize,
    },
    Uptime {
        stretch: &'static str,
        /// Share of the known time; `null` when nothing is known.
        uptime: Option<f64>,
        /// Share of the time of which nothing is known.
        unknown: f64,
        /// Share of the time in maintenance.
        maintenance: f64,
    },
    Response {
        response_ms: u64,
    },
}

#[derive(Serialize)]
struct Shields<'a> {
    #[serde(rename = "schemaVersion")]
    schema_version: u8,
    label: &'a str,
    message: &'a str,
    color: &'a str,
}

#[derive(Serialize)]
struct Labelled<'a> {
    label: &'a str,
    #[serde(flatten)]
    data: &'a Data,
}

/// Where a badge looks: a page, the state of its monitors, its past, and whether all that is too old to say anything.
pub struct Source<'a> {
    /// The page.
    pub page: &'a StatusPage,
    /// The present.
    pub snapshot: &'a Snapshot,
    /// The past, once it was read.
    pub past: Option<&'a PagePast>,
    /// Nothing new is known.
    pub is_stale: bool,
}

/// Whether everybody who has the address may see this page; only such a page has badges.
#[must_use]
pub fn is_open(page: &StatusPage) -> bool {
    match page.visibility {
        Visibility::Public | Visibility::Unlisted => true,
        Visibility::Private | Visibility::Password(_) => false,
    }
}

/// The key that Gatus gives a monitor with this group and this name.
#[must_use]
pub fn gatus_key(group: Option<&str>, name: &str) -> String {
    let part = |text: &str| text.trim().to_lowercase().replace([' ', '/', '_', ',', '.', '#', '+', '&'], "-");
    format!("{}_{}", part(group.unwrap_or_default()), part(name))
}

/// What a badge of a page, or of a monitor on it, says; `None`: there is no such badge.
#[must_use]
pub fn face(source: &Source<'_>, monitor: Option<&MonitorId>, figure: Figure) -> Option<Face> {
    let ids = source.page.groups.iter().flat_map(|group| &group.monitors);
    let mut views: Vec<&MonitorView> = ids.filter_map(|id| source.snapshot.monitors.get(id)).map(AsRef::as_ref).collect();
    // A monitor in two groups is still one.
    views.sort_by_key(|view| &view.monitor.id);
    views.dedup_by_key(|view| &view.monitor.id);
    if let Some(id) = monitor {
        views.retain(|view| view.monitor.id == *id);
    }
    let view = views.first().filter(|_| monitor.is_some());
    if monitor.is_some() && view.is_none() {
        return None;
    }
    let label = view.map_or_else(|| source.page.title.clone(), |view| view.monitor.name.clone());
    match figure {
        Figure::State => Some(state(label, &views, source.is_stale)),
        Figure::UpDown => Some(up_down(label, &views, source.is_stale)),
        Figure::Uptime(stretch) => {
            let past = source.past?;
            let figures = monitor.map_or(Some(&past.stretches), |id| past.monitors.get(id).map(|past| &past.stretches));
            Some(uptime(&label, stretch, *figures?.get(&stretch)?))
        }
        Figure::Response => response(label, view?, source),
    }
}

fn counted(status: String, views: &[&MonitorView]) -> Data {
    let n = |is_so: fn(&MonitorView) -> bool| views.iter().filter(|view| is_so(view)).count();
    Data::State {
        status,
        total: views.len(),
        grace: n(|view| beat::nuance(view) == Some(Nuance::Late)),
        down: n(|view| view.verdict == Verdict::Down),
    }
}

/// A state in a word, and how it looks; ordered so that the first of several is the one worth telling.
fn told(view: &MonitorView) -> (usize, &'static str, Verdict) {
    let (word, look) = match beat::nuance(view) {
        Some(nuance) => (nuance.word(), nuance.look()),
        None => (view.verdict.word(), view.verdict),
    };
    let rank = match (view.verdict, beat::nuance(view)) {
        (Verdict::Down, _) => 0,
        (Verdict::Degraded, _) => 1,
        (_, Some(Nuance::Late)) => 2,
        (Verdict::Unknown, _) => 3,
        (Verdict::Maintenance, _) => 4,
        (Verdict::Up, _) => 5,
        (Verdict::Paused, _) => 6,
    };
    (rank, word, look)
}

fn state(label: String, views: &[&MonitorView], is_stale: bool) -> Face {
    let worst = views.iter().map(|view| told(view)).min_by_key(|(rank, _, _)| *rank);
    let (word, look) = match worst {
        _ if is_stale => ("no current data", Verdict::Unknown),
        None => ("nothing listed", Verdict::Unknown),
        Some((_, word, look)) => (word, look),
    };
    Face { label, message: word.to_owned(), look, data: counted(word.to_owned(), views) }
}

fn up_down(label: String, views: &[&MonitorView], is_stale: bool) -> Face {
    let is_up = |view: &&MonitorView| view.verdict != Verdict::Unknown || view.heartbeat.is_some();
    let (word, look) = if is_stale {
        ("unknown", Verdict::Unknown)
    } else if views.iter().any(|view| view.verdict == Verdict::Down) {
        ("down", Verdict::Down)
    } else if views.iter().any(is_up) {
        ("up", Verdict::Up)
    } else {
        ("unknown", Verdict::Unknown)
    };
    Face { label, message: word.to_owned(), look, data: counted(word.to_owned(), views) }
}

fn uptime(label: &str, stretch: Stretch, figure: Uptime) -> Face {
    let look = match figure.fraction {
        None => Verdict::Unknown,
        Some(share) if FINE <= share => Verdict::Up,
        Some(share) if POOR <= share => Verdict::Degraded,
        Some(_) => Verdict::Down,
    };
    Face {
        label: format!("{label} {}", stretch.word()),
        message: figure.fraction.map_or_else(|| "no data".to_owned(), text::percent),
        look,
        data: Data::Uptime { stretch: stretch.word(), uptime: figure.fraction, unknown: figure.unknown, maintenance: figure.maintenance },
    }
}

fn response(label: String, view: &MonitorView, source: &Source<'_>) -> Option<Face> {
    let last = view.last.as_ref().filter(|last| matches!(last.outcome, Outcome::Up | Outcome::Degraded))?;
    if source.is_stale || !source.page.show.response_times || view.heartbeat.is_some() {
        return None;
    }
    let took = last.timings.total;
    Some(Face {
        label,
        message: text::latency(took),
        look: if last.outcome == Outcome::Up { Verdict::Up } else { Verdict::Degraded },
        data: Data::Response { response_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX) },
    })
}

/// Answers with a badge. Drawing one takes less time than looking it up would, so none are kept here.
///
/// # Errors
/// [`Refusal::NotFound`], the same for what does not exist and what is not shown.
pub fn answer(pages: &Pages, visit: &Visit, asked: &Asked) -> Result<Answer, Refusal> {
    let face = pages.badge(&asked.of, asked.figure, visit.now.wall).ok_or(Refusal::NotFound)?;
    let (media_type, body) = render(&face, asked.format);
    let tag = format!("\"{}\"", data_encoding::HEXLOWER.encode(&sha256(&body)[..12]));
    let is_known =
        visit.header("if-none-match").is_some_and(|tags| tags.split(',').any(|known| known.trim().trim_start_matches("W/") == tag));
    let full = if is_known {
        let mut unchanged = answer::bytes(StatusCode::NOT_MODIFIED, media_type, "");
        unchanged.headers_mut().remove(header::CONTENT_TYPE);
        unchanged
    } else {
        answer::bytes(StatusCode::OK, media_type, body)
    };
    let headers = [
        (header::ETAG, tag.as_str()),
        (header::CACHE_CONTROL, KEEP),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        // Badges are made to be shown, and read, by pages of others.
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
        (HeaderName::from_static("x-robots-tag"), "noindex"),
    ];
    Ok(headers.into_iter().fold(full, |full, (name, value)| answer::with(full, name, value)))
}

fn render(face: &Face, format: Format) -> (&'static str, Bytes) {
    let Face { label, message, look, data } = face;
    // Keys are text and numbers finite, so that this cannot fail; an empty body is the honest fallback.
    let json = |value: Result<Vec<u8>, serde_json::Error>| Bytes::from(value.unwrap_or_default());
    match format {
        Format::Svg => {
            let drawing = Drawing { label: label.clone(), message: message.clone(), look: *look };
            ("image/svg+xml", Bytes::from(badge::drawing(&drawing).into_string()))
        }
        Format::Shields => {
            ("application/json", json(serde_json::to_vec(&Shields { schema_version: 1, label, message, color: shields_colour(*look) })))
        }
        Format::Json => ("application/json", json(serde_json::to_vec(&Labelled { label, data }))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_badges_are_few() {
        for (path, is_one) in [
            ("badge/prod/status.svg", true),
            ("badge/prod/api/up-down.shields", true),
            ("badge/prod/api/uptime-90d.json", true),
            ("badge/prod/uptime-1h.svg", true),
            ("badge/prod/api/response-time.svg", true),
            ("badge/prod/response-time.svg", false),
            ("badge/prod/api/uptime-91d.json", false),
            ("badge/prod/api/status", false),
            ("badge/prod/api/status.png", false),
            ("badge/prod/api/.svg", false),
            ("badge/Prod/status.svg", false),
            ("badge/prod/status.svg/", false),
            ("api/v1/endpoints/core_front-end/health/badge.svg", true),
            ("api/v1/endpoints/core_front-end/health/badge.shields", true),
            ("api/v1/endpoints/core_front-end/uptimes/7d/badge.svg", true),
            ("api/v1/endpoints/core_front-end/uptimes/8d/badge.svg", false),
        ] {
            let segments: Vec<&str> = path.split('/').collect();
            assert_eq!(parse(&segments).is_some(), is_one, "{path}");
        }
    }

    #[test]
    fn keys_are_those_of_gatus() {
        assert_eq!(gatus_key(Some("Core"), "front end/v1.2"), "core_front-end-v1-2");
        assert_eq!(gatus_key(None, "a_b,c#d+e&f"), "_a-b-c-d-e-f");
    }
}
