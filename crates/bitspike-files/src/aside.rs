//! A temporary file beside another, which it replaces in one step; and the removal of those that killed processes left.
//!
//! Its name is `.<name>.bitspike-<host>-<process>-<n>.tmp`, and its process holds a lock on it until it is renamed. The system
//! drops the lock with the process, whatever ends it, so a file whose lock can be had belongs to nobody: that holds also if the
//! number of the process is in use again, and between containers, which number processes on their own. Where locks do not
//! reach, as on some network folders, another host or a file system without them, only what did not change for a day is
//! removed: no file takes that long to be written.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Distinguishes temporary files of one process.
static NEXT: AtomicU64 = AtomicU64::new(0);
const MARK: &str = ".bitspike-";
const END: &str = ".tmp";
/// Without a change for so long, a file is nobody's, lock or not.
const IDLE: Duration = Duration::from_secs(24 * 60 * 60);

/// The name of this machine as it stands in file names; empty where it cannot be told.
static HOST: LazyLock<String> = LazyLock::new(|| {
    let name = fs::read_to_string("/proc/sys/kernel/hostname");
    let name = name.or_else(|_| std::env::var("HOSTNAME").or_else(|_| std::env::var("COMPUTERNAME")));
    name.unwrap_or_default().chars().filter(char::is_ascii_alphanumeric).take(32).collect()
});

/// A temporary file that will replace another. Dropped before that, it is removed.
///
/// ```
/// use std::io::Write;
/// let home = tempfile::tempdir()?;
/// let path = home.path().join("weights.bin");
/// let aside = bitspike_files::Aside::new(&path)?;
/// aside.file().write_all(&[1, 2, 3])?;
/// assert!(!path.exists());
/// aside.replace()?;
/// assert_eq!(std::fs::read(&path)?, [1, 2, 3]);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Aside {
    target: PathBuf,
    path: PathBuf,
    file: File,
    done: bool,
}

