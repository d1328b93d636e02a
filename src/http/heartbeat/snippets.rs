//! The addresses of a heartbeat, and ready lines for whoever calls them.
//!
//! Lines are for copying, so they are complete: what fails is not hidden, nobody waits for ever, and an exit status is passed on.

use serde::Serialize;

use crate::http::heartbeat::identity::Names;
use crate::model::schedule::Schedule;
use crate::rules::calendar::spell;

/// By what a heartbeat is pinged, for `vigilmon heartbeat url`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Addresses {
    /// Its id.
    pub id: String,
    /// `/heartbeat/<token>`.
    pub token: String,
    /// `/ping/<uuid>`.
    pub uuid: String,
    /// `/ping/<key>/<slug>`.
    pub slug: String,
    /// The base that clients of healthchecks are given.
    pub healthchecks_base: String,
    /// As Uptime Kuma is called.
    pub kuma: String,
    /// As Gatus is called, with the token as bearer.
    pub gatus: String,
    /// As Better Stack is called.
    pub better_stack: String,
}

/// When a job runs, in the words of whoever runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What the config says: `every 5m`, `0 2 * * *`.
    schedule: String,
    /// Five fields of cron; `None` for what cron has no words for.
    cron: Option<String>,
    /// Lines of a systemd timer.
    timer: Vec<String>,
    /// The zone that cron's fields are in; `None` where it does not matter.
    zone: Option<String>,
}

impl Plan {
    /// As the schedule of a heartbeat says.
    #[must_use]
    pub fn of(schedule: &Schedule) -> Plan {
        let zone = match schedule {
            Schedule::Timed(timed) => Some(timed.zone.to_string()),
            Schedule::Interval(_) => None,
        };
        Plan { schedule: schedule.to_string(), cron: spell::crontab(schedule), timer: spell::timer(schedule), zone }
    }

    /// Every night, for when nothing else is known.
    #[must_use]
    pub fn nightly() -> Plan {
        let timer = vec![format!("OnCalendar=*-*-* 02:00:00 {UTC}")];
        Plan { schedule: NIGHTLY.to_owned(), cron: Some(NIGHTLY.to_owned()), timer, zone: Some(UTC.to_owned()) }
    }
}

/// An hour at which jobs run when nothing else is known.
const NIGHTLY: &str = "0 2 * * *";

const UTC: &str = "UTC";

impl Addresses {
    /// Below `base`, such as `https://status.example.com`.
    #[must_use]
    pub fn new(base: &str, id: &str, names: &Names) -> Addresses {
        let Names { token, uuid, ping_key, slug } = names;
        let (token, uuid, ping_key) = (token.reveal_for_use(), uuid.reveal_for_use(), ping_key.reveal_for_use());
        Addresses {
            id: id.to_owned(),
            token: format!("{base}/heartbeat/{token}"),
            uuid: format!("{base}/ping/{uuid}"),
            slug: format!("{base}/ping/{ping_key}/{slug}"),
            healthchecks_base: format!("{base}/ping"),
            kuma: format!("{base}/api/push/{token}?status=up&msg=OK"),
            gatus: format!("{base}/api/v1/endpoints/{slug}/external?success=true"),
            better_stack: format!("{base}/api/v1/heartbeat/{token}"),
        }
    }

    /// All forms as pairs of a heading and an address.
    #[must_use]
    pub fn forms(&self) -> Vec<(&'static str, &str)> {
        vec![
            ("vigilmon", &self.token),
            ("healthchecks, by UUID", &self.uuid),
            ("healthchecks, by slug", &self.slug),
            ("Uptime Kuma", &self.kuma),
            ("Gatus (Bearer: the token)", &self.gatus),
            ("Better Stack", &self.better_stack),
        ]
    }

    /// Ready lines as pairs of a heading and text, for a job that runs by this plan.
    #[must_use]
    pub fn snippets(&self, plan: &Plan) -> Vec<(&'static str, String)> {
        let (url, id) = (&self.token, &self.id);
        vec![
            ("curl", format!("curl -fsS -m 10 --retry 5 -o /dev/null {url}\n")),
            ("A command with its start, its output and its exit status", format!("vigilmon exec --ping {url} -- /usr/local/bin/{id}\n")),
            ("crontab", crontab(url, id, plan)),
            ("systemd unit", systemd(url, id)),
            ("systemd timer", systemd_timer(id, plan)),
            ("Kubernetes CronJob with a Secret", kubernetes(url, id, plan)),
            ("PowerShell", powershell(url)),
            ("GitHub Actions", github(id)),
        ]
    }
}

