//! Decodes the channels of chat servers.

use crate::config::decode::channel::only_url;
use crate::config::decode::channel::secret_url;
use crate::config::decode::channel::server;
use crate::config::decode::channel::shaped;
use crate::config::decode::channel::shaped_word;
use crate::config::decode::channel::token;
use crate::config::decode::channel::word;
use crate::config::fields::At;
use crate::config::fields::Ctx;
use crate::config::fields::Fields;
use crate::config::readers;
use crate::model::channel::ChannelSpec;
use crate::model::channel::spec::DiscordSpec;
use crate::model::channel::spec::GoogleChatSpec;
use crate::model::channel::spec::MatrixSpec;
use crate::model::channel::spec::MattermostSpec;
use crate::model::channel::spec::RocketChatSpec;
use crate::model::channel::spec::SlackSpec;
use crate::model::channel::spec::TeamsSpec;
use crate::model::channel::spec::TelegramSpec;
use crate::model::channel::spec::ZulipSpec;

pub(super) fn slack(ctx: &Ctx<'_>, at: &At<'_>) -> Option<ChannelSpec> {
    if at.node.scalar().is_some() {
        return Some(ChannelSpec::Slack(SlackSpec::Webhook { url: secret_url(ctx, at)? }));
    }
    let mut fields = Fields::open(ctx, at, "channels[].slack")?;
    let (url, token) = (fields.take("url"), fields.take("token"));
    let channel = fields.take("channel");
    let api_url = fields.read("api_url", server);
    let signing_secret = fields.take("signing_secret");
    fields.finish();
    match (url, token) {
        (Some(url), None) => {
            if let Some(secret) = signing_secret {
                ctx.bad(&secret, "a webhook's messages have no buttons", "remove `signing_secret`, or use a bot's `token`");
            }
            if let Some(channel) = channel {
                ctx.bad(&channel, "a webhook posts to its own Slack channel only", "remove `channel`, or use a bot's `token`");
            }
            Some(ChannelSpec::Slack(SlackSpec::Webhook { url: secret_url(ctx, &url)? }))
        }
        (None, Some(token)) => {
            let bot = ("the token of a bot", "it begins with `xoxb-`; the app's page shows it under OAuth");
            let token = shaped(ctx, &token, bot, |text| text.starts_with("xoxb-"));
            let Some(channel) = channel else {
                ctx.bad(at, "`channel` is missing: a bot must know where to post", "add `channel: C0123456789`");
                return None;
            };
            let id = ("the id of a Slack channel", "open the channel's details in Slack: the id is at the end, such as `C0123456789`");
            let channel = shaped_word(ctx, &channel, id, is_slack_id);
            let api_url = api_url.unwrap_or_else(|| "https://slack.com/api".to_owned());
            let signing_secret = match &signing_secret {
                Some(at) => Some(shaped(ctx, at, SIGNING_SECRET, is_signing_secret)?),
                None => None,
            };
            Some(ChannelSpec::Slack(SlackSpec::Bot { token: token?, channel: channel?, api_url, signing_secret }))
        }
        (Some(second), Some(_)) => {
            ctx.bad(&second, "this has both `url` and `token`", "keep `url` for a webhook or `token` for a bot");
            None
        }
        (None, None) => {
            ctx.bad(at, "`url` is missing", "add `url: { env: SLACK_WEBHOOK_URL }`, or a bot's `token` and `channel`");
            None
        }
    }
}

/// What is said about one that is not.
const SIGNING_SECRET: (&str, &str) =
    ("the signing secret of an app", "it has 32 digits and letters from `a` to `f`; the app's page shows it under Basic Information");

fn is_signing_secret(text: &str) -> bool {
    text.len() == 32 && text.chars().all(|c| c.is_ascii_hexdigit())
}

