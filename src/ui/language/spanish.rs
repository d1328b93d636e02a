//! Spanish.

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

fn s(n: usize) -> &'static str {
    if n == 1 { "" } else { "s" }
}

pub(super) const PHRASES: Phrases = Phrases {
    language: Language::Spanish,
    comma: ", ",
    colon: ": ",
    decimal: ',',
    before_percent: "\u{a0}",
    units: [" s", " min", " h", " d"],
    nothing_listed: "Aquí todavía no hay nada",
    no_current_data: "Sin datos actuales",
    all_paused: "La supervisión está en pausa",
    all_operational: "Todos los sistemas funcionan",
    counted,
    operational_but: |regional, n, place| {
        format!("En funcionamiento, pero {regional} de {n} servicio{} {} problemas desde {place}", s(n), have(regional))
    },
    and_regional: |regional, place| format!(", {regional} {} problemas desde {place}", have(regional)),
    some_regions: "algunas regiones",
    as_of: ("Situación: ", ""),
    old_as_of: ("Los datos más recientes son del ", "; lo que se muestra abajo puede haber cambiado."),
    nothing_checked: "Todavía no se ha comprobado nada",
    not_renewed: "No se ha podido actualizar esta página; lo que muestra puede haber cambiado.",
    state: |state| match state {
        Verdict::Up => "Operativo",
        Verdict::Degraded => "Degradado",
        Verdict::Down => "Caído",
        Verdict::Unknown => "Desconocido",
        Verdict::Paused => "En pausa",
        Verdict::Maintenance => "Mantenimiento",
    },
    tally: |state, n| match state {
        Verdict::Up => format!("{n} operativo{}", s(n)),
        Verdict::Degraded => format!("{n} degradado{}", s(n)),
        Verdict::Down => format!("{n} caído{}", s(n)),
        Verdict::Unknown => format!("{n} desconocido{}", s(n)),
        Verdict::Paused => format!("{n} en pausa"),
        Verdict::Maintenance => format!("{n} en mantenimiento"),
    },
    detail: |detail| match detail {
        Detail::Late => "Con retraso",
        Detail::NeverPinged => "Nunca ha dado señal",
        Detail::Waiting => "En espera",
    },
    partly: "Problemas regionales",
    failing_from: |places| format!("Falla desde {places}"),
    measured_from: |place| format!("desde {place}"),
    response_times: |from, to| format!("últimos tiempos de respuesta: de {from} a {to}"),
    days_ago: |n| format!("hace {n} día{}", s(n)),
    today: "hoy",
    days_summary,
    available: |share| format!("{share} disponible"),
    unknown_share: |share| format!("{share} del tiempo desconocido"),
    maintenance_share: |share| format!("{share} en mantenimiento"),
    no_data_yet: "todavía sin datos",
    days_with_trouble: |n| format!("{n} día{} con problemas", s(n)),
    more_days: |n| format!("y {n} día{} más", s(n)),
    day_fine: "Sin problemas",
    day_unknown: "Sin datos",
    day_down: |span| format!("caído durante {span}"),
    day_maintenance: |span| format!("en mantenimiento durante {span}"),
    day_degraded: "degradado",
    regions: "Regiones",
    service: "Servicio",
    not_checked_here: "No se comprueba desde aquí",
    n_failing: |n| format!("{n} con problemas"),
    none_failing: "sin problemas",
    only_troubled: "Los servicios que funcionan desde todas las regiones no se enumeran uno a uno.",
    open_incidents: "Incidentes abiertos",
    past_announcements: "Anuncios anteriores",
    past_incidents: "Incidentes anteriores",
    no_past_incidents: "Ninguno en el periodo mostrado.",
    update_state: |state| match state {
        UpdateState::Investigating => "En investigación",
        UpdateState::Identified => "Causa identificada",
        UpdateState::Monitoring => "En observación",
        UpdateState::Resolved => "Resuelto",
    },
    postmortem: "Análisis posterior",
    lane: |lane| match lane {
        Lane::Outage => "Caída",
        Lane::Degradation => "Degradación",
        Lane::Regional => "Problemas regionales",
    },
    began_at: |at| format!("Comenzó el {at}"),
    lasting: |span| format!("desde hace {span}"),
    lasted: |span| format!("duró {span}"),
    diagnosed: "Diagnóstico: ",
    diagnosis: |diagnosis| match diagnosis {
        Diagnosis::PathDns => "desde dentro funciona, y desde fuera no se encuentra el nombre: revisar los registros DNS y el resolutor",
        Diagnosis::PathConnect => {
            "desde dentro funciona, y desde fuera no se puede conectar: revisar el balanceador, el cortafuegos y la línea"
        }
        Diagnosis::PathTls => "desde dentro funciona, y desde fuera falla TLS: revisar el certificado de la entrada",
        Diagnosis::PathGateway => {
            "desde dentro funciona, y la entrada no tiene ningún destino sano: revisar su comprobación de salud y sus destinos"
        }
        Diagnosis::PathOther => "desde dentro funciona y desde fuera no: revisar lo que hay en medio",
        Diagnosis::Service => "desde dentro tampoco funciona: revisar el propio servicio",
        Diagnosis::Inside => "desde fuera funciona y desde dentro no: revisar el DNS interno, las reglas de red, el NAT o la sonda interna",
        Diagnosis::Transit => {
            "desde dentro y desde otras regiones funciona: revisar el tránsito, la CDN o el DNS geográfico de las que fallan"
        }
    },
    over: "terminado",
    maintenance: "Mantenimiento",
    planned_maintenance: "Mantenimiento previsto",
    under_way: "En curso",
    planned: "Previsto",
    until: " – ",
    ends: |when| format!("termina {when}"),
    begins: |when, span| format!("empieza {when}, dura {span}"),
    affects: |names, n_more| if n_more == 0 { format!("Afecta a {names}") } else { format!("Afecta a {names} y {n_more} más") },
    announcement: |kind| match kind {
        AnnouncementKind::Info => "Información",
        AnnouncementKind::Warning => "Aviso",
        AnnouncementKind::Outage => "Caída",
        AnnouncementKind::Operational => "Operativo",
    },
    ago: |span| format!("hace {span}"),
    in_future: |span| format!("dentro de {span}"),
    password_needed: "Se necesita una contraseña",
    password: "Contraseña",
    show_page: "Mostrar la página",
    wrong_password: "Esta contraseña no es correcta.",
    skip: "Ir a los servicios",
    days_in_utc: "Los días se cuentan en UTC",
    monitored_by: "Supervisado por vigilmon",
    feed: "Canal de incidentes",
    calendar: "Calendario de mantenimiento",
};