impl Aside {
    /// An empty file beside `target`, whose folder must exist. What killed processes left of the same target is removed.
    ///
    /// # Errors
    /// Those of the system; [`ErrorKind::InvalidInput`] if `target` does not end in a name.
    pub fn new(target: &Path) -> Result<Self> {
        let Some(name) = target.file_name() else {
            return Err(Error::new(ErrorKind::InvalidInput, "the path does not end in a file name"));
        };
        remove_left(folder(target), |of| of == name.as_encoded_bytes());
        loop {
            let mut hidden = std::ffi::OsString::from(".");
            hidden.push(name);
            let n = NEXT.fetch_add(1, Ordering::Relaxed);
            hidden.push(format!("{MARK}{}-{}-{n}{END}", *HOST, std::process::id()));
            let path = folder(target).join(hidden);
            let file = match OpenOptions::new().read(true).write(true).create_new(true).open(&path) {
                // Left by a process of the same number.
                Err(e) if e.kind() == ErrorKind::AlreadyExists => continue,
                other => other?,
            };
            // One that sweeps may have been faster; then the file is gone, or about to be.
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => {}
                Ok(()) | Err(TryLockError::Error(_)) if path.try_exists()? => {
                    return Ok(Self { target: target.into(), path, file, done: false });
                }
                _ => {}
            }
        }
    }

    /// The file, to be written to and read back.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Puts the file in the place of the target; a symbolic link there is replaced, not followed.
    ///
    /// # Errors
    /// Those of the system; the target is then as it was.
    pub fn replace(mut self) -> Result<()> {
        // Without this a power cut after the rename can leave a file of the right name and length, full of zeros.
        self.file.sync_all()?;
        fs::rename(&self.path, &self.target)?;
        self.done = true;
        // Makes the rename itself durable. Best effort: the content is complete either way, and some systems cannot open or
        // flush a folder.
        if cfg!(unix)
            && let Ok(handle) = File::open(folder(&self.target))
        {
            let _ = handle.sync_all();
        }
        Ok(())
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if !self.done {
            // Already on the way out with the first error, which is the one worth reporting.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn folder(target: &Path) -> &Path {
    target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Removes from a folder the temporary files of processes that live no more, and says how many. Those of living ones, and what
/// cannot be removed, stay.
pub fn sweep(folder: &Path) -> usize {
    remove_left(folder, |_| true)
}

/// The same of those whose target has a name that is wanted.
fn remove_left(folder: &Path, wanted: impl Fn(&[u8]) -> bool) -> usize {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let left = entries.flatten().filter(|entry| {
        let name = entry.file_name();
        parts(name.as_encoded_bytes()).is_some_and(|(of, host)| wanted(of) && is_left(&entry.path(), host))
    });
    left.count()
}

/// Target and host of a temporary file's name.
fn parts(name: &[u8]) -> Option<(&[u8], &str)> {
    let name = name.strip_prefix(b".")?.strip_suffix(END.as_bytes())?;
    let at = name.windows(MARK.len()).rposition(|w| w == MARK.as_bytes())?;
    let mut rest = std::str::from_utf8(&name[at + MARK.len()..]).ok()?.split('-');
    let (host, numbers) = (rest.next()?, [rest.next()?, rest.next()?]);
    let whole = rest.next().is_none() && numbers.iter().all(|n| n.parse::<u64>().is_ok());
    whole.then_some((&name[..at], host))
}

/// Removes a temporary file if it is nobody's.
fn is_left(path: &Path, host: &str) -> bool {
    // Not read-only: network file systems lock only what could be written.
    let Ok(file) = OpenOptions::new().write(true).open(path) else { return false };
    let locked = match file.try_lock() {
        Ok(()) => true,
        Err(TryLockError::WouldBlock) => return false,
        Err(TryLockError::Error(_)) => false,
    };
    // A clock of another host that runs ahead makes a file look young, and it stays.
    let idle = file.metadata().and_then(|m| m.modified()).is_ok_and(|m| m.elapsed().is_ok_and(|e| e > IDLE));
    let nobodys = idle || locked && !host.is_empty() && host == *HOST;
    nobodys && still(path, &file) && fs::remove_file(path).is_ok()
}

/// Whether the name still stands for the file that was opened: another process may have removed that and made a new one.
#[cfg(unix)]
fn still(path: &Path, file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |m: fs::Metadata| (m.dev(), m.ino());
    matches!((fs::symlink_metadata(path).map(id), file.metadata().map(id)), (Ok(a), Ok(b)) if a == b)
}

#[cfg(not(unix))]
fn still(_: &Path, _: &File) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_alive_stays() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("a.txt");
        let first = Aside::new(&target).unwrap();
        let second = Aside::new(&target).unwrap();
        assert_eq!((names(home.path()).len(), sweep(home.path())), (2, 0));
        second.file().write_all(b"second").unwrap();
        second.replace().unwrap();
        drop(first);
        assert_eq!(names(home.path()), ["a.txt"]);
        assert_eq!(fs::read(&target).unwrap(), b"second");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_dead_goes_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let put = |name: &str| fs::write(home.path().join(name), "half").unwrap();
        let old = |name: &str| {
            let file = OpenOptions::new().write(true).open(home.path().join(name)).unwrap();
            file.set_modified(std::time::SystemTime::now() - 2 * IDLE).unwrap();
        };
        // The number of a living process, this one: only the lock counts.
        let [here, now] = [&*HOST, &std::process::id().to_string()];
        put(&format!(".a.txt.bitspike-{here}-{now}-7.tmp"));
        put(&format!(".b.bitspike-x.bitspike-{here}-4000000-0.tmp"));
        put(".c.bitspike-elsewhere-1-0.tmp");
        put(".d.bitspike-elsewhere-1-1.tmp");
        old(".d.bitspike-elsewhere-1-1.tmp");
        let others = [
            ".c.bitspike-elsewhere-1-0.tmp",
            ".e.bitspike-x-1-y.tmp",
            ".e.bitspike-x-1.tmp",
            ".notes.tmp",
            "a.bitspike-x-1-0.tmp",
        ];
        for name in &others[1..] {
            put(name);
            old(name);
        }
        assert_eq!(sweep(home.path()), 3);
        assert_eq!(names(home.path()), others);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_new_file_for_the_same_target_removes_what_was_left() {
        let home = tempfile::tempdir().unwrap();
        let left = |target: &str, n: u64| home.path().join(format!(".{target}.bitspike-{}-{n}-{n}.tmp", *HOST));
        fs::write(left("a", 1), "").unwrap();
        fs::write(left("b", 2), "").unwrap();
        Aside::new(&home.path().join("a")).unwrap().replace().unwrap();
        assert_eq!([left("a", 1).exists(), left("b", 2).exists()], [false, true]);
    }
}
