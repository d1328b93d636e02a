//! Decodes `status_pages`, and works out which monitors each group lists.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::config::decode::auth::password_hash;
use crate::config::decode::channel;
use crate::config::decode::http::host_name;
use crate::config::decode::monitor;
use crate::config::fields::At;
use crate::config::fields::Ctx;
use crate::config::fields::Fields;
use crate::config::glob::glob_match;
use crate::config::glob::is_pattern;
use crate::config::readers;
use crate::config::reference;
use crate::model::id::PageSlug;
use crate::model::monitor::Monitor;
use crate::model::monitor::Origin;
use crate::model::page::Announcement;
use crate::model::page::AnnouncementKind;
use crate::model::page::DarkMode;
use crate::model::page::Language;
use crate::model::page::Link;
use crate::model::page::Logo;
use crate::model::page::Order;
use crate::model::page::PageGroup;
use crate::model::page::PageLanguage;
use crate::model::page::Show;
use crate::model::page::StatusPage;
use crate::model::page::Theme;
use crate::model::page::Visibility;
use crate::model::subscription::SUBSCRIBERS_DEFAULT;
use crate::model::subscription::SUBSCRIBERS_MAX;
use crate::model::subscription::Subscriptions;
use crate::model::time::UnixMillis;

const DAY: Duration = Duration::from_secs(86_400);

/// One page. `monitors` are all that are configured; `all_read` says that none of them was refused, so that a pattern which
/// matches nothing is really wrong. `channels` are the names of all channels.
pub(super) fn page(
    ctx: &Ctx<'_>,
    at: &At<'_>,
    (monitors, all_read): (&[Arc<Monitor>], bool),
    channels: &BTreeSet<String>,
) -> Option<StatusPage> {
    let mut fields = Fields::open(ctx, at, "status_pages[]")?;
    let slug = fields.must("slug", |ctx, at| readers::parsed(ctx, at, PageSlug::parse));
    let title = fields.read("title", readers::name);
    let domains = fields.take("domains").map(|at| at.one_or_many()).unwrap_or_default();
    let domains: Vec<String> = domains.iter().filter_map(|at| host_name(ctx, at)).collect();
    let visibility = fields.read("visibility", visibility);
    let show = fields.read("show", show);
    let theme = fields.read("theme", theme);
    let language = fields.read("language", |ctx, at| readers::choice(ctx, at, &LANGUAGES));
    let order = fields.read("order", |ctx, at| readers::choice(ctx, at, &[("listed", Order::Listed), ("worst_first", Order::WorstFirst)]));
    let links = fields.take("links").map(|at| at.list(ctx)).unwrap_or_default();
    let groups_at = fields.require("groups");
    let announcements = fields.take("announcements").map(|at| at.list(ctx)).unwrap_or_default();
    let subscriptions_at = fields.take("subscriptions");
    fields.finish();
    let groups = groups_at.as_ref().map(|at| at.list(ctx)).unwrap_or_default();
    if let Some(at) = groups_at.filter(|at| at.node.items().is_some_and(<[_]>::is_empty)) {
        ctx.bad(&at, "this page lists nothing", "add a group: `- { name: Everything, monitors: \"*\" }`");
    }
    let groups: Vec<PageGroup> = groups.iter().filter_map(|at| group(ctx, at, monitors, all_read)).collect();
    let links: Vec<Link> = links.iter().filter_map(|at| link(ctx, at)).collect();
    let mut announcements: Vec<Announcement> = announcements.iter().filter_map(|at| announcement(ctx, at)).collect();
    announcements.sort_by_key(|announcement| std::cmp::Reverse(announcement.at));
    let visibility = visibility.unwrap_or(Visibility::Public);
    let subscriptions = subscriptions_at.and_then(|at| subscriptions(ctx, &at, &visibility, channels));
    let slug = slug?;
    Some(StatusPage {
        title: title.unwrap_or_else(|| slug.to_string()),
        slug,
        domains,
        visibility,
        show: show.unwrap_or(SHOW),
        theme: theme.unwrap_or_default(),
        language: language.unwrap_or_default(),
        order: order.unwrap_or_default(),
        links,
        groups,
        announcements,
        subscriptions,
        origin: Origin { file: ctx.report.files.of(at.node.pos), line: at.node.pos.line },
    })
}

const LANGUAGES: [(&str, PageLanguage); 6] = [
    ("auto", PageLanguage::Auto),
    ("en", PageLanguage::Always(Language::English)),
    ("de", PageLanguage::Always(Language::German)),
    ("fr", PageLanguage::Always(Language::French)),
    ("es", PageLanguage::Always(Language::Spanish)),
    ("ja", PageLanguage::Always(Language::Japanese)),
];

const SHOW: Show = Show { targets: false, errors: false, response_times: true, regions: true, history: Duration::from_secs(90 * 86_400) };

