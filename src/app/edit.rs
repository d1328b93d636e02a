//! Adds a monitor to a file of the config, because an admin pressed a button: the one place that writes what people wrote.
//!
//! Nothing is replaced before everything is known to be right: the file lies below the config's directory and is part of the config, it
//! still says what the admin saw, and with the monitor in it the whole config loads and differs by this monitor alone. Then a new file
//! takes its place in one step, with the same rights and the same owner; after a power cut there is the old one or the new one.

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::fchown;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use crate::app::files;
use crate::app::find::Found;
use crate::app::reload;
use crate::app::surroundings::plain;
use crate::config::Change;
use crate::config::Problem;
use crate::config::SourceText;
use crate::config::append::with_monitor;
use crate::config::diff::Group;
use crate::http::drafts::Addition;
use crate::http::drafts::NotAdded;
use crate::model::id::MonitorId;
use crate::model::monitor::Monitor;
use crate::probe::Prober;

/// A file that monitors may be added to.
#[derive(Debug)]
pub(super) struct Place {
    /// As it is named among the texts of the config.
    named: PathBuf,
    /// Where it lies, links followed.
    path: PathBuf,
    text: String,
}

impl Place {
    /// Finds it. Blocks.
    ///
    /// # Errors
    /// Why nothing can be added to it, in a sentence for admins.
    pub(super) fn find(found: &Found, edit: &Path) -> Result<Place, String> {
        let shown = edit.display();
        let Found::Path(config) = found else {
            return Err("The built-in example is running; there is no file to add to. Start vigilmon with `--config`.".to_owned());
        };
        let base = if config.is_dir() { config.as_path() } else { config.parent().unwrap_or(Path::new("")) };
        let named = files::normal(&base.join(edit));
        let unreadable = |error: io::Error| format!("`{shown}` of `instance.edit` cannot be read: {}.", plain(&error));
        let base = fs::canonicalize(if base.as_os_str().is_empty() { Path::new(".") } else { base }).map_err(unreadable)?;
        let path = match fs::canonicalize(&named) {
            Ok(path) => path,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(format!("`{shown}` of `instance.edit` does not exist. Make an empty file of that name."));
            }
            Err(error) => return Err(unreadable(error)),
        };
        if !path.starts_with(&base) {
            return Err(format!("`{shown}` of `instance.edit` is a link that leads out of the config's directory. Name a file in it."));
        }
        if !fs::metadata(&path).map_err(unreadable)?.is_file() {
            return Err(format!("`{shown}` of `instance.edit` is not a regular file."));
        }
        let text = fs::read_to_string(&path).map_err(unreadable)?;
        Ok(Place { named, path, text })
    }

    /// Names what it says now.
    pub(super) fn digest(&self) -> String {
        crate::config::digest(&[SourceText { file: self.named.clone(), text: self.text.clone() }])
    }
}

/// Adds it. Blocks. One at a time: the caller sees to that.
///
/// # Errors
/// [`NotAdded`]; the file is then what it was.
pub(super) fn add(found: &Found, prober: &Prober, wanted: &Addition, meant: &Monitor) -> Result<MonitorId, NotAdded> {
    let shown = wanted.file.display();
    let place = Place::find(found, &wanted.file).map_err(NotAdded::Refused)?;
    if place.digest() != wanted.seen {
        return Err(changed(&wanted.file));
    }
    let new_text =
        with_monitor(&place.text, &wanted.item).map_err(|why| NotAdded::Refused(format!("Nothing can be added to `{shown}`: {why}.")))?;
    let root = found.path_or_default();
    let before = files::read(&root).map_err(NotAdded::Problems)?;
    let mut after = before.clone();
    let Some(mine) = after.iter_mut().find(|source| source.file == place.named) else {
        let why = format!("`{shown}` of `instance.edit` is not part of the config. Include it: `include: [{shown}]`.");
        return Err(NotAdded::Refused(why));
    };
    if mine.text != place.text {
        return Err(changed(&wanted.file));
    }
    mine.text.clone_from(&new_text);
    let before = reload::validate(before, &root, prober).map_err(NotAdded::Problems)?;
    let after = reload::validate(after, &root, prober).map_err(|problems| NotAdded::Problems(of_addition(problems, &place)))?;
    let change = Change::between(Some(&before.config), &after.config);
    let Some(added) = after.config.monitors.iter().find(|monitor| only_adds(&change, monitor) && is_meant(monitor, meant)) else {
        let why = format!(
            "With the monitor at the end of `monitors:`, `{shown}` would mean something else than what was filled in. Add it by hand."
        );
        return Err(NotAdded::Refused(why));
    };
    replace(&place, &new_text).map_err(|why| why.told(&wanted.file))?;
    Ok(added.id.clone())
}

