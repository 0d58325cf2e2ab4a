//! Memory that this process may still take, so that what cannot fit is refused before it is begun.
//!
//! On Linux the least of: `MemAvailable` of the machine; what the limits of its control groups leave (`memory.max` less `memory.current`,
//! of every group above it too; `memory.limit_in_bytes` of the older kind), which is what containers have; and the limit of its address space
//! (`ulimit -v`) less its size. Elsewhere it is not known, and nothing is refused.

use crate::error::TrainError;
use bitspike_nn::network::TrainingMemory;
use std::fs::read_to_string;
use std::path::Path;

/// Bytes that may still be taken; `None` where that is not known.
pub fn available() -> Option<u64> {
    let machine = read_to_string("/proc/meminfo").ok().and_then(|text| kilobytes(&text, "MemAvailable:"));
    let limits = read_to_string("/proc/self/limits").ok();
    let size = read_to_string("/proc/self/status").ok().and_then(|text| kilobytes(&text, "VmSize:"));
    let space = limits.and_then(|text| address_space(&text)).zip(size).map(|(limit, size)| limit.saturating_sub(size));
    let groups =
        read_to_string("/proc/self/cgroup").ok().and_then(|text| control_groups(Path::new("/sys/fs/cgroup"), &text));
    [machine, space, groups].into_iter().flatten().min()
}

/// Refuses a training step of `batch_size` samples that needs more than there is.
///
/// # Errors
/// [`TrainError::Memory`] with both figures.
pub(crate) fn check(memory: &TrainingMemory, batch_size: usize) -> Result<(), TrainError> {
    let (need, parameters) = (memory.total(), memory.parameters);
    match available() {
        Some(available) if need > available => Err(TrainError::Memory { need, parameters, batch_size, available }),
        _ => Ok(()),
    }
}

/// The value of a line `KEY  N kB`, in bytes.
fn kilobytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The soft limit of the address space, in bytes; `None` without one.
fn address_space(limits: &str) -> Option<u64> {
    limits.lines().find_map(|line| line.strip_prefix("Max address space"))?.split_whitespace().next()?.parse().ok()
}

/// What the control groups in `/proc/self/cgroup` leave.
fn control_groups(root: &Path, groups: &str) -> Option<u64> {
    let number = |path: &Path, name: &str| read_to_string(path.join(name)).ok()?.trim().parse::<u64>().ok();
    let left = |path: &Path, [limit, used]: [&str; 2]| Some(number(path, limit)?.saturating_sub(number(path, used)?));
    let mut least = None;
    for line in groups.lines() {
        // Number, controllers, path: `0::/a/b` of the present kind, `4:memory:/a` of the older.
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (base, files) = match controllers {
            "" => (root.to_owned(), ["memory.max", "memory.current"]),
            c if c.split(',').any(|c| c == "memory") => {
                (root.join("memory"), ["memory.limit_in_bytes", "memory.usage_in_bytes"])
            }
            _ => continue,
        };
        let below = Path::new(path.trim_start_matches('/'));
        least = below.ancestors().filter_map(|p| left(&base.join(p), files)).chain(least).min();
    }
    least
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_their_lines() {
        assert_eq!(kilobytes("MemTotal:  9 kB\nMemAvailable:    2048 kB\n", "MemAvailable:"), Some(2 << 20));
        assert_eq!(kilobytes("MemAvailable:    x kB\n", "MemAvailable:"), None);
        let limits = |value: &str| format!("Limit  Soft  Hard  Units\nMax address space  {value}  unlimited  bytes\n");
        assert_eq!(address_space(&limits("4096")), Some(4096));
        assert_eq!(address_space(&limits("unlimited")), None);
        #[cfg(target_os = "linux")]
        assert!(available().expect("a machine with Linux says it") > 1 << 20);
    }

    /// The least of all groups above counts; a group without a limit does not.
    #[test]
    fn every_group_above_counts() {
        let root = tempfile::tempdir().unwrap();
        let group = |path: &str, limit: &str, used: &str, names: [&str; 2]| {
            let path = root.path().join(path);
            std::fs::create_dir_all(&path).unwrap();
            std::fs::write(path.join(names[0]), limit).unwrap();
            std::fs::write(path.join(names[1]), used).unwrap();
        };
        let new = ["memory.max", "memory.current"];
        group("a/b", "max\n", "10\n", new);
        assert_eq!(control_groups(root.path(), "0::/a/b\n"), None);
        group("a", "1000\n", "400\n", new);
        assert_eq!(control_groups(root.path(), "0::/a/b\n"), Some(600));
        group("a/b", "500\n", "450\n", new);
        assert_eq!(control_groups(root.path(), "0::/a/b\n"), Some(50));
        group("a/b", "500\n", "550\n", new);
        assert_eq!(control_groups(root.path(), "0::/a/b\n"), Some(0));
        group("memory/c", "90\n", "20\n", ["memory.limit_in_bytes", "memory.usage_in_bytes"]);
        assert_eq!(control_groups(root.path(), "5:cpu:/c\n4:cpuset,memory:/c\n"), Some(70));
        assert_eq!(control_groups(root.path(), "nonsense\n"), None);
    }
}