fn is_slack_id(text: &str) -> bool {
    text.starts_with(['C', 'D', 'G']) && text.len() > 1 && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

pub(super) fn discord(ctx: &Ctx<'_>, at: &At<'_>) -> Option<ChannelSpec> {
    let webhook = |ctx: &Ctx<'_>, at: &At<'_>| {
        let url = secret_url(ctx, at)?;
        if !url.reveal_for_use().contains("/api/webhooks/") {
            ctx.bad(
                at,
                "this is not the URL of a Discord webhook",
                "it has `/api/webhooks/` in it; copy it from the channel's integrations",
            );
            return None;
        }
        Some(url)
    };
    if at.node.scalar().is_some() {
        return Some(ChannelSpec::Discord(DiscordSpec { url: webhook(ctx, at)?, thread: None }));
    }
    let mut fields = Fields::open(ctx, at, "channels[].discord")?;
    let url = fields.must("url", webhook);
    let id = ("the id of a thread", "switch on the developer mode, then copy it from the thread's menu; it is a long number in quotes");
    let thread = fields.read("thread", |ctx, at| shaped_word(ctx, at, id, |text| text.chars().all(|c| c.is_ascii_digit())));
    fields.finish();
    Some(ChannelSpec::Discord(DiscordSpec { url: url?, thread }))
}

pub(super) fn teams(ctx: &Ctx<'_>, at: &At<'_>) -> Option<ChannelSpec> {
    Some(ChannelSpec::Teams(TeamsSpec { url: only_url(ctx, at, "channels[].teams")? }))
}

pub(super) fn mattermost(ctx: &Ctx<'_>, at: &At<'_>) -> Option<ChannelSpec> {
    if at.node.scalar().is_some() {
        return Some(ChannelSpec::Mattermost(MattermostSpec { url: secret_url(ctx, at)?, channel: None }));
    }
    let mut fields = Fields::open(ctx, at, "channels[].mattermost")?;
    let url = fields.must("url", secret_url);
    let channel = fields.read("channel", word);
    fields.finish();
    Some(ChannelSpec::Mattermost(MattermostSpec { url: url?, channel }))
}

pub(super) fn rocketchat(ctx: &Ctx<'_>, at: &At<'_>) -> Option<ChannelSpec> {
    if at.node.scalar().is_some() {
        return Some(ChannelSpec::RocketChat(RocketChatSpec { url: secret_url(ctx, at)?, channel: None }));
    }
    let mut fields = Fields::open(ctx, at, "channels[].rocketchat")?;
    let url = fields.must("url", secret_url);
    let channel = fields.read("channel", word);
    fields.finish();
    Some(ChannelSpec::RocketChat(RocketChatSpec { url: url?, channel }))
}

pub(super) fn googlechat(ctx: &Ctx<'_>, at: &At<'_>) -> Option<ChannelSpec> {
    Some(ChannelSpec::GoogleChat(GoogleChatSpec { url: only_url(ctx, at, "channels[].googlechat")? }))
}

pub(super) fn telegram(ctx: &Ctx<'_>, at: &At<'_>) -> Option<ChannelSpec> {
    let mut fields = Fields::open(ctx, at, "channels[].telegram")?;
    let bot = ("the token of a bot", "it is a number, a colon and letters, as BotFather wrote it");
    let token = fields.must("token", |ctx, at| shaped(ctx, at, bot, is_bot_token));
    let id = ("a chat", "write its number in quotes, such as `\"-1001234567890\"`, or `\"@name\"` of a public channel");
    let chat = fields.must("chat", |ctx, at| shaped_word(ctx, at, id, is_chat));
    let topic = fields.read("topic", |ctx, at| readers::whole(ctx, at, 1, u64::from(u32::MAX)));
    let api_url = fields.read("api_url", server);
    fields.finish();
    let api_url = api_url.unwrap_or_else(|| "https://api.telegram.org".to_owned());
    Some(ChannelSpec::Telegram(TelegramSpec { token: token?, chat: chat?, topic, api_url }))
}

fn is_bot_token(text: &str) -> bool {
    text.split_once(':').is_some_and(|(id, secret)| {
        let is_id = !id.is_empty() && id.chars().all(|c| c.is_ascii_digit());
        is_id && !secret.is_empty() && secret.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    })
}

fn is_chat(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_id = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
    is_id || text.strip_prefix('@').is_some_and(|name| name.len() > 3 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
}

pub(super) fn matrix(ctx: &Ctx<'_>, at: &At<'_>) -> Option<ChannelSpec> {
    let mut fields = Fields::open(ctx, at, "channels[].matrix")?;
    let url = fields.must("url", server);
    let token = fields.must("token", token);
    let id = ("the id of a room", "it begins with `!`; the settings of the room show it under its advanced ones");
    let room = fields.must("room", |ctx, at| shaped_word(ctx, at, id, |text| text.starts_with('!') && text.len() > 1));
    fields.finish();
    Some(ChannelSpec::Matrix(MatrixSpec { url: url?, token: token?, room: room? }))
}

pub(super) fn zulip(ctx: &Ctx<'_>, at: &At<'_>) -> Option<ChannelSpec> {
    let mut fields = Fields::open(ctx, at, "channels[].zulip")?;
    let url = fields.must("url", server);
    let address = ("an email address", "copy it from the bot's page");
    let email = fields.must("email", |ctx, at| shaped_word(ctx, at, address, |text| text.contains('@') && !text.contains([':', ' '])));
    let api_key = fields.must("api_key", token);
    let channel = fields.must("channel", word);
    let topic = fields.read("topic", word);
    fields.finish();
    Some(ChannelSpec::Zulip(ZulipSpec { url: url?, email: email?, api_key: api_key?, channel: channel?, topic }))
}
