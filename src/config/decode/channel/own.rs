//! Decodes the channels that need no service of anybody: mail, and programs of the operator's.

use std::net::IpAddr;
use std::time::Duration;

use crate::config::decode::channel::word;
use crate::config::fields::At;
use crate::config::fields::Ctx;
use crate::config::fields::Fields;
use crate::config::node::Scalar;
use crate::config::readers;
use crate::model::channel::ChannelSpec;
use crate::model::channel::spec::CommandSpec;
use crate::model::channel::spec::EmailSpec;
use crate::model::channel::spec::MailTls;
use crate::model::channel::spec::Mailbox;
use crate::model::channel::spec::Word;
use crate::model::net::HostPort;
use crate::model::secret::Secret;

/// What RFC 5321 gives the part before the `@`, and the whole.
const LOCAL_CHARS_MAX: usize = 64;
const ADDRESS_CHARS_MAX: usize = 254;

/// Recipients of one mail. RFC 5321 promises a hundred; who has more has a list.
const RECIPIENTS_MAX: usize = 100;

/// How long a program may run when nothing else is written.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);

/// And at most: one attempt must be over before the message counts as forgotten and is taken up again.
const COMMAND_TIMEOUT_MAX: Duration = Duration::from_secs(25);

pub(super) fn email(ctx: &Ctx<'_>, at: &At<'_>) -> Option<ChannelSpec> {
    let mut fields = Fields::open(ctx, at, "channels[].email")?;
    let server_at = fields.require("server");
    let ways = [("starttls", MailTls::StartTls), ("always", MailTls::Tls), ("none", MailTls::None)];
    let written_tls = fields.read("tls", |ctx, at| readers::choice(ctx, at, &ways));
    let ca = fields.read("ca", authority);
    let (user, password) = (fields.take("user"), fields.take("password"));
    let from = fields.must("from", mailbox);
    let to = fields.must("to", recipients);
    fields.finish();
    let (server, tls) = server(ctx, &server_at?, written_tls)?;
    let credentials = match (user, password) {
        (None, None) => None,
        (Some(user), Some(password)) => Some(credentials(ctx, &user, &password)?),
        (Some(lonely), None) | (None, Some(lonely)) => {
            ctx.bad(&lonely, "`user` and `password` belong together", "add the other one");
            return None;
        }
    };
    if tls == MailTls::None && credentials.is_some() && !is_here(&server.host) {
        ctx.bad(at, "without TLS everybody on the way could read the password", "use `tls: starttls` or `tls: always`");
        return None;
    }
    Some(ChannelSpec::Email(EmailSpec { server, tls, ca, credentials, from: from?, to: to? }))
}

fn server(ctx: &Ctx<'_>, at: &At<'_>, written_tls: Option<MailTls>) -> Option<(HostPort, MailTls)> {
    let text = readers::text(ctx, at)?;
    // An address of IPv6 has colons and no port, unless it stands in brackets.
    let has_port = text.starts_with('[') && !text.ends_with(']') || text.matches(':').count() == 1;
    let host = text.trim_matches(['[', ']']);
    let tls = |host: &str| written_tls.unwrap_or(if is_here(host) { MailTls::None } else { MailTls::StartTls });
    let with_port = if has_port {
        text.clone()
    } else {
        let port = match tls(host) {
            MailTls::StartTls => 587,
            MailTls::Tls => 465,
            MailTls::None => 25,
        };
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    };
    let Ok(server) = HostPort::parse(&with_port) else {
        let shown = at.node.scalar().map(Scalar::shown).unwrap_or_default();
        ctx.bad(
            at,
            format!("`{shown}` is not a mail server"),
            "write its name, and a port if it is an unusual one: `smtp.example.com:2525`",
        );
        return None;
    };
    let tls = tls(&server.host);
    Some((server, tls))
}

/// Whether it is on this machine, so that nobody stands between.
fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn credentials(ctx: &Ctx<'_>, user: &At<'_>, password: &At<'_>) -> Option<(String, Secret)> {
    let (name, secret) = (word(ctx, user), readers::secret(ctx, password));
    let secret = secret?;
    // It ends a part of what is sent to sign in.
    if secret.reveal_for_use().contains('\0') {
        ctx.bad(password, "this password has a character that no password has", "copy it again");
        return None;
    }
    Some((name?, secret))
}

