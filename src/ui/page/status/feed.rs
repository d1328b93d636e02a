//! A status page as an Atom feed (RFC 4287): beginnings and ends of incidents, what people say of them, and announcements, newest first.

use std::fmt::Write;

use maud::Markup;
use maud::PreEscaped;
use maud::html;

use crate::model::time::UnixMillis;
use crate::ui::component::updates::UpdateView;
use crate::ui::language::Phrases;
use crate::ui::page::status::PublicIncident;
use crate::ui::page::status::StatusView;

/// Entries of a feed; readers keep what they have seen.
const ENTRIES_MAX: usize = 100;

struct Entry {
    id: String,
    at: UnixMillis,
    title: String,
    text: String,
}

/// The whole feed. `id` makes an id, the same for ever, of what is told apart by its argument.
#[must_use]
pub fn feed(view: &StatusView, p: &Phrases, id: &dyn Fn(&str) -> String) -> Markup {
    let incidents = view.open.iter().chain(view.past.iter().flat_map(|day| &day.incidents));
    let mut entries: Vec<Entry> = incidents.flat_map(|incident| of_incident(incident, p, id)).collect();
    entries.extend(view.announcements.iter().map(|told| Entry {
        id: id(&format!("announcement {} {}", told.at.0, told.text)),
        at: told.at,
        title: (p.announcement)(told.kind).to_owned(),
        text: told.text.clone(),
    }));
    for told in &view.announced {
        let what = format!("announced {} {}", told.from.0, told.title);
        entries.extend(told.updates.iter().map(|update| of_update(update, (&what, &told.title), p, id)));
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
            (link("self", &view.feed))
            (link("alternate", &view.address))
            @for item in &entries { (entry(item, view)) }
        }
    }
}

fn entry(entry: &Entry, view: &StatusView) -> Markup {
    html! {
        entry {
            id { (entry.id) }
            title { (xml(&entry.title)) }
            updated { (entry.at.rfc3339()) }
            (link("alternate", &view.address))
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
    let begin = Entry {
        id: id(&format!("begin {}", incident.key)),
        at: incident.opened_at,
        title: format!("{kind}{}{}", p.colon, incident.service),
        text: text.clone(),
    };
    let end = incident.closed_at.map(|at| Entry {
        id: id(&format!("end {}", incident.key)),
        at,
        title: format!("{kind}{}{} – {}", p.colon, incident.service, p.over),
        text: [(p.lasted)(&p.span(at.since(incident.opened_at))), text].join("\n").trim_end().to_owned(),
    });
    let what = format!("incident {}", incident.key);
    let said = incident.updates.iter().map(|update| of_update(update, (&what, &incident.service), p, id));
    end.into_iter().chain([begin]).chain(said).collect()
}

/// What people say of something, as they wrote it: feeds show text, and the small Markdown reads well as such.
fn of_update(update: &UpdateView, (what, name): (&str, &str), p: &Phrases, id: &dyn Fn(&str) -> String) -> Entry {
    Entry {
        id: id(&format!("update {} {what}", update.at.0)),
        at: update.at,
        title: format!("{}{}{name}", (p.update_state)(update.state), p.colon),
        text: update.text.clone(),
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
            postmortem: None,
        };
        let announced = AnnouncedView {
            title: "Slow logins".to_owned(),
            state: UpdateState::Monitoring,
            from: UnixMillis(500),
            until: None,
            updates: vec![said(UpdateState::Monitoring, 3_000)],
        };
        let view = StatusView { open: vec![incident], announced: vec![announced], ..empty() };
        let text = feed(&view, phrases(Language::English), &ToOwned::to_owned).into_string();
        let titles: Vec<&str> = text.split("<title>").skip(2).filter_map(|rest| rest.split("</title>").next()).collect();
        assert_eq!(titles, ["Identified: api", "Monitoring: Slow logins", "Investigating: api", "Outage: api"], "{text}");
        assert!(text.contains("It is the *disk* &lt;1&gt;."), "{text}");
        let french = feed(&view, phrases(Language::French), &ToOwned::to_owned).into_string();
        assert!(french.contains("<title>Panne\u{a0}: api</title>"), "each language has its own colon: {french}");
        let mut ids: Vec<&str> = text.split("<id>").skip(1).filter_map(|rest| rest.split("</id>").next()).collect();
        let n = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!((n, ids.len()), (5, 5), "{text}");
    }
}
