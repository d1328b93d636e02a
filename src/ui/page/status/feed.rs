//! A status page as an Atom feed (RFC 4287): beginnings and ends of incidents, what people say of them and learnt from them, and
//! announcements, newest first.

use std::fmt::Write;

use maud::Markup;
use maud::PreEscaped;
use maud::html;

use crate::model::time::UnixMillis;
use crate::ui::component::updates::UpdateView;
use crate::ui::language::Phrases;
use crate::ui::page::status::PublicIncident;
use crate::ui::page::status::StatusView;
use crate::ui::page::status::anchor;
use crate::ui::page::status::events::key_of;
use crate::ui::page::status::minute;

/// Entries of a feed; readers keep what they have seen.
const ENTRIES_MAX: usize = 100;

struct Entry {
    id: String,
    at: UnixMillis,
    title: String,
    text: String,
    /// The key of what it is about, which has a place of its own on the page.
    about: String,
}

/// The whole feed. `id` makes an id, the same for ever, of what is told apart by its argument. `origin` stands before our paths, because
/// many readers know nothing of relative links; it is empty where nobody said under which address we are reached.
#[must_use]
pub fn feed(view: &StatusView, p: &Phrases, id: &dyn Fn(&str) -> String, origin: &str) -> Markup {
    let incidents = view.open.iter().chain(view.past.iter().flat_map(|day| &day.incidents));
    let mut entries: Vec<Entry> = incidents.flat_map(|incident| of_incident(incident, p, id)).collect();
    entries.extend(view.announcements.iter().map(|told| Entry {
        id: id(&format!("announcement {} {}", told.at.0, told.text)),
        at: told.at,
        title: (p.announcement)(told.kind).to_owned(),
        text: told.text.clone(),
        about: key_of(told),
    }));
    for told in view.announced.iter().chain(&view.past_announced) {
        let what = format!("announced {} {}", told.from.0, told.title);
        entries.extend(told.updates.iter().map(|update| of_update(update, (&what, &told.title, &told.key), p, id)));
    }
    entries.sort_by_key(|entry| (std::cmp::Reverse(entry.at), entry.id.clone()));
    entries.truncate(ENTRIES_MAX);
    // Without any entry nothing was ever updated; a time that moves would make every reader fetch for nothing.
    let updated = entries.first().map_or(UnixMillis(0), |entry| entry.at);
    html! {
        (PreEscaped("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"))
        feed xmlns="http://www.w3.org/2005/Atom" xml:lang=(p.language.code()) {
            id { (id("feed")) }
            title { (xml(&view.title)) }
            updated { (updated.rfc3339()) }
            author { name { (xml(&view.title)) } }
            (link("self", &format!("{origin}{}", view.feed)))
            (link("alternate", &format!("{origin}{}", view.address)))
            @for item in &entries { (entry(item, &format!("{origin}{}", view.address))) }
        }
    }
}

fn entry(entry: &Entry, page: &str) -> Markup {
    html! {
        entry {
            id { (entry.id) }
            title { (xml(&entry.title)) }
            updated { (entry.at.rfc3339()) }
            (link("alternate", &format!("{page}#{}", anchor(&entry.about))))
            content type="text" { (xml(&entry.text)) }
        }
    }
}

/// XML wants an element without content closed; the macro writes such elements as HTML does.
fn link(rel: &str, href: &str) -> Markup {
    html! { link rel=(rel) href=(href) {} }
}

fn of_incident(incident: &PublicIncident, p: &Phrases, id: &dyn Fn(&str) -> String) -> Vec<Entry> {
    let kind = (p.lane)(incident.lane);
    let mut text = String::new();
    let mut line = |sentence: String| {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{sentence}");
    };
    if !incident.regions.is_empty() {
        line((p.failing_from)(&incident.regions.join(p.comma)));
    }
    if let Some(cause) = &incident.cause {
        line(cause.clone());
    }
    if let Some(diagnosis) = incident.diagnosis {
        line(format!("{}{}.", p.diagnosed, (p.diagnosis)(diagnosis)));
    }
    let text = text.trim_end().to_owned();
    let began = (p.began_at)(&minute(incident.opened_at));
    let about = incident.key.clone();
    let begin = Entry {
        id: id(&format!("begin {}", incident.key)),
        at: incident.opened_at,
        title: format!("{kind}{}{}", p.colon, incident.service),
        text: [began.as_str(), &text].join("\n").trim_end().to_owned(),
        about: about.clone(),
    };
    let end = incident.closed_at.map(|at| Entry {
        id: id(&format!("end {}", incident.key)),
        at,
        title: format!("{kind}{}{} – {}", p.colon, incident.service, p.over),
        text: [began, (p.lasted)(&p.span(at.since(incident.opened_at))), text].join("\n").trim_end().to_owned(),
        about: about.clone(),
    });
    let learnt = incident.postmortem.as_ref().map(|learnt| Entry {
        // The same when it is written anew: what is read again is the newer one.
        id: id(&format!("learnt {}", incident.key)),
        at: learnt.at,
        title: format!("{}{}{}", p.postmortem, p.colon, incident.service),
        text: learnt.text.clone(),
        about,
    });
    let what = format!("incident {}", incident.key);
    let said = incident.updates.iter().map(|update| of_update(update, (&what, &incident.service, &incident.key), p, id));
    learnt.into_iter().chain(end).chain([begin]).chain(said).collect()
}

