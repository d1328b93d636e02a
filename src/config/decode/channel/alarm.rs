//! Decodes the channels of systems that keep alarms: on-call services, Alertmanager, and issues.

use crate::config::decode::channel::only_url;
use crate::config::decode::channel::server;
use crate::config::decode::channel::shaped;
use crate::config::decode::channel::shaped_word;
use crate::config::decode::channel::token;
use crate::config::decode::channel::word;
use crate::config::decode::channel::words;
use crate::config::fields::At;
use crate::config::fields::Ctx;
use crate::config::fields::Fields;
use crate::config::readers;
use crate::model::channel::ChannelSpec;
use crate::model::channel::spec::AlertmanagerSpec;
use crate::model::channel::spec::GithubSpec;
use crate::model::channel::spec::GitlabSpec;
use crate::model::channel::spec::GrafanaOncallSpec;
use crate::model::channel::spec::IncidentIoSpec;
use crate::model::channel::spec::OpsgenieSpec;
use crate::model::channel::spec::PagerDutySpec;
use crate::model::secret::Secret;

pub(super) fn pagerduty(ctx: &Ctx<'_>, at: &At<'_>) -> Option<ChannelSpec> {
    let mut fields = Fields::open(ctx, at, "channels[].pagerduty")?;
    let key = ("the key of an integration", "it has 32 letters and digits; the service's integrations show it for the Events API v2");
    let routing_key = fields
        .must("routing_key", |ctx, at| shaped(ctx, at, key, |text| text.len() == 32 && text.chars().all(|c| c.is_ascii_alphanumeric())));
    let api_url = fields.read("api_url", server).unwrap_or_else(|| "https://events.pagerduty.com".to_owned());
    let webhook_secrets = fields.read("webhook_secret", webhook_secrets).unwrap_or_default();
    fields.finish();
    Some(ChannelSpec::PagerDuty(PagerDutySpec { routing_key: routing_key?, api_url, webhook_secrets }))
}

/// A shorter secret could be guessed from one recorded event.
const WEBHOOK_SECRET_CHARS_MIN: usize = 16;

