//! A whole file in memory.

use crate::Beyond;
use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

/// Bytes that are read of what has no size of its own: pipes, devices, files of the system.
pub const UNSIZED: u64 = 256 << 20;

/// Bytes that are read at a time where something is looked for in them.
const STEP: u64 = 1 << 20;

/// Reads a whole file.
///
/// Memory is what the file has, asked for once; of what has no size, as a pipe or `/dev/zero`, at most [`UNSIZED`] is read.
///
/// # Errors
/// Those of the system; [`ErrorKind::OutOfMemory`] with the size if there is not so much; [`Beyond`] as the source of
/// [`ErrorKind::InvalidData`].
///
/// ```
/// let file = tempfile::NamedTempFile::new()?;
/// std::fs::write(file.path(), "abc")?;
/// assert_eq!(bitspike_files::read(file.path())?, b"abc");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let (file, size) = open(path)?;
    let mut bytes = Vec::new();
    if let Some(size) = size {
        room(&mut bytes, size)?;
    }
    file.take(size.unwrap_or(UNSIZED + 1)).read_to_end(&mut bytes)?;
    whole(size, bytes)
}

/// Reads a whole text file, but not more than a little beyond a line that has more than `longest` bytes.
///
/// # Errors
/// As [`read`]; also [`Beyond`] for such a line.
pub fn read_text(path: &Path, longest: u64) -> Result<Vec<u8>> {
    let (mut file, size) = open(path)?;
    let mut bytes = Vec::new();
    // Where the line begins that is being read.
    let mut line = 0;
    loop {
        let before = bytes.len();
        let left = size.unwrap_or(UNSIZED + 1) - before as u64;
        let step = left.min(STEP);
        if bytes.capacity() - before < step as usize {
            // Twice as much at first, then a little more each time.
            room(&mut bytes, left.min((before as u64).clamp(STEP, 16 * STEP)))?;
        }
        file.by_ref().take(step).read_to_end(&mut bytes)?;
        if bytes.len() == before {
            return whole(size, bytes);
        }
        if let Some(end) = bytes[before..].iter().rposition(|b| *b == b'\n') {
            line = before + end + 1;
        }
        if (bytes.len() - line) as u64 > longest {
            let remedy = "the file is no text of rows, or has no line ends: see what wrote it";
            return Err(invalid(Beyond::at("bytes of a line", longest, "lines of such files are shorter", remedy)));
        }
    }
}

/// The file and its size, if it has one.
fn open(path: &Path) -> Result<(File, Option<u64>)> {
    let file = File::open(path)?;
    let about = file.metadata()?;
    // Files below /proc say 0 and have content.
    Ok((file, Some(about.len()).filter(|n| about.is_file() && *n > 0)))
}

fn room(bytes: &mut Vec<u8>, more: u64) -> Result<()> {
    let short = || Error::new(ErrorKind::OutOfMemory, format!("there is no memory for {more} bytes of it"));
    bytes.try_reserve_exact(usize::try_from(more).map_err(|_| short())?).map_err(|_| short())
}

/// What was read, unless it has no size and goes on.
fn whole(size: Option<u64>, bytes: Vec<u8>) -> Result<Vec<u8>> {
    if size.is_some() || bytes.len() as u64 <= UNSIZED {
        return Ok(bytes);
    }
    let reason = "256 MiB of what is no file with a size";
    Err(invalid(Beyond::at("bytes", UNSIZED, reason, "save it to a file, and read that")))
}

fn invalid(beyond: Beyond) -> Error {
    Error::new(ErrorKind::InvalidData, beyond)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_any_size() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a");
        for content in [&b""[..], b"x", &[7; 100_000]] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(read(&path).unwrap(), content);
            assert_eq!(read_text(&path, 100_000).unwrap(), content);
        }
        assert_eq!(read(&home.path().join("none")).unwrap_err().kind(), ErrorKind::NotFound);
        assert!(read(home.path()).is_err());
    }

    #[test]
    fn a_line_without_end_is_not_read_to_its_end() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a");
        let line = |n: usize| [&vec![b'x'; n][..], b"\n"].concat();
        let rows = [line(3), line(STEP as usize), line(9)].concat();
        std::fs::write(&path, &rows).unwrap();
        assert_eq!(read_text(&path, 2 * STEP).unwrap(), rows);
        std::fs::write(&path, [&rows[..], &line(5 * STEP as usize)].concat()).unwrap();
        let e = read_text(&path, 2 * STEP).unwrap_err();
        assert_eq!(Beyond::of(&e).map(|b| b.most), Some(2 * STEP), "{e}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_has_no_size() {
        assert!(!read("/proc/self/status".as_ref()).unwrap().is_empty());
        let e = read("/dev/zero".as_ref()).unwrap_err();
        assert!(Beyond::of(&e).is_some(), "{e}");
        // A file with nothing in it that claims more than any machine has.
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("sparse");
        if File::create(&path).unwrap().set_len(1 << 43).is_ok() {
            let e = read(&path).unwrap_err();
            assert_eq!((e.kind(), e.to_string().contains("8796093022208")), (ErrorKind::OutOfMemory, true), "{e}");
        }
    }
}
