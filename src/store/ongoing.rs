//! What a channel was told of incidents that are open: for services that forget, and have to be told again.

use rusqlite::Connection;

use crate::model::id::ChannelName;
use crate::model::id::IncidentId;
use crate::model::incident::Lane;
use crate::model::notification::Notification;
use crate::model::notification::Opening;
use crate::model::time::UnixMillis;
use crate::store::outbox::opening;
use crate::store::row::incident::lane_of;
use crate::store::row::message;
use crate::store::rows::readable;

/// Messages of one answer at most. A whole installation that is down has fewer.
const ONGOING_MAX: i64 = 2000;

/// The last thing that a channel was told of an open incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ongoing {
    /// Which incident.
    pub incident: IncidentId,
    /// Of what kind it is.
    pub lane: Lane,
    /// What was told. It may be about another incident, of which this one is what remained.
    pub told: Notification,
    /// The message that told of it first.
    pub opening: Option<Opening>,
}

/// Of each open incident the newest message that arrived, and of each that ended while it was open already the message that said so: an
/// outage may have become a degradation, of which nothing else is told. The newest first, for each incident.
pub(super) fn ongoing(conn: &Connection, channel: &ChannelName) -> rusqlite::Result<Vec<Ongoing>> {
    let mut select = conn.prepare_cached(
        "SELECT open.id, open.lane, o.key, o.event, o.at, o.subject, o.incident
         FROM incidents open
         JOIN incidents about ON about.monitor = open.monitor AND (about.id = open.id OR open.opened_at <= about.closed_at)
         JOIN outbox o ON o.id = (SELECT max(id) FROM outbox WHERE incident = about.id AND channel = ?1 AND state = 'sent')
         WHERE open.closed_at IS NULL AND (about.id = open.id OR o.event = 'recovered')
         ORDER BY open.opened_at DESC, open.id, o.id DESC LIMIT ?2",
    )?;
    readable(&mut select.query((channel.as_str(), ONGOING_MAX))?, "message", |row| {
        Ok(Ongoing {
            incident: IncidentId::from_derived(&row.get::<_, String>(0)?),
            lane: lane_of(&row.get::<_, String>(1)?)?,
            told: Notification {
                key: row.get(2)?,
                channel: channel.clone(),
                event: message::event_of(&row.get::<_, String>(3)?)?,
                at: UnixMillis(row.get(4)?),
                subject: message::from_json(&row.get::<_, String>(5)?)?,
                may_be_repeat: false,
            },
            opening: opening(conn, (&row.get::<_, String>(6)?, channel.as_str()))?,
        })
    })
}