/// Two while one is exchanged for another.
fn webhook_secrets(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Vec<Secret>> {
    let what = ("the secret of a webhook", "it has at least 16 characters; PagerDuty shows it once, when the webhook is made");
    let fits = |text: &str| WEBHOOK_SECRET_CHARS_MIN <= text.len();
    let found: Vec<Secret> = at.one_or_many().iter().filter_map(|item| shaped(ctx, item, what, fits)).collect();
    if at.node.items().is_some_and(<[_]>::is_empty) {
        ctx.bad(at, "no secret is listed", "add the webhook's secret, or remove `webhook_secret`");
        return None;
    }
    Some(found)
}

pub(super) fn opsgenie(ctx: &Ctx<'_>, at: &At<'_>) -> Option<ChannelSpec> {
    let mut fields = Fields::open(ctx, at, "channels[].opsgenie")?;
    let api_key = fields.must("api_key", token);
    let priorities = [("P1", "P1"), ("P2", "P2"), ("P3", "P3"), ("P4", "P4"), ("P5", "P5")];
    let priority = fields.read("priority", |ctx, at| readers::choice(ctx, at, &priorities));
    let tags = fields.read("tags", words).unwrap_or_default();
    let api_url = fields.read("api_url", server).unwrap_or_else(|| "https://api.opsgenie.com".to_owned());
    fields.finish();
    Some(ChannelSpec::Opsgenie(OpsgenieSpec { api_key: api_key?, priority: priority.unwrap_or("P1"), tags, api_url }))
}

pub(super) fn incident_io(ctx: &Ctx<'_>, at: &At<'_>) -> Option<ChannelSpec> {
    let mut fields = Fields::open(ctx, at, "channels[].incident_io")?;
    let url = fields.must("url", server);
    let token = fields.must("token", token);
    fields.finish();
    Some(ChannelSpec::IncidentIo(IncidentIoSpec { url: url?, token: token? }))
}

pub(super) fn grafana_oncall(ctx: &Ctx<'_>, at: &At<'_>) -> Option<ChannelSpec> {
    Some(ChannelSpec::GrafanaOncall(GrafanaOncallSpec { url: only_url(ctx, at, "channels[].grafana_oncall")? }))
}

pub(super) fn alertmanager(ctx: &Ctx<'_>, at: &At<'_>) -> Option<ChannelSpec> {
    if at.node.scalar().is_some() {
        return Some(ChannelSpec::Alertmanager(AlertmanagerSpec {
            url: alertmanager_url(ctx, at)?,
            credentials: None,
            labels: Vec::new(),
        }));
    }
    let mut fields = Fields::open(ctx, at, "channels[].alertmanager")?;
    let url = fields.must("url", alertmanager_url);
    let (user, password) = (fields.take("user"), fields.take("password"));
    let labels =
        fields.read("labels", |ctx, at| Some(at.free_map(ctx).iter().filter_map(|(entry, at)| label(ctx, &entry.key, at)).collect()));
    fields.finish();
    let credentials = match (user, password) {
        (None, None) => None,
        (Some(user), Some(password)) => Some((word(ctx, &user)?, readers::secret(ctx, &password)?)),
        (Some(_), None) | (None, Some(_)) => {
            ctx.bad(at, "`user` and `password` belong together", "add the other one");
            return None;
        }
    };
    Some(ChannelSpec::Alertmanager(AlertmanagerSpec { url: url?, credentials, labels: labels.unwrap_or_default() }))
}

/// The path of its API, which is added to the address.
const ALERTS: &str = "/api/v2/alerts";

fn alertmanager_url(ctx: &Ctx<'_>, at: &At<'_>) -> Option<String> {
    let url = server(ctx, at)?;
    if let Some(base) = url.trim_end_matches('/').strip_suffix(ALERTS) {
        ctx.bad(at, format!("`{ALERTS}` is added to the address by itself"), format!("write `{base}`"));
        return None;
    }
    Some(url)
}

/// Labels that tell alerts apart; others may not replace them.
const OUR_LABELS: [&str; 4] = ["alertname", "severity", "monitor", "notice"];

fn label(ctx: &Ctx<'_>, name: &str, at: &At<'_>) -> Option<(String, String)> {
    let is_name =
        !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name {
        ctx.bad(at, format!("`{name}` is not the name of a label"), "use letters, digits and `_`, not beginning with a digit");
        return None;
    }
    if OUR_LABELS.contains(&name) {
        ctx.bad(at, format!("the label `{name}` is set by vigilmon"), "choose another name");
        return None;
    }
    Some((name.to_owned(), readers::full_text(ctx, at)?))
}

pub(super) fn github(ctx: &Ctx<'_>, at: &At<'_>) -> Option<ChannelSpec> {
    let mut fields = Fields::open(ctx, at, "channels[].github")?;
    let name = ("a repository", "write `owner/name`");
    let repository = fields.must("repository", |ctx, at| shaped_word(ctx, at, name, is_repository));
    let token = fields.must("token", token);
    let labels = fields.read("labels", words).unwrap_or_default();
    let api_url = fields.read("api_url", server).unwrap_or_else(|| "https://api.github.com".to_owned());
    fields.finish();
    Some(ChannelSpec::Github(GithubSpec { repository: repository?, token: token?, labels, api_url }))
}

fn is_repository(text: &str) -> bool {
    let is_name =
        |name: &str| !matches!(name, "" | "." | "..") && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    text.split_once('/').is_some_and(|(owner, name)| is_name(owner) && is_name(name))
}

pub(super) fn gitlab(ctx: &Ctx<'_>, at: &At<'_>) -> Option<ChannelSpec> {
    let mut fields = Fields::open(ctx, at, "channels[].gitlab")?;
    let url = fields.read("url", server).unwrap_or_else(|| "https://gitlab.com".to_owned());
    let name = ("a project", "write `group/name`, or its number");
    let project = fields.must("project", |ctx, at| shaped_word(ctx, at, name, is_project));
    let token = fields.must("token", token);
    let without_comma = ("a label", "a label of GitLab's has no comma");
    let labels = fields.read("labels", |ctx, at| {
        let items = at.one_or_many();
        Some(items.iter().filter_map(|item| shaped_word(ctx, item, without_comma, |text| !text.contains(','))).collect())
    });
    fields.finish();
    Some(ChannelSpec::Gitlab(GitlabSpec { url, project: project?, token: token?, labels: labels.unwrap_or_default() }))
}

fn is_project(text: &str) -> bool {
    let is_number = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    is_number || text.contains('/') && !text.starts_with('/') && !text.contains("://") && !text.contains(' ')
}
