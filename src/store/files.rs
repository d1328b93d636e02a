//! The state directory: its files, who may read them, the lock, and what kind of disk it is on.

use std::fs::DirBuilder;
use std::fs::File;
use std::fs::OpenOptions as FileOptions;
use std::fs::Permissions;
use std::io;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use crate::model::time::UnixMillis;
use crate::store::error::OpenError;

/// Name of the database.
pub(super) const DB: &str = "vigilmon.db";

/// Room that is set aside so that state changes and messages still fit when others have filled the disk.
const RESERVE: &str = "vigilmon.reserve";

/// Enough for more than a thousand state changes, written to a log that cannot be moved into the database because there is no room.
const RESERVE_BYTES: u64 = 16 * 1024 * 1024;

/// The reserve is made only when this much stays free beside it: taking the last room for it would itself fill the disk.
const FREE_BYTES_MIN: u64 = 2 * RESERVE_BYTES;

/// Makes the directory if it is not there, readable for its owner only, whatever the umask.
pub(super) fn make_dir(dir: &Path) -> Result<(), OpenError> {
    if dir.is_dir() {
        return Ok(());
    }
    let make = || {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        std::fs::set_permissions(dir, Permissions::from_mode(0o700))
    };
    make().map_err(|error| OpenError::not_writable(dir, &error))
}

/// Takes the directory for this process; held as long as the file is open, and let go by the system even after a crash.
pub(super) fn lock(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join("vigilmon.lock");
    let file = FileOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(|error| OpenError::not_writable(&path, &error))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(Errno::WOULDBLOCK) => Err(OpenError::InUse(dir.display().to_string())),
        Err(error) => Err(OpenError::failed(path, &error)),
    }
}

/// The kind of network file system that a directory is on; `None` for a local disk. FUSE counts as one: most of what comes
/// through it is remote, and none of it promises what SQLite needs of shared memory.
pub(super) fn network_kind(dir: &Path) -> Option<&'static str> {
    // Numbers from `man 2 statfs`; the type of the field differs between machines, the numbers do not.
    let kind = rustix::fs::statfs(dir).ok()?.f_type as u64 & 0xffff_ffff;
    Some(match kind {
        0x6969 => "NFS",
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => "SMB",
        0x0102_1997 => "9p",
        0x6573_5546 => "FUSE",
        0x00c3_6400 => "Ceph",
        0x5346_414f => "AFS",
        _ => return None,
    })
}

/// Makes sure that the database file exists and only its owner can read it. SQLite gives the same permissions to what it puts beside it.
pub(super) fn make_private(path: &Path) -> io::Result<()> {
    match create_private(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // Opening for writing says now, and in the system's words, what SQLite would call "unable to open".
            let file = FileOptions::new().write(true).open(path)?;
            if file.metadata()?.permissions().mode() & 0o077 != 0 {
                file.set_permissions(Permissions::from_mode(0o600))?;
            }
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// A new file that only its owner can read, whatever the umask.
pub(super) fn create_private(path: &Path) -> io::Result<File> {
    let file = FileOptions::new().create_new(true).write(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

/// Writes a file or a directory through to the disk.
pub(super) fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Removes a file that may not be there.
pub(super) fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The file beside a database that SQLite names by a suffix.
pub(super) fn beside(db: &Path, suffix: &str) -> PathBuf {
    let mut name = db.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Name of the copy that is kept before an upgrade to `version`.
pub(super) fn copy_name(version: i64) -> String {
    format!("{DB}.before-{version}")
}

/// How to call the copy that a build which knows `known` can use.
pub(super) fn copy_to_restore(dir: &Path, known: i64) -> String {
    (known + 1..=known + 100)
        .map(copy_name)
        .find(|name| dir.join(name).exists())
        .map_or_else(|| "a copy from before the upgrade".to_owned(), |name| dir.join(name).display().to_string())
}

/// Moves a damaged database and its log out of the way, under a name with the date; says which name.
pub(super) fn set_aside(db: &Path, at: UnixMillis) -> io::Result<PathBuf> {
    let stamp = at.rfc3339().replace(':', "");
    let target = (1..1000)
        .map(|n| beside(db, &if n == 1 { format!(".damaged-{stamp}") } else { format!(".damaged-{stamp}-{n}") }))
        .find(|path| !path.exists())
        .ok_or_else(|| io::Error::other("too many damaged databases are kept"))?;
    std::fs::rename(db, &target)?;
    for suffix in ["-wal", "-shm"] {
        match std::fs::rename(beside(db, suffix), beside(&target, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(target)
}

/// Undoes [`set_aside`].
pub(super) fn put_back(set_aside: &Path, db: &Path) -> io::Result<()> {
    remove_database(db)?;
    for suffix in ["-wal", "-shm"] {
        match std::fs::rename(beside(set_aside, suffix), beside(db, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    std::fs::rename(set_aside, db)
}

/// Removes a database with what SQLite put beside it.
pub(super) fn remove_database(db: &Path) -> io::Result<()> {
    for path in [db.to_owned(), beside(db, "-wal"), beside(db, "-shm")] {
        remove_if_there(&path)?;
    }
    Ok(())
}

/// Which file a path leads to; another one after it was replaced.
pub(super) fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

/// Whether the reserve is there.
pub(super) fn has_reserve(dir: &Path) -> bool {
    dir.join(RESERVE).exists()
}

/// Gives the reserve up; says whether there was one.
pub(super) fn free_reserve(dir: &Path) -> bool {
    std::fs::remove_file(dir.join(RESERVE)).is_ok()
}

/// Sets the reserve aside if there is room for it; says whether it is there now.
pub(super) fn make_reserve(dir: &Path) -> bool {
    if has_reserve(dir) {
        return true;
    }
    let path = dir.join(RESERVE);
    if !rustix::fs::statvfs(dir).is_ok_and(|found| RESERVE_BYTES + FREE_BYTES_MIN <= found.f_bavail.saturating_mul(found.f_frsize)) {
        return false;
    }
    let made = create_private(&path).and_then(|mut file| {
        let quick = rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, RESERVE_BYTES);
        if quick.is_ok() { Ok(()) } else { write_zeros(&mut file) }
    });
    if made.is_err() {
        // Half a reserve would be taken for a whole one.
        let _ = std::fs::remove_file(&path);
    }
    made.is_ok()
}

/// For file systems that cannot set room aside by a call.
fn write_zeros(file: &mut File) -> io::Result<()> {
    let zeros = [0_u8; 65_536];
    for _ in 0..RESERVE_BYTES / 65_536 {
        file.write_all(&zeros)?;
    }
    Ok(())
}
