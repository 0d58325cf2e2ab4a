//! The machine and the program, for the run folder.

use bitspike_run::MachineInfo;
use std::collections::BTreeMap;

/// Processor, its features that kernels use, cores and threads.
pub fn machine() -> MachineInfo {
    let kernel_path = match std::env::var("BITSPIKE_KERNEL").as_deref() {
        Ok("composed") => "composed".to_owned(),
        _ => bitspike_kernels::dispatch::selected().name().to_owned(),
    };
    MachineInfo {
        cpu: cpu_name(),
        cpu_features: cpu_features(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        threads: rayon::current_num_threads(),
        os: std::env::consts::OS.to_owned(),
        arch: std::env::consts::ARCH.to_owned(),
        kernel_path,
    }
}

/// Versions that decide results.
pub fn versions() -> BTreeMap<String, String> {
    [("bitspike", env!("CARGO_PKG_VERSION")), ("burn", "0.22.1"), ("rust", env!("CARGO_PKG_RUST_VERSION"))]
        .map(|(name, version)| (name.to_owned(), version.to_owned()))
        .into()
}

fn cpu_name() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find(|l| l.starts_with("model name")).and_then(|l| l.split_once(':'));
    name.map_or_else(|| "unknown".to_owned(), |(_, name)| name.trim().to_owned())
}

#[cfg(target_arch = "x86_64")]
fn cpu_features() -> Vec<String> {
    let all = [
        ("popcnt", is_x86_feature_detected!("popcnt")),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("avx512bw", is_x86_feature_detected!("avx512bw")),
        ("avx512vpopcntdq", is_x86_feature_detected!("avx512vpopcntdq")),
        ("avx512vnni", is_x86_feature_detected!("avx512vnni")),
        ("avx512bf16", is_x86_feature_detected!("avx512bf16")),
    ];
    all.into_iter().filter(|(_, has)| *has).map(|(name, _)| name.to_owned()).collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn cpu_features() -> Vec<String> {
    Vec::new()
}
