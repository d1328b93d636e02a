//! German.

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

pub(super) const PHRASES: Phrases = Phrases {
    language: Language::German,
    comma: ", ",
    colon: ": ",
    decimal: ',',
    before_percent: " ",
    units: [" s", " min", " h", " Tg."],
    nothing_listed: "Hier ist noch nichts aufgeführt",
    no_current_data: "Keine aktuellen Daten",
    all_paused: "Die Überwachung ist angehalten",
    all_operational: "Alle Systeme in Betrieb",
    counted,
    operational_but: |regional, n, place| {
        format!("In Betrieb, aber {regional} von {} {} von {place} aus gestört", services(n), is(regional))
    },
    and_regional: |regional, place| format!(", {regional} {} von {place} aus gestört", is(regional)),
    some_regions: "einigen Regionen",
    as_of: ("Stand: ", ""),
    old_as_of: ("Die neuesten Daten sind von ", "; was unten steht, ist vielleicht überholt."),
    nothing_checked: "Es wurde noch nichts geprüft",
    not_renewed: "Diese Seite konnte nicht erneuert werden; was sie zeigt, ist vielleicht überholt.",
    state: |state| match state {
        Verdict::Up => "In Betrieb",
        Verdict::Degraded => "Beeinträchtigt",
        Verdict::Down => "Ausgefallen",
        Verdict::Unknown => "Unbekannt",
        Verdict::Paused => "Angehalten",
        Verdict::Maintenance => "Wartung",
    },
    tally: |state, n| match state {
        Verdict::Up => format!("{n} in Betrieb"),
        Verdict::Degraded => format!("{n} beeinträchtigt"),
        Verdict::Down => format!("{n} ausgefallen"),
        Verdict::Unknown => format!("{n} unbekannt"),
        Verdict::Paused => format!("{n} angehalten"),
        Verdict::Maintenance => format!("{n} in Wartung"),
    },
    detail: |detail| match detail {
        Detail::Late => "Verspätet",
        Detail::NeverPinged => "Noch nie gemeldet",
        Detail::Waiting => "Wartet",
    },
    partly: "Regional gestört",
    failing_from: |places| format!("Gestört von {places} aus"),
    measured_from: |place| format!("von {place} aus"),
    response_times: |from, to| format!("letzte Antwortzeiten: {from} bis {to}"),
    days_ago: |n| if n == 1 { "vor 1 Tag".to_owned() } else { format!("vor {n} Tagen") },
    today: "heute",
    days_summary,
    available: |share| format!("{share} verfügbar"),
    unknown_share: |share| format!("{share} der Zeit unbekannt"),
    maintenance_share: |share| format!("{share} in Wartung"),
    no_data_yet: "noch keine Daten",
    days_with_trouble: |n| format!("{} mit Störungen", days(n)),
    more_days: |n| if n == 1 { "und 1 weiterer Tag".to_owned() } else { format!("und {n} weitere Tage") },
    day_fine: "Keine Störung",
    day_unknown: "Keine Daten",
    day_down: |span| format!("{span} ausgefallen"),
    day_maintenance: |span| format!("{span} in Wartung"),
    day_degraded: "beeinträchtigt",
    regions: "Regionen",
    service: "Dienst",
    not_checked_here: "Wird von hier nicht geprüft",
    n_failing: |n| format!("{n} gestört"),
    none_failing: "keine Störung",
    only_troubled: "Dienste, die von überall aus in Betrieb sind, werden nicht einzeln aufgeführt.",
    open_incidents: "Laufende Störungen",
    past_announcements: "Vergangene Ankündigungen",
    past_incidents: "Vergangene Störungen",
    no_past_incidents: "Keine im gezeigten Zeitraum.",
    update_state: |state| match state {
        UpdateState::Investigating => "Wird untersucht",
        UpdateState::Identified => "Ursache gefunden",
        UpdateState::Monitoring => "Wird beobachtet",
        UpdateState::Resolved => "Behoben",
    },
    postmortem: "Rückblick",
    lane: |lane| match lane {
        Lane::Outage => "Ausfall",
        Lane::Degradation => "Beeinträchtigung",
        Lane::Regional => "Regionale Störung",
    },
    began_at: |at| format!("Begann am {at}"),
    lasting: |span| format!("seit {span}"),
    lasted: |span| format!("dauerte {span}"),
    diagnosed: "Befund: ",
    diagnosis: |diagnosis| match diagnosis {
        Diagnosis::PathDns => "von innen geht es, und von außen wird der Name nicht gefunden: DNS-Einträge und Resolver prüfen",
        Diagnosis::PathConnect => {
            "von innen geht es, und von außen kommt keine Verbindung zustande: Load Balancer, Firewall und Leitung prüfen"
        }
        Diagnosis::PathTls => "von innen geht es, und von außen scheitert TLS: Zertifikat am Ingress prüfen",
        Diagnosis::PathGateway => {
            "von innen geht es, und der Ingress hat kein gesundes Ziel: seine Zustandsprüfung und seine Endpunkte prüfen"
        }
        Diagnosis::PathOther => "von innen geht es und von außen nicht: prüfen, was dazwischen liegt",
        Diagnosis::Service => "auch von innen geht es nicht: den Dienst selbst prüfen",
        Diagnosis::Inside => {
            "von außen geht es und von innen nicht: internes DNS, Netzregeln, Hairpin-NAT oder die interne Prüfung ansehen"
        }
        Diagnosis::Transit => {
            "von innen und aus anderen Regionen geht es: Transit, CDN oder geografisches DNS der gestörten Regionen prüfen"
        }
    },
    over: "beendet",
    maintenance: "Wartung",
    planned_maintenance: "Geplante Wartung",
    under_way: "Im Gange",
    planned: "Geplant",
    until: " bis ",
    ends: |when| format!("endet {when}"),
    begins: |when, span| format!("beginnt {when}, dauert {span}"),
    affects: |names, n_more| match n_more {
        0 => format!("Betrifft {names}"),
        1 => format!("Betrifft {names} und 1 weiteren"),
        _ => format!("Betrifft {names} und {n_more} weitere"),
    },
    announcement: |kind| match kind {
        AnnouncementKind::Info => "Hinweis",
        AnnouncementKind::Warning => "Warnung",
        AnnouncementKind::Outage => "Störung",
        AnnouncementKind::Operational => "In Betrieb",
    },
    ago: |span| format!("vor {span}"),
    in_future: |span| format!("in {span}"),
    password_needed: "Passwort erforderlich",
    password: "Passwort",
    show_page: "Seite zeigen",
    wrong_password: "Dieses Passwort stimmt nicht.",
    skip: "Zu den Diensten",
    days_in_utc: "Tage zählen nach UTC",
    monitored_by: "Überwacht von vigilmon",
    feed: "Feed der Störungen",
    calendar: "Wartungskalender",
};

