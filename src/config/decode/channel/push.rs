//! Decodes the channels that reach telephones, and those that pass messages on.

use crate::config::decode::channel::NUMBER;
use crate::config::decode::channel::is_number;
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
use crate::model::channel::spec::AppriseSpec;
use crate::model::channel::spec::AppriseTo;
use crate::model::channel::spec::GotifySpec;
use crate::model::channel::spec::HomeAssistantSpec;
use crate::model::channel::spec::NtfyCredentials;
use crate::model::channel::spec::NtfySpec;
use crate::model::channel::spec::PushbulletSpec;
use crate::model::channel::spec::PushoverSpec;
use crate::model::channel::spec::SignalSpec;
use crate::model::channel::spec::TwilioSpec;
use crate::model::secret::Secret;

/// Loud, but not so that a telephone rings through the night of everybody.
const NTFY_PRIORITY: u64 = 4;

/// Gotify's own word for it is "high".
const GOTIFY_PRIORITY: u64 = 8;

pub(super) fn ntfy(ctx: &Ctx<'_>, at: &At<'_>) -> Option<ChannelSpec> {
    let mut fields = Fields::open(ctx, at, "channels[].ntfy")?;
    let url = fields.read("url", server);
    let name = ("the name of a topic", "letters, digits, `-` and `_`, at most 64 of them; the server goes into `url`");
    let topic = fields.must("topic", |ctx, at| shaped(ctx, at, name, is_topic));
    let given = (fields.take("token"), fields.take("user"), fields.take("password"));
    let priority = fields.read("priority", |ctx, at| readers::whole(ctx, at, 1, 5));
    fields.finish();
    let credentials = match given {
        (None, None, None) => None,
        (Some(written), None, None) => Some(NtfyCredentials::Token(token(ctx, &written)?)),
        (None, Some(user), Some(password)) => {
            let (user, password) = (word(ctx, &user), readers::secret(ctx, &password));
            Some(NtfyCredentials::Password { user: user?, password: password? })
        }
        (Some(written), _, _) => {
            ctx.bad(&written, "this has both a `token` and a user or password", "keep one of them");
            return None;
        }
        (None, Some(lonely), None) | (None, None, Some(lonely)) => {
            ctx.bad(&lonely, "`user` and `password` belong together", "add the other one, or use `token`");
            return None;
        }
    };
    let url = url.unwrap_or_else(|| "https://ntfy.sh".to_owned());
    Some(ChannelSpec::Ntfy(NtfySpec { url, topic: topic?, credentials, priority: priority.unwrap_or(NTFY_PRIORITY) }))
}

