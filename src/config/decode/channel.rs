//! Decodes `channels`.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::config::decode::http::headers;
use crate::config::decode::template;
use crate::config::fields::At;
use crate::config::fields::Ctx;
use crate::config::fields::Fields;
use crate::config::node::Scalar;
use crate::config::readers;
use crate::config::reference;
use crate::model::channel::Channel;
use crate::model::channel::ChannelSpec;
use crate::model::channel::SlackSpec;
use crate::model::channel::WebhookSpec;
use crate::model::id::ChannelName;
use crate::model::monitor::Origin;
use crate::model::notification::EventKind;
use crate::model::secret::Secret;

/// One channel.
pub(super) fn channel(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Channel> {
    let mut fields = Fields::open(ctx, at, "channels[]")?;
    let name = fields.must("name", |ctx, at| readers::parsed(ctx, at, ChannelName::parse));
    let kinds: Vec<(At<'_>, &Kind)> = KINDS.iter().filter_map(|kind| Some((fields.take(kind.word)?, kind))).collect();
    let on = fields.read("on", events);
    let later = at.node.entries().unwrap_or_default().iter().any(|entry| reference::is_later("channels[]", &entry.key));
    fields.finish();
    let spec = match kinds.as_slice() {
        [(at, kind)] => (kind.decode)(ctx, at),
        [(_, first), (second, _), ..] => {
            ctx.bad(second, format!("a channel has exactly one kind, this one also has `{}`", first.word), "make two channels of it");
            None
        }
        [] if later => None,
        [] => {
            let words: Vec<String> = KINDS.iter().map(|kind| format!("`{}`", kind.word)).collect();
            ctx.bad(at, "this channel has no kind", format!("add one of {}", words.join(", ")));
            None
        }
    };
    let origin = Origin { file: ctx.report.files.of(at.node.pos), line: at.node.pos.line };
    Some(Channel {
        name: name?,
        spec: spec?,
        on: on.unwrap_or_else(|| EVENTS.into_iter().filter(|event| *event != EventKind::Regional).collect()),
        origin,
    })
}

/// A kind of channel: its key, and what reads the settings below it.
struct Kind {
    word: &'static str,
    decode: fn(&Ctx<'_>, &At<'_>) -> Option<ChannelSpec>,
}

/// In the order of the manual.
const KINDS: &[Kind] = &[Kind { word: "webhook", decode: webhook_spec }, Kind { word: "slack", decode: slack_spec }];

/// What this version can tell of.
const EVENTS: [EventKind; 6] =
    [EventKind::Down, EventKind::Degraded, EventKind::Recovered, EventKind::Regional, EventKind::Certificate, EventKind::SelfNotice];

fn events(ctx: &Ctx<'_>, at: &At<'_>) -> Option<BTreeSet<EventKind>> {
    let words = EVENTS.map(|kind| (kind.word(), kind));
    let is_later = |item: &At<'_>| {
        let later = [EventKind::Reminder.word()];
        item.node.scalar().and_then(|scalar| later.into_iter().find(|word| *word == scalar.text))
    };
    let mut found = BTreeSet::new();
    for item in at.one_or_many() {
        match is_later(&item) {
            Some(word) => ctx.bad(&item, format!("`{word}` is not supported by this version of vigilmon"), "remove it from `on`"),
            None => found.extend(readers::choice(ctx, &item, &words)),
        }
    }
    if at.node.items().is_some_and(<[_]>::is_empty) {
        ctx.bad(at, "this channel would never be told anything", "list what it wants to hear, such as `[down, recovered]`");
        return None;
    }
    Some(found)
}

fn webhook_spec(ctx: &Ctx<'_>, at: &At<'_>) -> Option<ChannelSpec> {
    if at.node.scalar().is_some() {
        let url = secret_url(ctx, at)?;
        return Some(ChannelSpec::Webhook(WebhookSpec { url, method: "POST".to_owned(), headers: Vec::new(), secret: None, body: None }));
    }
    let mut fields = Fields::open(ctx, at, "channels[].webhook")?;
    let url = fields.must("url", secret_url);
    let methods = [("POST", "POST"), ("PUT", "PUT"), ("PATCH", "PATCH"), ("GET", "GET")];
    let method = fields.read("method", |ctx, at| readers::choice(ctx, at, &methods));
    let headers = fields.read("headers", headers);
    let secret = fields.read("secret", readers::secret);
    let body = fields.read("body", template::body);
    fields.finish();
    Some(ChannelSpec::Webhook(WebhookSpec {
        url: url?,
        method: method.unwrap_or("POST").to_owned(),
        headers: headers.unwrap_or_default(),
        secret,
        body,
    }))
}

fn slack_spec(ctx: &Ctx<'_>, at: &At<'_>) -> Option<ChannelSpec> {
    if at.node.scalar().is_some() {
        return Some(ChannelSpec::Slack(SlackSpec { url: secret_url(ctx, at)? }));
    }
    let mut fields = Fields::open(ctx, at, "channels[].slack")?;
    let url = fields.must("url", secret_url);
    fields.finish();
    Some(ChannelSpec::Slack(SlackSpec { url: url? }))
}

/// A URL that is itself a secret. Messages about it do not show it.
fn secret_url(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Secret> {
    let secret = readers::secret(ctx, at)?;
    match readers::parse_web_url(secret.reveal_for_use()) {
        Ok(url) => Some(Secret::new(String::from(url))),
        Err((message, _)) => {
            ctx.bad(at, format!("this {message}"), "write `https://host/path`; it is not shown here because it may be secret");
            None
        }
    }
}

/// Names of channels that must exist.
pub(super) fn references(ctx: &Ctx<'_>, items: &[At<'_>], known: &BTreeSet<String>) -> Vec<ChannelName> {
    let mut found = Vec::new();
    for at in items {
        let Some(text) = readers::text(ctx, at) else { continue };
        let Ok(name) = ChannelName::parse(&text) else {
            ctx.bad(at, "this is not the name of a channel", "");
            continue;
        };
        if !known.contains(&text) {
            let shown = at.node.scalar().map(Scalar::shown).unwrap_or_default();
            ctx.bad(at, format!("there is no channel `{shown}`"), missing_channel_hint(&text, known));
        } else if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

fn missing_channel_hint(text: &str, known: &BTreeSet<String>) -> String {
    if let Some(near) = reference::nearest(text, known.iter().map(String::as_str)) {
        return format!("did you mean `{near}`?");
    }
    if known.is_empty() {
        return format!("define it: `channels: [{{ name: {text}, slack: https://… }}]`");
    }
    let names: Vec<String> = known.iter().take(8).map(|name| format!("`{name}`")).collect();
    format!("the channels are {}", names.join(", "))
}

/// A channel behind a pointer, as the config keeps it.
pub(super) fn shared(channel: Channel) -> (ChannelName, Arc<Channel>) {
    (channel.name.clone(), Arc::new(channel))
}
