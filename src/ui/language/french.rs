//! French.

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

/// Two is the first number that takes the plural; none is singular.
fn s(n: usize) -> &'static str {
    if n < 2 { "" } else { "s" }
}

pub(super) const PHRASES: Phrases = Phrases {
    language: Language::French,
    comma: ", ",
    colon: "\u{a0}: ",
    decimal: ',',
    before_percent: "\u{a0}",
    units: [" s", " min", " h", " j"],
    nothing_listed: "Rien n’est encore affiché ici",
    no_current_data: "Pas de données récentes",
    all_paused: "La surveillance est suspendue",
    all_operational: "Tous les systèmes sont opérationnels",
    counted,
    operational_but: |regional, n, place| {
        format!("Opérationnel, mais {regional} service{} sur {n} {} perturbé{} depuis {place}", s(regional), is(regional), s(regional))
    },
    and_regional: |regional, place| format!(", {regional} {} perturbé{} depuis {place}", is(regional), s(regional)),
    some_regions: "certaines régions",
    as_of: ("Situation au ", ""),
    old_as_of: ("Les données les plus récentes datent du ", "\u{a0}; ce qui suit n’est peut-être plus vrai."),
    nothing_checked: "Rien n’a encore été vérifié",
    not_renewed: "Cette page n’a pas pu être actualisée\u{a0}; ce qu’elle montre n’est peut-être plus vrai.",
    state: |state| match state {
        Verdict::Up => "Opérationnel",
        Verdict::Degraded => "Dégradé",
        Verdict::Down => "En panne",
        Verdict::Unknown => "Inconnu",
        Verdict::Paused => "Suspendu",
        Verdict::Maintenance => "Maintenance",
    },
    tally: |state, n| match state {
        Verdict::Up => format!("{n} opérationnel{}", s(n)),
        Verdict::Degraded => format!("{n} dégradé{}", s(n)),
        Verdict::Down => format!("{n} en panne"),
        Verdict::Unknown => format!("{n} inconnu{}", s(n)),
        Verdict::Paused => format!("{n} suspendu{}", s(n)),
        Verdict::Maintenance => format!("{n} en maintenance"),
    },
    detail: |detail| match detail {
        Detail::Late => "En retard",
        Detail::NeverPinged => "Jamais signalé",
        Detail::Waiting => "En attente",
    },
    partly: "Perturbation régionale",
    failing_from: |places| format!("En échec depuis {places}"),
    measured_from: |place| format!("depuis {place}"),
    response_times: |from, to| format!("derniers temps de réponse\u{a0}: de {from} à {to}"),
    days_ago: |n| format!("il y a {n} jour{}", s(n)),
    today: "aujourd’hui",
    days_summary,
    available: |share| format!("{share} disponible"),
    unknown_share: |share| format!("{share} du temps inconnu"),
    maintenance_share: |share| format!("{share} en maintenance"),
    no_data_yet: "pas encore de données",
    days_with_trouble: |n| format!("{n} jour{} avec des perturbations", s(n)),
    more_days: |n| format!("et {n} autre{} jour{}", s(n), s(n)),
    day_fine: "Aucune perturbation",
    day_unknown: "Pas de données",
    day_down: |span| format!("en panne pendant {span}"),
    day_maintenance: |span| format!("en maintenance pendant {span}"),
    day_degraded: "dégradé",
    regions: "Régions",
    service: "Service",
    not_checked_here: "Pas vérifié d’ici",
    n_failing: |n| format!("{n} perturbé{}", s(n)),
    none_failing: "aucune perturbation",
    only_troubled: "Les services qui fonctionnent depuis toutes les régions ne sont pas listés un par un.",
    open_incidents: "Incidents en cours",
    past_announcements: "Annonces passées",
    past_incidents: "Incidents passés",
    no_past_incidents: "Aucun sur la période affichée.",
    update_state: |state| match state {
        UpdateState::Investigating => "En cours d’analyse",
        UpdateState::Identified => "Cause identifiée",
        UpdateState::Monitoring => "Sous surveillance",
        UpdateState::Resolved => "Résolu",
    },
    postmortem: "Bilan",
    lane: |lane| match lane {
        Lane::Outage => "Panne",
        Lane::Degradation => "Dégradation",
        Lane::Regional => "Perturbation régionale",
    },
    began_at: |at| format!("A commencé le {at}"),
    lasting: |span| format!("depuis {span}"),
    lasted: |span| format!("a duré {span}"),
    diagnosed: "Diagnostic\u{a0}: ",
    diagnosis: |diagnosis| match diagnosis {
        Diagnosis::PathDns => {
            "cela fonctionne de l’intérieur, et le nom est introuvable de l’extérieur\u{a0}: vérifier les enregistrements DNS et le résolveur"
        }
        Diagnosis::PathConnect => {
            "cela fonctionne de l’intérieur, et aucune connexion n’aboutit de l’extérieur\u{a0}: vérifier le répartiteur, le pare-feu et la ligne"
        }
        Diagnosis::PathTls => "cela fonctionne de l’intérieur, et TLS échoue de l’extérieur\u{a0}: vérifier le certificat à l’entrée",
        Diagnosis::PathGateway => {
            "cela fonctionne de l’intérieur, et l’entrée n’a aucun serveur sain\u{a0}: vérifier son contrôle de santé et ses points d’accès"
        }
        Diagnosis::PathOther => "cela fonctionne de l’intérieur mais pas de l’extérieur\u{a0}: vérifier ce qui se trouve entre les deux",
        Diagnosis::Service => "cela ne fonctionne pas non plus de l’intérieur\u{a0}: vérifier le service lui-même",
        Diagnosis::Inside => {
            "cela fonctionne de l’extérieur mais pas de l’intérieur\u{a0}: vérifier le DNS interne, les règles réseau, le NAT ou la sonde interne"
        }
        Diagnosis::Transit => {
            "cela fonctionne de l’intérieur et depuis d’autres régions\u{a0}: vérifier le transit, le CDN ou le DNS géographique des régions touchées"
        }
    },
    over: "terminé",
    maintenance: "Maintenance",
    planned_maintenance: "Maintenances prévues",
    under_way: "En cours",
    planned: "Prévue",
    until: " – ",
    ends: |when| format!("se termine {when}"),
    begins: |when, span| format!("commence {when}, dure {span}"),
    affects: |names, n_more| {
        if n_more == 0 { format!("Concerne {names}") } else { format!("Concerne {names} et {n_more} autre{}", s(n_more)) }
    },
    announcement: |kind| match kind {
        AnnouncementKind::Info => "Information",
        AnnouncementKind::Warning => "Avertissement",
        AnnouncementKind::Outage => "Panne",
        AnnouncementKind::Operational => "Opérationnel",
    },
    ago: |span| format!("il y a {span}"),
    in_future: |span| format!("dans {span}"),
    password_needed: "Mot de passe requis",
    password: "Mot de passe",
    show_page: "Afficher la page",
    wrong_password: "Ce mot de passe n’est pas le bon.",
    skip: "Aller aux services",
    days_in_utc: "Les jours sont comptés en UTC",
    monitored_by: "Surveillé par vigilmon",
    feed: "Flux des incidents",
    calendar: "Calendrier des maintenances",
};