/// Problems of the text as it would be. Their lines are not those on the disk, and say so.
fn of_addition(mut problems: Vec<Problem>, place: &Place) -> Vec<Problem> {
    for problem in problems.iter_mut().filter(|problem| problem.file == place.named) {
        problem.file = PathBuf::from(format!("{} with the addition", place.named.display()));
    }
    problems
}

/// Why a file is not replaced.
#[derive(Debug)]
enum Unwritten {
    /// It was changed in the last moment.
    Changed,
    /// It is not ours, and a new file cannot be given to whoever has it; with their numbers, and ours.
    Owner { user: u32, group: u32, own: u32 },
    /// The system does not let us.
    System(io::Error),
}

impl From<io::Error> for Unwritten {
    fn from(error: io::Error) -> Unwritten {
        Unwritten::System(error)
    }
}

impl Unwritten {
    /// In a sentence for admins.
    fn told(&self, file: &Path) -> NotAdded {
        let shown = file.display();
        match self {
            Unwritten::Changed => changed(file),
            Unwritten::Owner { user, group, own } => NotAdded::Refused(format!(
                "`{shown}` belongs to user {user} and group {group}. vigilmon runs as user {own} and cannot give a new file to them. Let the file \
                 belong to the user and the group of vigilmon; under systemd this takes some steps, which docs/new-monitor.md has."
            )),
            Unwritten::System(error) => NotAdded::Refused(format!(
                "`{shown}` cannot be written: {}. vigilmon needs the right to make files in its directory; what that takes under systemd is in \
                 docs/new-monitor.md.",
                plain(error)
            )),
        }
    }
}

fn changed(file: &Path) -> NotAdded {
    NotAdded::Refused(format!(
        "`{}` was changed meanwhile, and nothing was added. Look at what it says now, and add the monitor then.",
        file.display()
    ))
}

/// Whether this monitor is all that is different. Pages and the like may select it, and so change with it.
fn only_adds(change: &Change, monitor: &Monitor) -> bool {
    let is_still = |group: &Group| group.added.is_empty() && group.removed.is_empty();
    let others = [&change.channels, &change.pages, &change.policies, &change.maintenance];
    let monitors = &change.monitors;
    monitors.added == [monitor.id.to_string()]
        && monitors.removed.is_empty()
        && monitors.altered.is_empty()
        && change.renamed.is_empty()
        && others.into_iter().all(is_still)
        && change.channels.altered.is_empty()
        && change.settings.is_empty()
        && change.needs_restart.is_empty()
}

/// Whether two monitors are the same but for where they are written.
fn is_meant(monitor: &Arc<Monitor>, meant: &Monitor) -> bool {
    Monitor { origin: meant.origin.clone(), ..Monitor::clone(monitor) } == *meant
}

/// Puts the new text in place of the old one.
fn replace(place: &Place, new_text: &str) -> Result<(), Unwritten> {
    let old = fs::metadata(&place.path)?;
    let dir = place.path.parent().unwrap_or(Path::new("."));
    let name = place.path.file_name().unwrap_or_default().to_string_lossy();
    // Names that begin with a dot are not read as config.
    let draft = dir.join(format!(".{name}.{}.new", std::process::id()));
    let written = write(&draft, new_text, &old).and_then(|()| {
        if fs::read_to_string(&place.path)? != place.text {
            return Err(Unwritten::Changed);
        }
        Ok(fs::rename(&draft, &place.path)?)
    });
    if written.is_err() {
        let _ = fs::remove_file(&draft);
        return written;
    }
    // It has its new text already; that the directory says so after a power cut is the best that can be tried.
    if let Err(error) = File::open(dir).and_then(|dir| dir.sync_all()) {
        tracing::warn!(%error, "cannot sync the directory of `{}`: {error}", place.path.display());
    }
    Ok(())
}