fn authority(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Vec<u8>> {
    let text = readers::file_text(ctx, at)?;
    if !text.contains("-----BEGIN CERTIFICATE-----") {
        ctx.bad(at, "the file holds no PEM certificate", "it must have a line with `-----BEGIN CERTIFICATE-----`");
        return None;
    }
    Some(text.into_bytes())
}

fn recipients(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Vec<Mailbox>> {
    let items = at.one_or_many();
    if items.is_empty() {
        ctx.bad(at, "nobody would get these messages", "list who is written to");
        return None;
    }
    if RECIPIENTS_MAX < items.len() {
        ctx.bad(
            at,
            format!("a mail can have {RECIPIENTS_MAX} recipients at most"),
            "write to a mailing list, or make several channels of it",
        );
        return None;
    }
    items.iter().map(|item| mailbox(ctx, item)).collect()
}

/// `local@domain`, or a name and that in angle brackets.
fn mailbox(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Mailbox> {
    let text = word(ctx, at)?;
    let (name, address) = match text.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
        Some((name, address)) => (name.trim().trim_matches('"').trim(), address.trim()),
        None => ("", text.as_str()),
    };
    if !is_address(address) {
        let shown = at.node.scalar().map(Scalar::shown).unwrap_or_default();
        let hint = "write `ops@example.com` or `Operations <ops@example.com>`; a domain with other letters in its `xn--` form";
        ctx.bad(at, format!("`{shown}` is not an email address"), hint);
        return None;
    }
    Some(Mailbox { name: (!name.is_empty()).then(|| name.to_owned()), address: address.to_owned() })
}

/// Without quotes, comments and other things that nobody has in a real address.
fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let is_atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~-".contains(c);
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    text.len() <= ADDRESS_CHARS_MAX
        && local.len() <= LOCAL_CHARS_MAX
        && local.split('.').all(|part| !part.is_empty() && part.chars().all(is_atom))
        && domain.split('.').all(is_label)
}

pub(super) fn command(ctx: &Ctx<'_>, at: &At<'_>) -> Option<ChannelSpec> {
    let mut fields = Fields::open(ctx, at, "channels[].command")?;
    let run = fields.must("run", program);
    let env = fields.read("env", |ctx, at| Some(at.free_map(ctx).iter().filter_map(|(entry, at)| variable(ctx, &entry.key, at)).collect()));
    let timeout = fields.read("timeout", |ctx, at| {
        let found = readers::duration_from(ctx, at, Duration::from_secs(1), "1s")?;
        if COMMAND_TIMEOUT_MAX < found {
            ctx.bad(at, "a program of a channel may run for 25 s at most", "let it start the rest in the background");
            return None;
        }
        Some(found)
    });
    fields.finish();
    Some(ChannelSpec::Command(CommandSpec { run: run?, env: env.unwrap_or_default(), timeout: timeout.unwrap_or(COMMAND_TIMEOUT) }))
}

fn program(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Vec<Word>> {
    let items = at.one_or_many();
    let parts: Vec<String> = items.iter().map(|item| readers::full_text(ctx, item)).collect::<Option<_>>()?;
    if let [only] = parts.as_slice()
        && only.contains(' ')
    {
        ctx.bad(
            at,
            "this is one word with blanks in it, and no shell takes it apart",
            "make a list of it: `[/usr/local/bin/page, --team, ops]`",
        );
        return None;
    }
    if parts.first().is_none_or(String::is_empty) || parts.iter().any(|part| part.contains('\0')) {
        ctx.bad(at, "there is no program to run", "write `[/usr/local/bin/page, --team, ops]`");
        return None;
    }
    let is_filled = |at: &At<'_>| at.node.scalar().is_some_and(|scalar| scalar.written.is_some());
    let word = |(text, at): (String, &At<'_>)| if is_filled(at) { Word::Filled(Secret::new(text)) } else { Word::Plain(text) };
    Some(parts.into_iter().zip(&items).map(word).collect())
}

fn variable(ctx: &Ctx<'_>, name: &str, at: &At<'_>) -> Option<(String, Secret)> {
    let is_name =
        !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name {
        ctx.bad(
            at,
            format!("`{name}` is not the name of an environment variable"),
            "use letters, digits and `_`, not beginning with a digit",
        );
        return None;
    }
    if name.starts_with("VIGILMON_") {
        ctx.bad(at, format!("the variable `{name}` is set by vigilmon"), "choose another name");
        return None;
    }
    let value = readers::secret(ctx, at)?;
    if value.reveal_for_use().contains('\0') {
        ctx.bad(at, "this value has a character that no environment variable can have", "copy it again");
        return None;
    }
    Some((name.to_owned(), value))
}