/// What people say of something, as they wrote it: feeds show text, and the small Markdown reads well as such.
fn of_update(update: &UpdateView, (what, name, key): (&str, &str, &str), p: &Phrases, id: &dyn Fn(&str) -> String) -> Entry {
    Entry {
        id: id(&format!("update {} {what}", update.at.0)),
        at: update.at,
        title: format!("{}{}{name}", (p.update_state)(update.state), p.colon),
        text: update.text.clone(),
        about: key.to_owned(),
    }
}

/// A text without what no XML may contain, however it is escaped.
fn xml(text: &str) -> String {
    let is_allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    text.chars().map(|c| if is_allowed(c) { c } else { '\u{fffd}' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::incident::Lane;
    use crate::model::page::Language;
    use crate::model::update::UpdateState;
    use crate::ui::component::updates::AnnouncedView;
    use crate::ui::language::phrases;
    use crate::ui::page::status;
    use crate::ui::page::status::LearntText;
    use crate::ui::page::status::tests::empty;

    #[test]
    fn what_people_say_is_in_the_feed_each_once() {
        let said = |state, at| UpdateView { state, text: "It is the *disk* <1>.".to_owned(), at: UnixMillis(at) };
        let incident = PublicIncident {
            key: "k".to_owned(),
            service: "api".to_owned(),
            lane: Lane::Outage,
            opened_at: UnixMillis(1_000),
            closed_at: None,
            cause: None,
            diagnosis: None,
            regions: Vec::new(),
            updates: vec![said(UpdateState::Identified, 9_000), said(UpdateState::Investigating, 2_000)],
            postmortem: Some(LearntText { text: "It was the disk.".to_owned(), at: UnixMillis(20_000) }),
        };
        let announced = AnnouncedView {
            key: "a".to_owned(),
            title: "Slow logins".to_owned(),
            state: UpdateState::Monitoring,
            from: UnixMillis(500),
            until: None,
            updates: vec![said(UpdateState::Monitoring, 3_000)],
        };
        let ended = AnnouncedView {
            key: "b".to_owned(),
            title: "Slow mails".to_owned(),
            state: UpdateState::Resolved,
            from: UnixMillis(400),
            until: Some(UnixMillis(10_000)),
            updates: vec![said(UpdateState::Resolved, 10_000)],
        };
        let view = StatusView {
            open: vec![incident],
            announced: vec![announced],
            past_announced: vec![ended],
            address: "/status/a".to_owned(),
            ..empty()
        };
        let text = feed(&view, phrases(Language::English), &ToOwned::to_owned, "https://x.example").into_string();
        let titles: Vec<&str> = text.split("<title>").skip(2).filter_map(|rest| rest.split("</title>").next()).collect();
        assert_eq!(
            titles,
            ["Postmortem: api", "Resolved: Slow mails", "Identified: api", "Monitoring: Slow logins", "Investigating: api", "Outage: api"],
            "{text}"
        );
        // Each leads to what it is about, by an address that means something elsewhere, too.
        let links: Vec<&str> = text.split("<link rel=\"alternate\" href=\"").skip(2).filter_map(|rest| rest.split('"').next()).collect();
        let to = |key: &str| format!("https://x.example/status/a#e-{key}");
        assert_eq!(links, [to("k"), to("b"), to("k"), to("a"), to("k"), to("k")], "{text}");
        let page = status::page(&view, phrases(Language::English), UnixMillis(30_000)).into_string();
        for key in ["k", "a", "b"] {
            assert_eq!(page.matches(&format!(" id=\"e-{key}\"")).count(), 1, "{key}: {page}");
        }
        assert!(text.contains("<content type=\"text\">Began at 1970-01-01 00:00 UTC</content>"), "{text}");
        assert!(text.contains("It was the disk."), "{text}");
        assert!(text.contains("It is the *disk* &lt;1&gt;."), "{text}");
        let french = feed(&view, phrases(Language::French), &ToOwned::to_owned, "").into_string();
        assert!(french.contains("<title>Panne\u{a0}: api</title>"), "each language has its own colon: {french}");
        let mut ids: Vec<&str> = text.split("<id>").skip(1).filter_map(|rest| rest.split("</id>").next()).collect();
        let n = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!((n, ids.len()), (7, 7), "{text}");
    }
}