/// A line of a crontab; the exit status goes into the address, so that one line tells success and failure.
fn crontab(url: &str, id: &str, plan: &Plan) -> String {
    let note = match (&plan.cron, &plan.zone) {
        (None, _) => format!("# cron has no words for {}: the line says when it is run instead\n", plan.schedule),
        (Some(_), Some(zone)) => format!("# cron goes by the clock of its machine, which should be that of {zone}\n"),
        (Some(_), None) => String::new(),
    };
    let cron = plan.cron.as_deref().unwrap_or(NIGHTLY);
    format!("{note}{cron} /usr/local/bin/{id}; curl -fsS -m 10 --retry 5 -o /dev/null {url}/$?\n")
}

fn systemd(url: &str, id: &str) -> String {
    format!(
        "# /etc/systemd/system/{id}.service\n\
         [Unit]\n\
         Description={id}\n\
         \n\
         [Service]\n\
         Type=oneshot\n\
         Environment=PING_URL={url}\n\
         ExecStartPre=-/usr/bin/curl -fsS -m 10 --retry 5 -o /dev/null ${{PING_URL}}/start\n\
         ExecStart=/usr/local/bin/{id}\n\
         # a signal or a time-out has no exit status that is a number\n\
         ExecStopPost=-/bin/sh -c 'test \"$$SERVICE_RESULT\" = success && s=0 || s=fail; exec curl -fsS -m 10 --retry 5 -o /dev/null \"$$PING_URL/$$s\"'\n"
    )
}

fn systemd_timer(id: &str, plan: &Plan) -> String {
    let mut out =
        format!("# /etc/systemd/system/{id}.timer, started by `systemctl enable --now {id}.timer`\n[Unit]\nDescription={id}\n\n[Timer]\n");
    for line in &plan.timer {
        out.push_str(line);
        out.push('\n');
    }
    // What a machine that was off has missed is run when it is back.
    if plan.timer.iter().any(|line| line.starts_with("OnCalendar=")) {
        out.push_str("Persistent=true\n");
    }
    out.push_str("AccuracySec=1s\n\n[Install]\nWantedBy=timers.target\n");
    out
}

// `timeout` rather than `-T`: with that, the wget of some versions of busybox crashes.
fn kubernetes(url: &str, id: &str, plan: &Plan) -> String {
    let schedule = plan.cron.as_deref().unwrap_or(NIGHTLY);
    let zone = plan.zone.as_deref().unwrap_or(UTC);
    let note = if plan.cron.is_none() { format!("  # cron has no words for {}\n", plan.schedule) } else { String::new() };
    let name: String = id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    format!(
        "apiVersion: v1\n\
         kind: Secret\n\
         metadata:\n  name: {name}-ping\n\
         stringData:\n  url: {url}\n\
         ---\n\
         apiVersion: batch/v1\n\
         kind: CronJob\n\
         metadata:\n  name: {name}\n\
         spec:\n{note}  schedule: \"{schedule}\"\n  timeZone: {zone}\n  concurrencyPolicy: Forbid\n  jobTemplate:\n    spec:\n      template:\n        spec:\n          \
         restartPolicy: Never\n          containers:\n            - name: job\n              image: busybox\n              env:\n                - name: PING_URL\n                  \
         valueFrom: {{ secretKeyRef: {{ name: {name}-ping, key: url }} }}\n              command:\n                - sh\n                - -c\n                - |\n                  \
         timeout 10 wget -q -O /dev/null \"$PING_URL/start\"\n                  echo the job itself\n                  status=$?\n                  \
         timeout 10 wget -q -O /dev/null \"$PING_URL/$status\"\n                  exit $status\n"
    )
}

fn powershell(url: &str) -> String {
    format!("Invoke-RestMethod -Uri {url} -TimeoutSec 10 -MaximumRetryCount 5 -RetryIntervalSec 2\n")
}

fn github(id: &str) -> String {
    format!(
        "# the address is the repository's secret PING_URL\n\
         - name: Tell vigilmon how {id} went\n  if: always()\n  env:\n    PING_URL: ${{{{ secrets.PING_URL }}}}\n  run: |\n    \
         curl -fsS -m 10 --retry 5 -o /dev/null \"$PING_URL/${{{{ job.status == 'success' && '0' || '1' }}}}\"\n"
    )
}