fn is_topic(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

pub(super) fn gotify(ctx: &Ctx<'_>, at: &At<'_>) -> Option<ChannelSpec> {
    let mut fields = Fields::open(ctx, at, "channels[].gotify")?;
    let url = fields.must("url", server);
    let token = fields.must("token", token);
    let priority = fields.read("priority", |ctx, at| readers::whole(ctx, at, 0, 10));
    fields.finish();
    Some(ChannelSpec::Gotify(GotifySpec { url: url?, token: token?, priority: priority.unwrap_or(GOTIFY_PRIORITY) }))
}

pub(super) fn pushover(ctx: &Ctx<'_>, at: &At<'_>) -> Option<ChannelSpec> {
    let is_key = |text: &str| text.len() == 30 && text.chars().all(|c| c.is_ascii_alphanumeric());
    let mut fields = Fields::open(ctx, at, "channels[].pushover")?;
    let token = fields.must("token", |ctx, at| shaped(ctx, at, ("the token of an application", "it has 30 letters and digits"), is_key));
    let user = fields.must("user", |ctx, at| shaped(ctx, at, ("the key of a user or group", "it has 30 letters and digits"), is_key));
    let device = fields.read("device", word);
    let sound = fields.read("sound", word);
    let emergency = fields.read("emergency", readers::boolean).unwrap_or(false);
    let api_url = fields.read("api_url", server).unwrap_or_else(|| "https://api.pushover.net".to_owned());
    fields.finish();
    Some(ChannelSpec::Pushover(PushoverSpec { token: token?, user: user?, device, sound, emergency, api_url }))
}

pub(super) fn pushbullet(ctx: &Ctx<'_>, at: &At<'_>) -> Option<ChannelSpec> {
    let mut fields = Fields::open(ctx, at, "channels[].pushbullet")?;
    let token = fields.must("token", token);
    let device = fields.read("device", word);
    let channel = fields.read("channel", word);
    let api_url = fields.read("api_url", server).unwrap_or_else(|| "https://api.pushbullet.com".to_owned());
    fields.finish();
    if device.is_some() && channel.is_some() {
        ctx.bad(at, "this has both `device` and `channel`", "make two channels of it");
        return None;
    }
    Some(ChannelSpec::Pushbullet(PushbulletSpec { token: token?, device, channel, api_url }))
}

pub(super) fn signal(ctx: &Ctx<'_>, at: &At<'_>) -> Option<ChannelSpec> {
    let mut fields = Fields::open(ctx, at, "channels[].signal")?;
    let url = fields.must("url", server);
    let number = fields.must("number", |ctx, at| shaped_word(ctx, at, NUMBER, is_number));
    let recipients = fields.must("recipients", words);
    fields.finish();
    let recipients = recipients?;
    if recipients.is_empty() {
        ctx.bad(at, "nobody would get these messages", "list `recipients`");
        return None;
    }
    Some(ChannelSpec::Signal(SignalSpec { url: url?, number: number?, recipients }))
}

pub(super) fn twilio(ctx: &Ctx<'_>, at: &At<'_>) -> Option<ChannelSpec> {
    let is_sid = |text: &str, prefix: &str| {
        text.strip_prefix(prefix).is_some_and(|rest| rest.len() == 32 && rest.chars().all(|c| c.is_ascii_hexdigit()))
    };
    let mut fields = Fields::open(ctx, at, "channels[].twilio")?;
    let sid = ("the SID of an account", "it begins with `AC` and has 34 characters");
    let account_sid = fields.must("account_sid", |ctx, at| shaped_word(ctx, at, sid, |text| is_sid(text, "AC")));
    let auth_token = fields.must("auth_token", token);
    let sender = ("a number or messaging service of the account", "write `\"+15005550006\"` or `MG…`");
    let from = fields.must("from", |ctx, at| shaped_word(ctx, at, sender, |text| is_number(text) || is_sid(text, "MG")));
    let to = fields.must("to", |ctx, at| shaped_word(ctx, at, NUMBER, is_number));
    let api_url = fields.read("api_url", server).unwrap_or_else(|| "https://api.twilio.com".to_owned());
    fields.finish();
    Some(ChannelSpec::Twilio(TwilioSpec { account_sid: account_sid?, auth_token: auth_token?, from: from?, to: to?, api_url }))
}

pub(super) fn home_assistant(ctx: &Ctx<'_>, at: &At<'_>) -> Option<ChannelSpec> {
    let mut fields = Fields::open(ctx, at, "channels[].home_assistant")?;
    let url = fields.must("url", server);
    let token = fields.must("token", token);
    let name = ("a service that notifies", "write `notify.mobile_app_…` or `persistent_notification.create`");
    let service = fields.read("service", |ctx, at| shaped_word(ctx, at, name, is_service));
    fields.finish();
    let service = service.unwrap_or_else(|| "persistent_notification.create".to_owned());
    Some(ChannelSpec::HomeAssistant(HomeAssistantSpec { url: url?, token: token?, service }))
}

fn is_service(text: &str) -> bool {
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    text == "persistent_notification.create" || text.strip_prefix("notify.").is_some_and(is_name)
}

pub(super) fn apprise(ctx: &Ctx<'_>, at: &At<'_>) -> Option<ChannelSpec> {
    let mut fields = Fields::open(ctx, at, "channels[].apprise")?;
    let url = fields.must("url", server);
    let (key, tag, urls) = (fields.take("key"), fields.take("tag"), fields.take("urls"));
    fields.finish();
    let to = match (key, urls) {
        (Some(key), None) => {
            let (key, tag) = (token(ctx, &key), tag.map(|tag| word(ctx, &tag)));
            AppriseTo::Stored { key: key?, tag: tag.flatten() }
        }
        (None, Some(urls)) => {
            if let Some(tag) = tag {
                ctx.bad(&tag, "`tag` chooses from what is stored under a `key`, and this has `urls`", "remove `tag`");
            }
            AppriseTo::Urls(urls.one_or_many().iter().filter_map(|item| service_url(ctx, item)).collect())
        }
        (None, None) => {
            ctx.bad(at, "Apprise is not told whom to notify", "add the `key` of a stored configuration, or `urls`");
            return None;
        }
        (Some(_), Some(second)) => {
            ctx.bad(&second, "this has both `key` and `urls`", "make two channels of it");
            return None;
        }
    };
    Some(ChannelSpec::Apprise(AppriseSpec { url: url?, to }))
}

fn service_url(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Secret> {
    let hint = "it looks like `tgram://token/chat`; it is not shown here because it may be secret";
    shaped(ctx, at, ("an Apprise URL", hint), |text| text.contains("://"))
}