fn is(n: usize) -> &'static str {
    if n < 2 { "est" } else { "sont" }
}

fn counted(counts: Counts) -> String {
    let Counts { n_down, n_degraded, n_unknown, n_maintenance, n } = counts;
    let of = |part: usize| format!("{part} service{} sur {n} {}", s(part), is(part));
    let sentence = match (n_down, n_degraded, n_unknown) {
        (0, 0, 0) if n_maintenance == n => return format!("{n} service{} {} en maintenance", s(n), is(n)),
        (0, 0, 0) => return format!("Opérationnel, {} en maintenance", of(n_maintenance)),
        (0, 0, unknown) => format!("L’état de {unknown} service{} sur {n} n’est pas connu", s(unknown)),
        (0, degraded, _) => format!("{} dégradé{}", of(degraded), s(degraded)),
        (down, 0, _) => format!("{} en panne", of(down)),
        (down, degraded, _) => format!("{} en panne, {degraded} {} dégradé{}", of(down), is(degraded), s(degraded)),
    };
    if 0 < n_maintenance { format!("{sentence}, {n_maintenance} {} en maintenance", is(n_maintenance)) } else { sentence }
}

fn days_summary(counts: DayCounts) -> String {
    let DayCounts { n_down, n_degraded, n_unknown, n_maintenance, n } = counts;
    let planned = if n_maintenance == 0 { String::new() } else { format!(", {n_maintenance} avec maintenance") };
    let last = if n < 2 { "dernier jour".to_owned() } else { format!("{n} derniers jours") };
    format!("{last}\u{a0}: {n_down} avec panne, {n_degraded} avec dégradation, {n_unknown} sans données{planned}")
}
