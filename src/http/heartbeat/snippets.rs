//! The addresses of a heartbeat, and ready lines for whoever calls them.
//!
//! Lines are for copying, so they are complete: what fails is not hidden, nobody waits for ever, and an exit status is passed on.

use serde::Serialize;

use crate::http::heartbeat::identity::Names;
use crate::model::schedule::Schedule;

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

/// When a job runs: a cron expression and its zone.
pub type Cron = (String, String);

/// The expression of a cron schedule; another one stands in for what cron cannot say.
#[must_use]
pub fn cron_of(schedule: &Schedule) -> Cron {
    match schedule {
        Schedule::Timed(timed) if timed.text.split_whitespace().count() == 5 => (timed.text.clone(), timed.zone.to_string()),
        Schedule::Timed(_) | Schedule::Interval(_) => nightly(),
    }
}

/// An hour at which jobs run when nothing else is known.
#[must_use]
pub fn nightly() -> Cron {
    ("0 2 * * *".to_owned(), "UTC".to_owned())
}

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

    /// Ready lines as pairs of a heading and text, for a job that runs by this cron expression in this zone.
    #[must_use]
    pub fn snippets(&self, (schedule, zone): (&str, &str)) -> Vec<(&'static str, String)> {
        let (url, id) = (&self.token, &self.id);
        vec![
            ("curl", format!("curl -fsS -m 10 --retry 5 -o /dev/null {url}\n")),
            ("A command with its start, its output and its exit status", format!("vigilmon exec --ping {url} -- /usr/local/bin/{id}\n")),
            (
                "crontab",
                format!(
                    "{schedule} /usr/local/bin/{id} && curl -fsS -m 10 --retry 5 -o /dev/null {url} || curl -fsS -m 10 --retry 5 -o /dev/null {url}/fail\n"
                ),
            ),
            ("systemd unit", systemd(url, id)),
            ("Kubernetes CronJob with a Secret", kubernetes(url, id, (schedule, zone))),
            ("PowerShell", powershell(url)),
            ("GitHub Actions", github(id)),
        ]
    }
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

// `timeout` rather than `-T`: with that, the wget of some versions of busybox crashes.
fn kubernetes(url: &str, id: &str, (schedule, zone): (&str, &str)) -> String {
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
         spec:\n  schedule: \"{schedule}\"\n  timeZone: {zone}\n  concurrencyPolicy: Forbid\n  jobTemplate:\n    spec:\n      template:\n        spec:\n          \
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
