//! English.

use crate::model::incident::Lane;
use crate::model::page::AnnouncementKind;
use crate::model::page::Language;
use crate::model::update::UpdateState;
use crate::model::verdict::Diagnosis;
use crate::model::verdict::Verdict;
use crate::ui::language::Counts;
use crate::ui::language::DayCounts;
use crate::ui::language::Detail;
use crate::ui::language::Phrases;
use crate::ui::text::count;

pub(super) const PHRASES: Phrases = Phrases {
    language: Language::English,
    comma: ", ",
    colon: ": ",
    decimal: '.',
    before_percent: " ",
    units: [" s", " min", " h", " d"],
    nothing_listed: "Nothing is listed here yet",
    no_current_data: "No current data",
    all_paused: "Monitoring is paused",
    all_operational: "All systems operational",
    counted,
    operational_but: |regional, n, place| format!("Operational, but {regional} of {} {} trouble from {place}", services(n), have(regional)),
    and_regional: |regional, place| format!(", {regional} {} trouble from {place}", have(regional)),
    some_regions: "some regions",
    as_of: ("As of ", ""),
    old_as_of: ("The newest data is of ", ", what is shown below may be over."),
    nothing_checked: "Nothing was checked yet",
    not_renewed: "This page could not be renewed; what it shows may be over.",
    state: |state| match state {
        Verdict::Up => "Operational",
        Verdict::Degraded => "Degraded",
        Verdict::Down => "Down",
        Verdict::Unknown => "Unknown",
        Verdict::Paused => "Paused",
        Verdict::Maintenance => "Maintenance",
    },
    tally: |state, n| match state {
        Verdict::Up => format!("{n} operational"),
        Verdict::Degraded => format!("{n} degraded"),
        Verdict::Down => format!("{n} down"),
        Verdict::Unknown => format!("{n} unknown"),
        Verdict::Paused => format!("{n} paused"),
        Verdict::Maintenance => format!("{n} in maintenance"),
    },
    detail: |detail| match detail {
        Detail::Late => "Late",
        Detail::NeverPinged => "Never pinged",
        Detail::Waiting => "Waiting",
    },
    partly: "Regional trouble",
    failing_from: |places| format!("Failing from {places}"),
    measured_from: |place| format!("from {place}"),
    response_times: |from, to| format!("last response times: {from} to {to}"),
    days_ago: |n| format!("{} ago", days(n)),
    today: "today",
    days_summary,
    available: |share| format!("{share} up"),
    unknown_share: |share| format!("{share} of the time unknown"),
    maintenance_share: |share| format!("{share} in maintenance"),
    no_data_yet: "no data yet",
    days_with_trouble: |n| format!("{} with trouble", days(n)),
    more_days: |n| format!("and {} more", days(n)),
    day_fine: "No trouble",
    day_unknown: "No data",
    day_down: |span| format!("down for {span}"),
    day_maintenance: |span| format!("in maintenance for {span}"),
    day_degraded: "degraded",
    regions: "Regions",
    service: "Service",
    not_checked_here: "Not checked from here",
    n_failing: |n| format!("{n} in trouble"),
    none_failing: "no trouble",
    only_troubled: "Services that are well from everywhere are not listed one by one.",
    open_incidents: "Open incidents",
    past_announcements: "Past announcements",
    past_incidents: "Past incidents",
    no_past_incidents: "None in the time shown.",
    update_state: |state| match state {
        UpdateState::Investigating => "Investigating",
        UpdateState::Identified => "Identified",
        UpdateState::Monitoring => "Monitoring",
        UpdateState::Resolved => "Resolved",
    },
    postmortem: "Postmortem",
    lane: |lane| match lane {
        Lane::Outage => "Outage",
        Lane::Degradation => "Degraded",
        Lane::Regional => "Regional trouble",
    },
    began_at: |at| format!("Began at {at}"),
    lasting: |span| format!("for {span}"),
    lasted: |span| format!("lasted {span}"),
    diagnosed: "Diagnosis: ",
    diagnosis: Diagnosis::sentence,
    over: "over",
    maintenance: "Maintenance",
    planned_maintenance: "Planned maintenance",
    under_way: "Under way",
    planned: "Planned",
    until: " to ",
    ends: |when| format!("ends {when}"),
    begins: |when, span| format!("begins {when}, lasts {span}"),
    affects: |names, n_more| if n_more == 0 { format!("Affects {names}") } else { format!("Affects {names} and {n_more} more") },
    announcement: |kind| match kind {
        AnnouncementKind::Info => "Information",
        AnnouncementKind::Warning => "Warning",
        AnnouncementKind::Outage => "Outage",
        AnnouncementKind::Operational => "Operational",
    },
    ago: |span| format!("{span} ago"),
    in_future: |span| format!("in {span}"),
    password_needed: "Password needed",
    password: "Password",
    show_page: "Show the page",
    wrong_password: "This password is not right.",
    skip: "To the services",
    days_in_utc: "Days are counted in UTC",
    monitored_by: "Monitored by vigilmon",
    feed: "Feed of incidents",
    calendar: "Calendar of maintenance",
};

fn services(n: usize) -> String {
    count(n, "service")
}

fn days(n: usize) -> String {
    count(n, "day")
}

fn is(n: usize) -> &'static str {
    if n == 1 { "is" } else { "are" }
}

fn have(n: usize) -> &'static str {
    if n == 1 { "has" } else { "have" }
}

fn counted(counts: Counts) -> String {
    let Counts { n_down, n_degraded, n_unknown, n_maintenance, n } = counts;
    let services = services(n);
    let sentence = match (n_down, n_degraded, n_unknown) {
        (0, 0, 0) if n_maintenance == n => return format!("{services} {} in maintenance", is(n)),
        (0, 0, 0) => return format!("Operational, {n_maintenance} of {services} {} in maintenance", is(n_maintenance)),
        (0, 0, unknown) => format!("The state of {unknown} of {services} is not known"),
        (0, degraded, _) => format!("{degraded} of {services} {} degraded", is(degraded)),
        (down, 0, _) => format!("{down} of {services} {} down", is(down)),
        (down, degraded, _) => format!("{down} of {services} {} down, {degraded} {} degraded", is(down), is(degraded)),
    };
    if 0 < n_maintenance { format!("{sentence}, {n_maintenance} {} in maintenance", is(n_maintenance)) } else { sentence }
}

fn days_summary(counts: DayCounts) -> String {
    let DayCounts { n_down, n_degraded, n_unknown, n_maintenance, n } = counts;
    let planned = if n_maintenance == 0 { String::new() } else { format!(", {n_maintenance} with maintenance") };
    format!("last {}: {n_down} with an outage, {n_degraded} degraded, {n_unknown} without data{planned}", days(n))
}