fn services(n: usize) -> String {
    if n == 1 { "1 Dienst".to_owned() } else { format!("{n} Diensten") }
}

fn days(n: usize) -> String {
    if n == 1 { "1 Tag".to_owned() } else { format!("{n} Tage") }
}

fn is(n: usize) -> &'static str {
    if n == 1 { "ist" } else { "sind" }
}

fn counted(counts: Counts) -> String {
    let Counts { n_down, n_degraded, n_unknown, n_maintenance, n } = counts;
    let services = services(n);
    let sentence = match (n_down, n_degraded, n_unknown) {
        (0, 0, 0) if n_maintenance == n => {
            return if n == 1 { "1 Dienst ist in Wartung".to_owned() } else { format!("{n} Dienste sind in Wartung") };
        }
        (0, 0, 0) => return format!("In Betrieb, {n_maintenance} von {services} {} in Wartung", is(n_maintenance)),
        (0, 0, unknown) => format!("Der Zustand von {unknown} von {services} ist nicht bekannt"),
        (0, degraded, _) => format!("{degraded} von {services} {} beeinträchtigt", is(degraded)),
        (down, 0, _) => format!("{down} von {services} {} ausgefallen", is(down)),
        (down, degraded, _) => format!("{down} von {services} {} ausgefallen, {degraded} {} beeinträchtigt", is(down), is(degraded)),
    };
    if 0 < n_maintenance { format!("{sentence}, {n_maintenance} {} in Wartung", is(n_maintenance)) } else { sentence }
}

fn days_summary(counts: DayCounts) -> String {
    let DayCounts { n_down, n_degraded, n_unknown, n_maintenance, n } = counts;
    let planned = if n_maintenance == 0 { String::new() } else { format!(", {n_maintenance} mit Wartung") };
    let last = if n == 1 { "letzter Tag".to_owned() } else { format!("letzte {n} Tage") };
    format!("{last}: {n_down} mit Ausfall, {n_degraded} mit Beeinträchtigung, {n_unknown} ohne Daten{planned}")
}
