//! Subscriptions: who wants to hear what a status page says, without looking at it.

use crate::model::id::ChannelName;
use crate::model::id::NodeName;
use crate::model::id::PageSlug;
use crate::model::page::Language;
use crate::model::time::UnixMillis;

/// Longest address that is taken: of a mailbox RFC 5321 allows 254, and a web address of a machine that wants news has room for a token.
pub const ADDRESS_CHARS_MAX: usize = 500;

/// Subscribers of a page, when its config does not say how many: mail to more of them takes a server made for that.
pub const SUBSCRIBERS_DEFAULT: u32 = 1000;

/// Subscribers of a page at most, whatever its config says: one after the other they are told within the hour.
pub const SUBSCRIBERS_MAX: u32 = 20_000;

/// What a page offers to those who want to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscriptions {
    /// The channel whose server and sender carry mail; `None`: there is no mail.
    pub email: Option<ChannelName>,
    /// Whether web addresses may subscribe.
    pub webhook: bool,
    /// Web addresses may lead into private networks and to this machine, too.
    pub allow_private: bool,
    /// Subscribers at most, those counted who have not confirmed yet.
    pub n_max: u32,
}

impl Subscriptions {
    /// Whether news go out in this way.
    #[must_use]
    pub fn offers(&self, way: SubscriberWay) -> bool {
        match way {
            SubscriberWay::Mail => self.email.is_some(),
            SubscriberWay::Hook => self.webhook,
        }
    }
}

/// How a subscriber is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubscriberWay {
    /// By mail.
    Mail,
    /// By a request to a web address.
    Hook,
}

impl SubscriberWay {
    /// Both of them.
    pub const ALL: [SubscriberWay; 2] = [SubscriberWay::Mail, SubscriberWay::Hook];

    /// The word in forms, on disk and on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            SubscriberWay::Mail => "email",
            SubscriberWay::Hook => "webhook",
        }
    }

    /// The way of a word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<SubscriberWay> {
        SubscriberWay::ALL.into_iter().find(|way| way.word() == word)
    }
}

/// Somebody who signed up at a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscriber {
    /// Key of the row.
    pub id: i64,
    /// Its name, random and never told alone: with a tag that is not kept it makes the address at which it is confirmed and ended.
    pub name: String,
    /// At which page.
    pub page: PageSlug,
    /// How it is told.
    pub way: SubscriberWay,
    /// Where: a mailbox, or a web address.
    pub address: String,
    /// In which language.
    pub language: Language,
    /// When it signed up.
    pub asked_at: UnixMillis,
    /// When it said that it was meant; `None`: it has not yet.
    pub confirmed_at: Option<UnixMillis>,
    /// The node at which it signed up; `None`: there were no peers then.
    pub home: Option<NodeName>,
}

/// What nodes tell each other of a subscriber.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedSubscriber {
    /// See [`Subscriber::name`].
    pub name: String,
    /// The node at which it signed up, which tells it what there is to tell while it lives.
    pub home: NodeName,
    /// At which page.
    pub page: PageSlug,
    /// How it is told.
    pub way: SubscriberWay,
    /// Where.
    pub address: String,
    /// In which language.
    pub language: Language,
    /// When it signed up last.
    pub asked_at: UnixMillis,
    /// Whether the question that this led to has been asked, or is not to be.
    pub is_asked: bool,
    /// How often it was asked.
    pub n_asked: u32,
    /// When it said that it was meant; `None`: it has not yet.
    pub confirmed_at: Option<UnixMillis>,
}

/// A subscriber, and what it has been told lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedRow {
    /// Who.
    pub subscriber: SharedSubscriber,
    /// Keys of news, and when they happened.
    pub told: Vec<(String, UnixMillis)>,
}
