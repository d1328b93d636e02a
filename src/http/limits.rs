//! Every limit of the server, each with its reason and what happens at it.

use std::time::Duration;

/// Request line and headers together; browsers with many cookies stay below 8 KiB. Beyond it the answer is 431.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Headers of one request; a browser behind two proxies sends about 30. Beyond it the answer is 431.
pub const HEADERS_MAX: usize = 100;

/// From the wish for a request to its complete head, so that a silent or dripping connection holds its place only for so long.
/// The same timer runs while a kept-alive connection is idle, which is stricter than the minute that would be allowed there.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a ping waits to be durable. Clients have as little as five seconds of patience, and an answer that comes too late is none.
pub const PING_TIMEOUT: Duration = Duration::from_secs(4);

/// From the complete head to the complete answer. Nothing here takes seconds; beyond it the answer is 503.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// For the body of a form, which fits into a few packets. Beyond it the answer is 408.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// For a reader that does not read: nothing could be written for so long, and the connection is closed.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// For the TLS handshake, before a request can even begin.
pub const TLS_TIMEOUT: Duration = Duration::from_secs(10);

/// Bodies: a name, a password and a token, or a silence with all that it may name. Beyond it the answer is 413.
pub const FORM_BYTES_MAX: usize = 16 * 1024;

/// Bodies of those who are signed in and write about an incident: the longest postmortem, in a script of four bytes a letter, as a form writes
/// it. Beyond it the answer is 413.
pub const WRITING_BYTES_MAX: usize = 128 * 1024;

/// Bodies of what services report: Slack sends the whole message along in which a button was pressed, in the writing of a form. Beyond it the
/// answer is 413.
pub const HOOK_BYTES_MAX: usize = 128 * 1024;

/// For such a body, as long as services wait for the answer: whoever sends it slowly, without a secret, holds memory no longer than that.
pub const HOOK_BODY_TIMEOUT: Duration = Duration::from_secs(3);

/// How long what a service reported may take to be durable. Slack waits three seconds in all, and warns whoever pressed the button then.
/// Beyond it the answer is 503.
pub const HOOK_TIMEOUT: Duration = Duration::from_millis(1800);

/// How long a word to whoever pressed a button may take after that; it is not waited for longer, because nothing hangs on it.
pub const WHISPER_TIMEOUT: Duration = Duration::from_millis(800);

/// Reports that are remembered, so that one which comes twice does nothing twice; beyond it those are forgotten that are refused by then.
pub const REPORTS_MAX: usize = 10_000;

/// Open connections in all; each costs about 20 KiB.
pub const CONNECTIONS_MAX: usize = 4096;

/// Of these, kept for the control socket, so that an operator on the machine gets in while the network is flooded. At the limit
/// new connections wait in the kernel's queue until one ends.
pub const CONNECTIONS_RESERVED: usize = 512;

/// How long requests that are under way may take to end when vigilmon stops.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a page waits for the database before it is shown without history.
pub const READ_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a page waits for what other nodes measured before it is shown without: several round trips around the world, and no longer
/// than somebody waits who wants to see what is wrong.
pub const COLLEAGUE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a reload that was asked for may take; reading and checking the largest config takes about a second.
pub const RELOAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long `accept` rests after it failed, for want of descriptors above all: trying again at once would only burn the processor.
pub const ACCEPT_REST: Duration = Duration::from_millis(100);

/// Connections of one address (of one /48 in IPv6, which is what one site gets): a browser opens six, and an office behind one
/// address stays below it. Beyond it new ones are closed at once, so that a single place cannot take all of [`CONNECTIONS_MAX`].
/// This machine and trusted proxies, which speak for many, are not counted.
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = 256;

/// How long a request of somebody who is signed in waits for a session to be written; the session in memory counts meanwhile.
pub const SESSION_WRITE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long signing in waits for the session to be on disk; afterwards it is kept in memory only and would not outlive a restart.
pub const SIGN_IN_WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// How often certificate files are looked at; renewals are noticed within it.
pub const TLS_LOOK_EVERY: Duration = Duration::from_secs(10);

/// The engine shows itself about once a second; older than this it is stuck.
pub const FRESH_FOR: Duration = Duration::from_secs(30);

/// How often history is read for status pages: one pass over the verdicts of all their monitors.
pub const HISTORY_EVERY: Duration = Duration::from_secs(30);

