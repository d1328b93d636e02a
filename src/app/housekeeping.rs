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
use crate::store::Opened;
use crate::store::Store;
use crate::store::StoreNotice;
use crate::store::StoreRetention;

const EVERY: Duration = Duration::from_secs(60);

/// Runs until `stop`.
pub async fn run(store: Store, clock: Clock, config: watch::Receiver<Arc<Config>>, events: mpsc::Sender<Event>, stop: CancellationToken) {
    loop {
        for notice in store.take_notices() {
            let text = spoken(&notice);
            tracing::error!("{text}");
            // The engine is gone only when the program ends.
            let _ = events.send(Event::Notice(self::notice(text))).await;
            if matches!(notice, StoreNotice::SetAside(_) | StoreNotice::Recreated) {
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

fn notice(text: String) -> Notice {
    Notice { about: "store", title: "news of the database".to_owned(), text }
}

fn spoken(notice: &StoreNotice) -> String {
    match notice {
        StoreNotice::SetAside(name) => damaged(name),
        StoreNotice::Recreated => {
            "the database file was removed or replaced by somebody else; it was written again from what was still open".to_owned()
        }
        StoreNotice::DiskFull => "the disk is full: alerts still go out, results wait in memory; free some room".to_owned(),
        StoreNotice::RoomAgain => "the disk has room again".to_owned(),
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
    for text in lines(opened) {
        tracing::error!("{text}");
        // The engine is gone only when the program ends.
        let _ = events.send(Event::Notice(notice(text))).await;
    }
}

fn lines(opened: &Opened) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(name) = &opened.set_aside {
        lines.push(damaged(name));
    }
    if let Some((version, copy)) = &opened.migrated_from {
        lines.push(format!("the database was brought from schema {version} to the current one; the copy {copy} was kept"));
    }
    lines
}