fn is(n: usize) -> &'static str {
    if n == 1 { "está" } else { "están" }
}

fn have(n: usize) -> &'static str {
    if n == 1 { "tiene" } else { "tienen" }
}

fn counted(counts: Counts) -> String {
    let Counts { n_down, n_degraded, n_unknown, n_maintenance, n } = counts;
    let of = |part: usize| format!("{part} de {n} servicio{} {}", s(n), is(part));
    let sentence = match (n_down, n_degraded, n_unknown) {
        (0, 0, 0) if n_maintenance == n => return format!("{n} servicio{} {} en mantenimiento", s(n), is(n)),
        (0, 0, 0) => return format!("En funcionamiento, {} en mantenimiento", of(n_maintenance)),
        (0, 0, unknown) => format!("No se conoce el estado de {unknown} de {n} servicio{}", s(n)),
        (0, degraded, _) => format!("{} degradado{}", of(degraded), s(degraded)),
        (down, 0, _) => format!("{} caído{}", of(down), s(down)),
        (down, degraded, _) => format!("{} caído{}, {degraded} {} degradado{}", of(down), s(down), is(degraded), s(degraded)),
    };
    if 0 < n_maintenance { format!("{sentence}, {n_maintenance} {} en mantenimiento", is(n_maintenance)) } else { sentence }
}

fn days_summary(counts: DayCounts) -> String {
    let DayCounts { n_down, n_degraded, n_unknown, n_maintenance, n } = counts;
    let planned = if n_maintenance == 0 { String::new() } else { format!(", {n_maintenance} con mantenimiento") };
    let last = if n == 1 { "último día".to_owned() } else { format!("últimos {n} días") };
    format!("{last}: {n_down} con caída, {n_degraded} con degradación, {n_unknown} sin datos{planned}")
}
