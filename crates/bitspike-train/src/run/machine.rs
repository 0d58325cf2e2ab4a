//! The machine and the program, for the run folder.

use bitspike_cpu::Setting;
use bitspike_run::MachineInfo;
use burn::tensor::Device;
use std::collections::BTreeMap;

/// The kernels that training runs on a device: those of the processor belong to `cpu`, other devices run the composed
/// operations.
pub fn kernels(device: &Device) -> &'static str {
    if *device == Device::flex() { Setting::kept().name() } else { Setting::Composed.name() }
}

/// Processor, its features that kernels use, cores, threads, and the kernels that run on the device.
pub fn machine(device: &Device) -> MachineInfo {
    MachineInfo {
        cpu: cpu_name(),
        cpu_features: cpu_features(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        threads: rayon::current_num_threads(),
        os: std::env::consts::OS.to_owned(),
        arch: std::env::consts::ARCH.to_owned(),
        kernel_path: kernels(device).to_owned(),
    }
}

/// Versions that decide results.
pub fn versions() -> BTreeMap<String, String> {
    [("bitspike", env!("CARGO_PKG_VERSION")), ("burn", "0.22.1"), ("rust", env!("CARGO_PKG_RUST_VERSION"))]
        .map(|(name, version)| (name.to_owned(), version.to_owned()))
        .into()
}

/// The largest resident memory this process has had so far, in bytes; `None` where the system does not say (other than
/// Linux). Read from the process's own page counts: the figure of `getrusage` starts at the size of the parent process.
pub fn peak_resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// The processor's model.
pub fn cpu_name() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find(|l| l.starts_with("model name")).and_then(|l| l.split_once(':'));
    name.map_or_else(|| "unknown".to_owned(), |(_, name)| name.trim().to_owned())
}

/// Its instruction sets that kernels can use.
#[cfg(target_arch = "x86_64")]
pub fn cpu_features() -> Vec<String> {
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

/// Its instruction sets that kernels can use.
#[cfg(not(target_arch = "x86_64"))]
pub fn cpu_features() -> Vec<String> {
    Vec::new()
}