/// Past incidents shown on one status page; the rest is for those who are signed in.
pub const PUBLIC_INCIDENTS_MAX: usize = 100;

/// Passwords being checked at the same time: each takes 19 MiB and a core for tens of milliseconds.
pub const HASHES_AT_ONCE: usize = 2;

/// Passwords waiting to be checked; beyond it the answer is 503.
pub const HASHES_WAITING_MAX: usize = 16;

/// Longest password; argon2 would take longer ones, and nobody types them.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// Addresses and accounts whose failures are remembered, 100 bytes each; beyond it those with the fewest
/// failures are forgotten.
pub const BUCKETS_MAX: usize = 10_000;

/// Sessions in all; at the limit the one that was unused for longest ends.
pub const SESSIONS_MAX: usize = 10_000;

/// Bytes in all sessions that a provider of identities said of people: 1 600 for each of [`SESSIONS_MAX`], or some hundred people who are in
/// more groups than anybody needs. At the limit those that were unused for longest end.
pub const SESSIONS_SAID_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A session that was not used for so long ends.
pub const SESSION_IDLE: Duration = Duration::from_secs(24 * 3600);

/// A session ends so long after it began, used or not.
pub const SESSION_AGE: Duration = Duration::from_secs(30 * 24 * 3600);

/// How exact the time of last use is on disk; saves a write per request.
pub const SESSION_SEEN_EVERY: Duration = Duration::from_secs(60);

/// How long a one-time link works.
pub const LINK_AGE: Duration = Duration::from_secs(30 * 60);

/// One-time links at the same time; at the limit the oldest ends.
pub const LINKS_MAX: usize = 16;

/// How long the password of a status page is remembered by the browser.
pub const PAGE_PASS_AGE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Live streams in all, a connection and about 10 KiB each: far more operators than look at one instance, and few enough that most of
/// [`CONNECTIONS_MAX`] stays for visitors. Beyond it the answer is 503 and the page asks from time to time.
pub const STREAMS_MAX: usize = 256;

/// Live streams of one name. Pages that are not seen close theirs, so this is for several people behind one name or token.
pub const STREAMS_PER_VIEWER_MAX: usize = 32;

/// How often a stream looks for news, and whether its reader may still look: the engine shows itself about as often.
pub const STREAM_LOOK_EVERY: Duration = Duration::from_secs(1);

/// After so many looks without news something is said all the same, before proxies take silence for death; the usual patience is 60 s.
pub const STREAM_QUIET_LOOKS: u32 = 15;

/// A stream ends after so many looks, an hour, and the page opens another one: whatever was forgotten on the way is freed.
pub const STREAM_LOOKS_MAX: u32 = 3600;

/// When a page that lost its stream, or found no place, may ask again.
pub const STREAM_RETRY: Duration = Duration::from_secs(5);

/// Monitors that one event names; of more it says that everything may be different, which costs the page the same.
pub const STREAM_IDS_MAX: usize = 100;

/// Test messages that are under way at the same time; each may take as long as a mail server takes. Beyond it the answer is 409.
pub const TESTS_AT_ONCE: usize = 4;

/// Messages on one page of a delivery log, and in one answer about it.
pub const DELIVERIES_SHOWN: usize = 50;

/// Drafts of monitors that are looked at, or added, the same time: for each the whole config is read and checked. Beyond it they wait.
pub const DRAFTS_AT_ONCE: usize = 2;

/// Drafts that wait: each is one page in front of which somebody types. Beyond it the answer is 503.
pub const DRAFTS_WAITING_MAX: usize = 16;

/// Checks of drafts at the same time. Each holds sockets for as long as its timeout; those of the config come first. Beyond it the
/// answer is 409.
pub const TRIES_AT_ONCE: usize = 2;

/// Checks of drafts within [`TRIES_WITHIN`]: more than somebody needs who corrects an address, and too few to look for open ports.
/// Beyond it the answer is 429.
pub const TRIES_MAX: usize = 10;

/// See [`TRIES_MAX`].
pub const TRIES_WITHIN: Duration = Duration::from_secs(60);

/// Longest check of a draft, whatever timeout the config's defaults give it: somebody waits for it in front of a page.
pub const TRY_TIMEOUT: Duration = Duration::from_secs(30);