fn visibility(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Visibility> {
    if at.node.entries().is_some() {
        let mut fields = Fields::open(ctx, at, "status_pages[].visibility")?;
        let hash = fields.must("password_hash", password_hash);
        fields.finish();
        return hash.map(Visibility::Password);
    }
    #[derive(Clone, Copy)]
    enum Word {
        Public,
        Unlisted,
        Private,
    }
    let words = [("public", Word::Public), ("unlisted", Word::Unlisted), ("private", Word::Private)];
    readers::choice(ctx, at, &words).map(|word| match word {
        Word::Public => Visibility::Public,
        Word::Unlisted => Visibility::Unlisted,
        Word::Private => Visibility::Private,
    })
}

fn show(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Show> {
    let mut fields = Fields::open(ctx, at, "status_pages[].show")?;
    let show = Show {
        targets: fields.read("targets", readers::boolean).unwrap_or(SHOW.targets),
        errors: fields.read("errors", readers::boolean).unwrap_or(SHOW.errors),
        response_times: fields.read("response_times", readers::boolean).unwrap_or(SHOW.response_times),
        regions: fields.read("regions", readers::boolean).unwrap_or(SHOW.regions),
        history: fields.read("history", history).unwrap_or(SHOW.history),
    };
    fields.finish();
    Some(show)
}

fn history(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Duration> {
    let found = readers::duration_from(ctx, at, DAY, "1d")?;
    if found > DAY * 366 {
        ctx.bad(at, "a page shows at most a year", "write `365d` or less");
        return None;
    }
    Some(found)
}

fn theme(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Theme> {
    let mut fields = Fields::open(ctx, at, "status_pages[].theme")?;
    let logo = fields.read("logo", logo);
    let accent = fields.read("accent", accent);
    let modes = [("auto", DarkMode::Auto), ("always", DarkMode::Always), ("never", DarkMode::Never)];
    let dark = fields.read("dark", |ctx, at| readers::choice(ctx, at, &modes));
    let css = fields.read("css", readers::file_text);
    fields.finish();
    Some(Theme { logo, accent, dark: dark.unwrap_or_default(), css })
}

fn logo(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Logo> {
    let text = readers::full_text(ctx, at)?;
    if text.contains("://") {
        let url = readers::web_url(ctx, at)?;
        if url.scheme() != "https" {
            ctx.bad(at, format!("`{text}` is not an https address"), "browsers would not load it on a secure page; use https or a file");
            return None;
        }
        return Some(Logo::Url(url.into()));
    }
    const TYPES: [(&str, &str); 6] = [
        (".svg", "image/svg+xml"),
        (".png", "image/png"),
        (".jpg", "image/jpeg"),
        (".jpeg", "image/jpeg"),
        (".webp", "image/webp"),
        (".gif", "image/gif"),
    ];
    let lower = text.to_ascii_lowercase();
    let Some((_, media_type)) = TYPES.iter().find(|(end, _)| lower.ends_with(end)) else {
        ctx.bad(at, format!("`{text}` is not a kind of picture that pages can show"), "use an SVG, PNG, JPEG, WebP or GIF file");
        return None;
    };
    readers::file_bytes(ctx, at).map(|bytes| Logo::File { media_type, bytes })
}

fn accent(ctx: &Ctx<'_>, at: &At<'_>) -> Option<String> {
    let text = readers::text(ctx, at)?;
    let fine = text.strip_prefix('#').is_some_and(|hex| matches!(hex.len(), 3 | 6) && hex.chars().all(|c| c.is_ascii_hexdigit()));
    if !fine {
        ctx.bad(at, format!("`{text}` is not a colour"), "write `\"#0a7\"` or `\"#00aa77\"`, in quotes, because `#` begins a comment");
        return None;
    }
    Some(text)
}

fn link(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Link> {
    let mut fields = Fields::open(ctx, at, "status_pages[].links[]")?;
    let title = fields.must("title", readers::name);
    let url = fields.must("url", |ctx, at| {
        let text = readers::text(ctx, at)?;
        match url::Url::parse(&text) {
            Ok(url) if matches!(url.scheme(), "http" | "https" | "mailto") => Some(String::from(url)),
            Ok(_) | Err(_) => {
                ctx.bad(at, format!("`{text}` is not a link"), "write `https://host/path` or `mailto:name@host`");
                None
            }
        }
    });
    fields.finish();
    Some(Link { title: title?, url: url? })
}

/// What a page offers to those who want to be told. Only pages that anybody may read: whoever subscribes could not be asked for a password
/// or a name again, and would go on hearing what they may not read any more.
fn subscriptions(ctx: &Ctx<'_>, at: &At<'_>, visibility: &Visibility, channels: &BTreeSet<String>) -> Option<Subscriptions> {
    let mut fields = Fields::open(ctx, at, "status_pages[].subscriptions")?;
    let email_at = fields.take("email");
    let webhook = fields.read("webhook", readers::boolean).unwrap_or(false);
    let allow_private = fields.read("allow_private", readers::boolean).unwrap_or(false);
    let n_max = fields.read("max", |ctx, at| readers::whole_u32(ctx, at, 1, SUBSCRIBERS_MAX)).unwrap_or(SUBSCRIBERS_DEFAULT);
    fields.finish();
    if matches!(visibility, Visibility::Private | Visibility::Password(_)) {
        ctx.bad(
            at,
            "only pages that anybody may read can be subscribed to",
            "make the page `public` or `unlisted`, or leave `subscriptions` out",
        );
        return None;
    }
    if email_at.is_none() && !webhook {
        ctx.bad(
            at,
            "nobody could be told in any way",
            "add `email: <name of an email channel>` or `webhook: true`, or leave `subscriptions` out",
        );
        return None;
    }
    let email = match &email_at {
        Some(at) => Some(channel::references(ctx, std::slice::from_ref(at), channels).into_iter().next()?),
        None => None,
    };
    Some(Subscriptions { email, webhook, allow_private, n_max })
}

fn announcement(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Announcement> {
    let mut fields = Fields::open(ctx, at, "status_pages[].announcements[]")?;
    let when = fields.must("at", |ctx, at| {
        let text = readers::text(ctx, at)?;
        let found = text.parse::<jiff::Timestamp>().ok();
        if found.is_none() {
            ctx.bad(at, format!("`{text}` is not a time with its offset"), "write `2026-06-30T10:00:00Z` or `2026-06-30T10:00:00+02:00`");
        }
        found.map(|time| UnixMillis(time.as_millisecond()))
    });
    let kinds = [
        ("info", AnnouncementKind::Info),
        ("warning", AnnouncementKind::Warning),
        ("outage", AnnouncementKind::Outage),
        ("operational", AnnouncementKind::Operational),
    ];
    let kind = fields.read("kind", |ctx, at| readers::choice(ctx, at, &kinds));
    let text = fields.must("text", readers::full_text);
    fields.finish();
    Some(Announcement { at: when?, kind: kind.unwrap_or(AnnouncementKind::Info), text: text? })
}

fn group(ctx: &Ctx<'_>, at: &At<'_>, monitors: &[Arc<Monitor>], all_read: bool) -> Option<PageGroup> {
    let mut fields = Fields::open(ctx, at, "status_pages[].groups[]")?;
    let name = fields.must("name", readers::name);
    let patterns = fields.take("monitors");
    let matching = fields.take("match");
    let is_open = fields.read("open", readers::boolean);
    fields.finish();
    if patterns.is_none() && matching.is_none() {
        ctx.bad(at, "this group selects nothing", "add `monitors: [\"*\"]`, or `match: { labels: { … } }`");
    }
    let mut wanted: Vec<String> = Vec::new();
    for pattern in patterns.iter().flat_map(At::one_or_many) {
        let Some(text) = readers::full_text(ctx, &pattern) else { continue };
        if all_read && !monitors.iter().any(|monitor| glob_match(&text, &monitor.name)) {
            no_match(ctx, &pattern, &text, monitors);
        }
        wanted.push(text);
    }
    let labels = matching.as_ref().and_then(|at| match_labels(ctx, at, "status_pages[].groups[].match"));
    let has_labels =
        |monitor: &Monitor, labels: &BTreeMap<String, String>| labels.iter().all(|(key, value)| monitor.labels.get(key) == Some(value));
    if let (Some(labels), Some(at)) = (&labels, &matching)
        && all_read
        && !monitors.iter().any(|monitor| has_labels(monitor, labels))
    {
        ctx.bad(at, "no monitor has these labels", "labels are compared as a whole, letter case included");
    }
    let selected = |monitor: &&Arc<Monitor>| {
        wanted.iter().any(|pattern| glob_match(pattern, &monitor.name)) || labels.as_ref().is_some_and(|labels| has_labels(monitor, labels))
    };
    let monitors = monitors.iter().filter(selected).map(|monitor| monitor.id.clone()).collect();
    Some(PageGroup { name: name?, monitors, is_open })
}

fn no_match(ctx: &Ctx<'_>, at: &At<'_>, text: &str, monitors: &[Arc<Monitor>]) {
    let names = || monitors.iter().map(|monitor| monitor.name.as_str());
    let hint = match reference::nearest(text, names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if !is_pattern(text) => "names are compared as a whole; `*` stands for any text".to_owned(),
        None => "only `*` and `?` are special; brackets are literal".to_owned(),
    };
    ctx.bad(at, format!("no monitor has a name like `{text}`"), hint);
}

/// Labels of a `match:`, in the section of the reference that has it.
pub(super) fn match_labels(ctx: &Ctx<'_>, at: &At<'_>, section: &'static str) -> Option<BTreeMap<String, String>> {
    let mut fields = Fields::open(ctx, at, section)?;
    let labels_at = fields.require("labels");
    fields.finish();
    let labels_at = labels_at?;
    let labels = monitor::labels(ctx, &labels_at)?;
    if labels.is_empty() {
        ctx.bad(&labels_at, "no label is asked for, which would select every monitor", "name a label, or use `monitors: \"*\"`");
        return None;
    }
    Some(labels)
}