fn write(draft: &Path, text: &str, old: &fs::Metadata) -> Result<(), Unwritten> {
    // Left behind by a process that had our number and was killed.
    match fs::remove_file(draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    file.write_all(text.as_bytes())?;
    give(&file, old.uid(), old.gid())?;
    // After the owner, whose change takes some rights away.
    file.set_permissions(old.permissions())?;
    Ok(file.sync_all()?)
}

/// Gives a file to this user and group, if it is not theirs already.
fn give(file: &File, user: u32, group: u32) -> Result<(), Unwritten> {
    let new = file.metadata()?;
    if (new.uid(), new.gid()) == (user, group) {
        return Ok(());
    }
    fchown(file, Some(user), Some(group)).map_err(|error| {
        let is_forbidden = error.kind() == io::ErrorKind::PermissionDenied;
        if is_forbidden { Unwritten::Owner { user, group, own: new.uid() } } else { Unwritten::System(error) }
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::app::bench::fit;
    use crate::clock::Clock;
    use crate::config::draft::Draft;

    const MAIN: &str = "# main\ndefaults: { interval: 20s }\nmonitors:\n  - tcp: a:1\nstatus_pages: [{ slug: all, title: All, groups: [{ name: All, monitors: [\"*\"] }] }]\n";
    const WEB: &str =
        "# ours\nmonitors:\n    # the shop\n    - name: Shop   # the first\n      http: 'https://shop.example.com/'\n\n# below\nx-y: 1\n";

    struct Dir(tempfile::TempDir);

    impl Dir {
        fn new() -> Dir {
            let dir = Dir(tempfile::tempdir().unwrap());
            dir.write("main.yaml", MAIN);
            dir.write("web.yaml", WEB);
            dir
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.path(name), text).unwrap();
        }

        fn read(&self, name: &str) -> String {
            fs::read_to_string(self.path(name)).unwrap()
        }

        fn names(&self) -> Vec<String> {
            let mut names: Vec<_> =
                fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }

        /// Adds the draft to a file, after `meanwhile` was done to it.
        fn add(&self, file: &str, draft: &Draft, meanwhile: impl FnOnce()) -> Result<String, String> {
            let (found, prober) = (Found::Path(self.0.path().to_owned()), Prober::new("test".to_owned(), Clock::system()));
            let said = |not: NotAdded| match not {
                NotAdded::Refused(why) => why,
                NotAdded::Problems(problems) => problems.iter().map(|problem| format!("{problem}\n")).collect(),
            };
            let meant = fit(&found, &prober, &draft.yaml()).map_err(|problems| said(NotAdded::Problems(problems)))?;
            let seen = Place::find(&found, Path::new(file))?.digest();
            meanwhile();
            let wanted = Addition { file: file.into(), seen, item: draft.yaml(), by: "ada".to_owned() };
            add(&found, &prober, &wanted, &meant).map(|id| id.to_string()).map_err(said)
        }
    }

    fn draft(name: &str) -> Draft {
        Draft { name: name.to_owned(), target: "https://new.example.com/$x".to_owned(), ..Draft::default() }
    }

    #[test]
    fn the_monitor_is_added_and_every_other_byte_stays() {
        let dir = Dir::new();
        fs::set_permissions(dir.path("web.yaml"), fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(dir.add("web.yaml", &draft("[new] # one"), || {}), Ok("new-one".to_owned()));
        let added = "    - name: \"[new] # one\"\n      http: \"https://new.example.com/$$x\"\n";
        assert_eq!(dir.read("web.yaml"), WEB.replace("com/'\n", &format!("com/'\n{added}")));
        assert_eq!(fs::metadata(dir.path("web.yaml")).unwrap().permissions().mode() & 0o7777, 0o640);
        assert_eq!(dir.read("main.yaml"), MAIN);
        assert_eq!(dir.names(), ["main.yaml", "web.yaml"], "no draft is left");
        assert_eq!(dir.add("web.yaml", &draft("another"), || {}), Ok("another".to_owned()));
    }

    #[test]
    fn an_empty_file_gets_a_list() {
        let dir = Dir::new();
        dir.write("web.yaml", "");
        assert_eq!(dir.add("web.yaml", &draft("New"), || {}), Ok("new".to_owned()));
        assert_eq!(dir.read("web.yaml"), "monitors:\n  - name: New\n    http: \"https://new.example.com/$$x\"\n");
    }

    #[test]
    fn a_link_within_the_directory_stays_one() {
        let dir = Dir::new();
        fs::rename(dir.path("web.yaml"), dir.path(".kept")).unwrap();
        symlink(".kept", dir.path("web.yaml")).unwrap();
        assert_eq!(dir.add("web.yaml", &draft("New"), || {}), Ok("new".to_owned()));
        assert!(fs::symlink_metadata(dir.path("web.yaml")).unwrap().is_symlink());
        assert!(dir.read(".kept").contains("name: New"));
    }

    #[test]
    fn an_owner_that_cannot_be_kept_is_said_to_be_the_reason() {
        // Nobody can give away a file of this kind, not even root; what is refused is the same for a file of somebody else's.
        let file = File::open("/proc/sys/kernel/ostype").unwrap();
        let own = file.metadata().unwrap();
        assert!(give(&file, own.uid(), own.gid()).is_ok(), "whose it is already is not given anything");
        let refused = give(&file, own.uid() + 1, own.gid() + 2).unwrap_err();
        let NotAdded::Refused(said) = refused.told(Path::new("web.yaml")) else { panic!("{refused:?}") };
        let whose = format!("`web.yaml` belongs to user {} and group {}.", own.uid() + 1, own.gid() + 2);
        assert!(said.starts_with(&whose) && said.contains("docs/new-monitor.md") && !said.contains("os error"), "{said}");
        let denied = Unwritten::System(io::Error::from_raw_os_error(30));
        let NotAdded::Refused(said) = denied.told(Path::new("web.yaml")) else { panic!("{denied:?}") };
        assert!(said.starts_with("`web.yaml` cannot be written: read-only file system. vigilmon needs"), "{said}");
    }

    #[test]
    fn what_was_changed_meanwhile_is_not_overwritten() {
        let dir = Dir::new();
        let said = dir.add("web.yaml", &draft("New"), || dir.write("web.yaml", "# somebody else\n")).unwrap_err();
        assert!(said.contains("was changed meanwhile"), "{said}");
        assert_eq!(dir.read("web.yaml"), "# somebody else\n");
    }

    #[test]
    fn what_would_not_load_or_mean_something_else_is_refused() {
        let dir = Dir::new();
        for (web, draft, said) in [
            (WEB, draft("Shop"), "Shop"),
            ("monitors: []\n", draft("New"), "`- `"),
            // Lines that look like the list, inside of a text. Their places are those of the text as it would be, which is on no disk.
            ("x-text: \"\nmonitors:\n  \"\n", draft("New"), "the indentation of this line"),
            ("x-text: \"\nmonitors:\n  \"\n", draft("New"), "web.yaml with the addition:"),
            ("# before\n---\nself: {}\n...\n", draft("New"), "web.yaml with the addition:"),
        ] {
            dir.write("web.yaml", web);
            let why = dir.add("web.yaml", &draft, || {}).unwrap_err();
            assert!(why.contains(said), "{said}: {why}");
            assert_eq!(dir.read("web.yaml"), web);
            assert_eq!(dir.names(), ["main.yaml", "web.yaml"]);
        }
        let text = "x-text: \"\nmonitors:\n  \"\n";
        dir.write("web.yaml", &format!("monitors:\n  - tcp: b:1\n{text}"));
        assert_eq!(dir.add("web.yaml", &draft("New"), || {}), Ok("new".to_owned()), "the list is the one above the text");
        let added = "  - name: New\n    http: \"https://new.example.com/$$x\"\n";
        assert_eq!(dir.read("web.yaml"), format!("monitors:\n  - tcp: b:1\n{added}{text}"));
    }

    #[test]
    fn only_files_of_the_config_below_its_directory_are_written() {
        let (dir, elsewhere, another) = (Dir::new(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(elsewhere.path().join("x.yaml"), WEB.replace("Shop", "Other")).unwrap();
        fs::write(another.path().join("x.yaml"), WEB.replace("Shop", "Third")).unwrap();
        symlink(elsewhere.path().join("x.yaml"), dir.path("out.yaml")).unwrap();
        symlink(another.path(), dir.path("linked")).unwrap();
        fs::create_dir(dir.path("dir.yaml")).unwrap();
        for (file, said) in
            [("out.yaml", "leads out"), ("linked/x.yaml", "leads out"), ("none.yaml", "does not exist"), ("dir.yaml", "not a regular file")]
        {
            let why = dir.add(file, &draft("New"), || {}).unwrap_err();
            assert!(why.contains(said), "{file}: {why}");
        }
        dir.write("notes.txt", "");
        let why = dir.add("notes.txt", &draft("New"), || {}).unwrap_err();
        assert!(why.contains("not part of the config"), "{why}");
        assert_eq!(dir.read("notes.txt"), "");
    }
}
