//! What is done once a minute: packing and pruning in the store, and telling people what the store noticed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Config;
use crate::engine::event::Event;
use crate::engine::event::Notice;
use crate::rules::selfcheck::Topic;
use crate::rules::selfcheck::Trouble;
use crate::store::Opened;
use crate::store::Store;
use crate::store::StoreNotice;
use crate::store::StoreRetention;

const EVERY: Duration = Duration::from_secs(60);

/// Runs until `stop`.
pub async fn run(store: Store, clock: Clock, config: watch::Receiver<Arc<Config>>, events: mpsc::Sender<Event>, stop: CancellationToken) {
    loop {
        for notice in store.take_notices() {
            let (text, event) = told(&notice);
            tracing::error!("{text}");
            // The engine is gone only when the program ends.
            let _ = events.send(event).await;
            if is_another(&notice) {
                let _ = events.send(Event::StoreReplaced).await;
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        let retention = retention(&config.borrow());
        if let Err(error) = store.maintain(clock.now().wall, retention).await {
            tracing::error!(%error, "cannot tidy the database: {error}");
        }
    }
}

fn news(about: &'static str, text: &str) -> Event {
    Event::Notice(Notice { about: about.into(), title: "news of the database".to_owned(), text: text.to_owned() })
}

/// What the log says, and what the engine hears.
fn told(notice: &StoreNotice) -> (String, Event) {
    let full = |trouble| Event::Seen { topic: Topic::DiskFull, trouble };
    match notice {
        StoreNotice::SetAside(name) => (damaged(name), news("store-set-aside", &damaged(name))),
        StoreNotice::Recreated => {
            let text = "the database file was removed by somebody else; it was written again from what was still open";
            (text.to_owned(), news("store-recreated", text))
        }
        StoreNotice::Replaced => {
            let text = "somebody put another database file in the place of the one in use, perhaps a backup; that one is used now, with what \
                        this program still knew added to it";
            (text.to_owned(), news("store-replaced", text))
        }
        StoreNotice::Begun => {
            let text = "the database file was gone when it was to be opened again; a new one was begun, with what this program still knew. \
                        Earlier history is lost";
            (text.to_owned(), news("store-begun", text))
        }
        StoreNotice::DiskFull => {
            let text = "Alerts still go out, results wait in memory; free some room.".to_owned();
            let said = format!("the disk is full: {text}");
            (said, full(Some(Trouble { title: "the disk is full".to_owned(), text })))
        }
        StoreNotice::RoomAgain => ("the disk has room again".to_owned(), full(None)),
    }
}

/// Whether the database is not the one from before, so that what is in memory must be written into it.
fn is_another(notice: &StoreNotice) -> bool {
    match notice {
        StoreNotice::SetAside(_) | StoreNotice::Recreated | StoreNotice::Replaced | StoreNotice::Begun => true,
        StoreNotice::DiskFull | StoreNotice::RoomAgain => false,
    }
}

fn damaged(name: &str) -> String {
    format!("the database was damaged; it is kept as {name} and a new one was begun. Monitors and pages come from the config")
}

fn retention(config: &Config) -> StoreRetention {
    let kept = config.retention;
    StoreRetention {
        results: kept.results,
        rollup_5m: kept.rollup_5m,
        rollup_1h: kept.rollup_1h,
        db_bytes_max: kept.db_bytes_max,
        n_pings: kept.n_pings,
    }
}

/// Tells the log and people what was found while opening.
pub async fn tell_opened(opened: &Opened, events: &mpsc::Sender<Event>) {
    for (about, text) in lines(opened) {
        tracing::error!("{text}");
        // The engine is gone only when the program ends.
        let _ = events.send(news(about, &text)).await;
    }
}

fn lines(opened: &Opened) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if let Some(name) = &opened.set_aside {
        lines.push(("store-set-aside", damaged(name)));
    }
    if let Some((version, copy)) = &opened.migrated_from {
        let text = format!("the database was brought from schema {version} to the current one; the copy {copy} was kept");
        lines.push(("store-migrated", text));
    }
    lines
}
