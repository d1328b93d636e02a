//! What the writer does when the database, the disk or somebody else gets in its way.
//!
//! A connection that saw the system fail is never used again: after a failed fsync the kernel may have forgotten what it could
//! not write, while SQLite believes it is there.

use std::sync::atomic::Ordering;

use crate::store::checkpoint::Mode;
use crate::store::checkpoint::checkpoint;
use crate::store::connection;
use crate::store::desk::Desk;
use crate::store::error::Trouble;
use crate::store::error::trouble;
use crate::store::files;
use crate::store::rescue;
use crate::store::shared::StoreNotice;
use crate::store::writer::Identities;
use crate::store::writer::Writer;

impl Writer {
    /// Opens the database again if trouble closed it.
    pub(super) fn open_again(&mut self) -> rusqlite::Result<()> {
        if self.desk.is_some() {
            return Ok(());
        }
        let is_gone = self.rescued.is_none() && !self.shared.path.exists();
        if self.rescued.is_some() || is_gone {
            // The one before was set aside and its successor could not be begun, or somebody removed it while it was closed.
            self.start_new()?;
            if is_gone {
                tracing::error!("the database file was removed by another program; a new one was begun");
                self.shared.notice(StoreNotice::Begun);
            }
            return Ok(());
        }
        let desk = Desk::new(connection::writer(&self.shared.path)?);
        #[cfg(test)]
        self.shared.faults.after_open(&desk.conn)?;
        if self.must_restart_log {
            if !checkpoint(&desk.conn, Mode::Truncate)? {
                return Err(rusqlite::Error::SqliteFailure(
                    rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
                    Some("the log cannot be begun anew while somebody reads it".to_owned()),
                ));
            }
            self.must_restart_log = false;
        }
        self.desk = Some(desk);
        self.identities = self.look();
        Ok(())
    }

    /// Deals with what made a batch fail; says whether a second attempt makes sense.
    pub(super) fn recover(&mut self, error: &rusqlite::Error) -> bool {
        if let Some(desk) = &mut self.desk {
            desk.roll_back();
        }
        match trouble(error) {
            Trouble::Statement | Trouble::Busy => false,
            Trouble::Full => {
                self.desk = None;
                self.give_up_reserve();
                true
            }
            Trouble::Io => {
                self.desk = None;
                self.must_restart_log = true;
                false
            }
            Trouble::Damaged => self.mend(),
        }
    }

    fn give_up_reserve(&mut self) {
        if files::free_reserve(&self.shared.dir) {
            tracing::error!("the disk is full; the reserve was given up so that state changes can still be written");
            self.shared.notice(StoreNotice::DiskFull);
        }
        // Without the results, which wait now, there may be room for the rest even if there was no reserve.
        self.is_disk_full = true;
    }

    /// While the disk is full: sets the reserve aside again as soon as there is room.
    pub(super) fn look_for_room(&mut self) {
        if self.is_disk_full && files::make_reserve(&self.shared.dir) {
            self.is_disk_full = false;
            tracing::info!("there is room on the disk again");
            self.shared.notice(StoreNotice::RoomAgain);
        }
    }

    /// Sets a damaged database aside and goes on with a new one that has what could be read of states, incidents and messages.
    pub(super) fn mend(&mut self) -> bool {
        self.desk = None;
        let set_aside = match files::set_aside(&self.shared.path, self.shared.clock.now().wall) {
            Ok(path) => path,
            Err(error) => {
                tracing::error!(%error, "the database is damaged and cannot be set aside: {error}");
                return false;
            }
        };
        let name = set_aside.display().to_string();
        tracing::error!(file = name, "the database is damaged; it was set aside as {name} and a new one was begun");
        self.shared.notice(StoreNotice::SetAside(name));
        // Damage of a successor that has nothing of the first one yet does not make the first one worth less.
        self.rescued.get_or_insert(set_aside);
        match self.start_new() {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(%error, "cannot begin a new database: {error}");
                if trouble(&error) == Trouble::Full {
                    self.give_up_reserve();
                }
                false
            }
        }
    }

    /// Begins a new database with what can be read of the one that was set aside, as a whole or not at all: on a full disk it is
    /// tried again later, and must then find neither an empty database that looks like a good one nor half of the rows.
    pub(super) fn start_new(&mut self) -> rusqlite::Result<()> {
        match self.begin_and_salvage() {
            Ok(conn) => {
                self.rescued = None;
                self.adopt(conn);
                Ok(())
            }
            Err(error) => {
                if let Err(error) = files::remove_database(&self.shared.path) {
                    tracing::error!(%error, "cannot remove the beginning of a new database: {error}");
                }
                Err(error)
            }
        }
    }

    fn begin_and_salvage(&self) -> rusqlite::Result<rusqlite::Connection> {
        let mut conn = rescue::begin_new(&self.shared.path, &self.shared.dir, self.shared.clock.now().wall)?;
        #[cfg(test)]
        self.shared.faults.after_begin()?;
        if let Some(rescued) = &self.rescued {
            rescue::salvage(rescued, &mut conn)?;
        }
        Ok(conn)
    }

    /// At the end: a damaged database whose successor never came to be is put back, so that the next start salvages it.
    pub(super) fn put_back(&mut self) {
        let Some(rescued) = self.rescued.take() else { return };
        if let Err(error) = files::put_back(&rescued, &self.shared.path) {
            tracing::error!(%error, "cannot put the damaged database back: {error}");
        }
    }

    pub(super) fn adopt(&mut self, conn: rusqlite::Connection) {
        self.desk = Some(Desk::new(conn));
        self.must_restart_log = false;
        self.identities = self.look();
        self.shared.generation.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn look(&self) -> Identities {
        [files::identity(&self.shared.path), files::identity(&files::beside(&self.shared.path, "-wal"))]
    }

    /// Notices when somebody removed or replaced the files under us: SQLite would go on writing into files that nobody finds again.
    pub(super) fn inspect(&mut self) {
        if !self.is_disk_full {
            // A start on a full disk had no room for it.
            files::make_reserve(&self.shared.dir);
        }
        let Some(desk) = &self.desk else { return };
        let now = self.look();
        if self.identities[1].is_none() {
            // SQLite makes the log when it is first needed.
            self.identities[1] = now[1];
        }
        if now == self.identities {
            return;
        }
        tracing::error!("the database file was removed or replaced by another program");
        let outcome = if now[0].is_some() && now[0] != self.identities[0] {
            // Somebody put another database there, perhaps a backup: that is the one to go on with.
            self.desk = None;
            self.take_replacement().map(|()| StoreNotice::Replaced)
        } else {
            rescue::write_anew(&desk.conn, &self.shared.path).map(|conn| {
                self.adopt(conn);
                StoreNotice::Recreated
            })
        };
        match outcome {
            Ok(notice) => self.shared.notice(notice),
            Err(why) => tracing::error!(error = why, "cannot write the database anew: {why}"),
        }
    }

    pub(super) fn take_replacement(&mut self) -> Result<(), String> {
        let (conn, opened) = rescue::open_or_set_aside(&self.shared.dir, &self.shared.clock).map_err(|error| error.to_string())?;
        if let Some(name) = opened.set_aside {
            self.shared.notice(StoreNotice::SetAside(name));
        }
        self.adopt(conn);
        Ok(())
    }
}
