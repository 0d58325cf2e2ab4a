//! Energy that the processor itself counts: Intel's and AMD's RAPL counters, as Linux shows them.
//!
//! ```text
//! /sys/class/powercap/intel-rapl:N/{name, energy_uj, max_energy_range_uj}      a zone
//! energy = Σ over packages and their DRAM of (after − before), plus the range where a counter has turned over
//! ```
//!
//! A counter holds the energy of a whole package: of everything that ran on it, idle cores too. Counters are renewed about
//! every millisecond. Source: the Linux kernel's documentation, `power/powercap/powercap.rst`.

use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};

/// Where Linux shows the counters.
const ROOT: &str = "/sys/class/powercap";

/// Counters that can be read.
#[derive(Debug)]
pub struct Meter(Vec<Zone>);

#[derive(Debug)]
struct Zone {
    name: String,
    counter: PathBuf,
    range_uj: u64,
}

/// What was counted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// Of all zones together.
    pub joules: f64,
    /// How long it was counted.
    pub seconds: f64,
    /// Names of the zones.
    pub zones: Vec<String>,
}

impl Meter {
    /// The counters of this machine, or why they cannot be read.
    pub fn open() -> Result<Self, String> {
        Self::open_at(Path::new(ROOT))
    }

    fn open_at(root: &Path) -> Result<Self, String> {
        let hidden = || format!("{}: no RAPL counters (virtual machines and containers hide them)", root.display());
        let entries = fs::read_dir(root).map_err(|_| hidden())?;
        let mut folders: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
        folders.sort();
        let mut zones = Vec::new();
        for folder in folders {
            let file = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let Ok(name) = fs::read_to_string(folder.join("name")) else { continue };
            let name = name.trim().to_owned();
            // Cores and graphics are parts of their package; DRAM is not.
            if !file.starts_with("intel-rapl:") || !(name.starts_with("package") || name == "dram") {
                continue;
            }
            let counter = folder.join("energy_uj");
            read(&counter)?;
            // A kernel that does not tell the range has counters of 32 bits.
            let range_uj = read(&folder.join("max_energy_range_uj")).unwrap_or(u64::from(u32::MAX));
            zones.push(Zone {
                name: if name == "dram" { format!("{name} ({file})") } else { name },
                counter,
                range_uj,
            });
        }
        if zones.is_empty() { Err(hidden()) } else { Ok(Self(zones)) }
    }

    /// Runs `work` and counts. The result of `work` comes first.
    pub fn measure<R>(&self, work: impl FnOnce() -> R) -> (R, Result<Measured, String>) {
        let all = || self.0.iter().map(|z| read(&z.counter)).collect::<Result<Vec<_>, _>>();
        let (before, start) = (all(), std::time::Instant::now());
        let result = work();
        let (seconds, after) = (start.elapsed().as_secs_f64(), all());
        let measured = before.and_then(|before| {
            let after = after?;
            let micro: u64 = self.0.iter().zip(before.iter().zip(&after)).map(|(z, (b, a))| z.between(*b, *a)).sum();
            let zones = self.0.iter().map(|z| z.name.clone()).collect();
            Ok(Measured { joules: micro as f64 * 1e-6, seconds, zones })
        });
        (result, measured)
    }
}

impl Zone {
    fn between(&self, before: u64, after: u64) -> u64 {
        if after >= before { after - before } else { (after + self.range_uj).saturating_sub(before) }
    }
}

fn read(path: &Path) -> Result<u64, String> {
    let text = fs::read_to_string(path).map_err(|e| {
        let remedy = if e.kind() == std::io::ErrorKind::PermissionDenied { " (root may read it)" } else { "" };
        format!("{}: {e}{remedy}", path.display())
    })?;
    text.trim().parse().map_err(|_| format!("{}: expected a number, found {:?}", path.display(), text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(root: &Path, folder: &str, name: &str, energy: &str, range: Option<&str>) -> PathBuf {
        let folder = root.join(folder);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("name"), format!("{name}\n")).unwrap();
        fs::write(folder.join("energy_uj"), energy).unwrap();
        if let Some(range) = range {
            fs::write(folder.join("max_energy_range_uj"), range).unwrap();
        }
        folder.join("energy_uj")
    }

    #[test]
    fn packages_and_dram_are_summed_and_counters_may_turn_over() {
        let dir = tempfile::tempdir().unwrap();
        let package = zone(dir.path(), "intel-rapl:0", "package-0", "900\n", Some("1000\n"));
        zone(dir.path(), "intel-rapl:0:0", "core", "5", Some("1000"));
        let dram = zone(dir.path(), "intel-rapl:0:1", "dram", "10", None);
        zone(dir.path(), "intel-rapl:1", "psys", "7", Some("1000"));
        zone(dir.path(), "intel-rapl-mmio:0", "package-0", "1", Some("1000"));
        let meter = Meter::open_at(dir.path()).unwrap();
        let (value, measured) = meter.measure(|| {
            fs::write(&package, "150\n").unwrap();
            fs::write(&dram, "40\n").unwrap();
            3
        });
        let measured = measured.unwrap();
        assert_eq!((value, measured.zones.len()), (3, 2), "{:?}", measured.zones);
        assert!((measured.joules - (250.0 + 30.0) * 1e-6).abs() < 1e-12, "{measured:?}");
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let missing = Meter::open_at(&dir.path().join("none")).unwrap_err();
        assert!(missing.contains("no RAPL counters"), "{missing}");
        assert!(Meter::open_at(dir.path()).unwrap_err().contains("no RAPL counters"));
        zone(dir.path(), "intel-rapl:0", "package-0", "many", None);
        let found = Meter::open_at(dir.path()).unwrap_err();
        assert!(found.contains("energy_uj") && found.contains("\"many\""), "{found}");
    }
}
