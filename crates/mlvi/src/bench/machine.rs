//! What the machine is, for whoever reads a report.

use super::section::{Grid, Section};
use kernels::Isa;
use serde::Serialize;
use std::path::Path;

/// Features of processors that change how fast networks run, as /proc/cpuinfo writes them.
const FEATURES: [&str; 14] = [
    "avx2",
    "fma",
    "f16c",
    "avx512f",
    "avx512bw",
    "avx512vl",
    "avx_vnni",
    "avx512_vnni",
    "avx512_bf16",
    "amx_tile",
    "asimd",
    "asimddp",
    "i8mm",
    "bf16",
];

/// The machine and what is measured on it.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    pub(super) processor: String,
    /// That this process may use.
    pub(super) cores: usize,
    pub(super) features: Vec<&'static str>,
    /// What our kernels choose.
    pub(super) instructions: &'static str,
    /// Of the largest cache.
    pub(super) cache_mib: Option<f64>,
    pub(super) memory_mib: Option<f64>,
    /// Whether it is a virtual machine.
    pub(super) virtual_machine: bool,
    pub(super) system: String,
    pub(super) mlvi: &'static str,
}

impl Machine {
    pub(super) fn read() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let flags: Vec<&str> = ["flags", "Features"]
            .iter()
            .find_map(|name| field(&cpuinfo, name))
            .map(|flags| flags.split_whitespace().collect())
            .unwrap_or_default();
        let processor = ["model name", "Model", "CPU part"]
            .iter()
            .find_map(|name| field(&cpuinfo, name))
            .unwrap_or("unknown");
        let kib = |line: &str| line.trim_end_matches(" kB").parse::<f64>().ok();
        Self {
            processor: processor.into(),
            cores: cores(),
            features: FEATURES.into_iter().filter(|name| flags.contains(name)).collect(),
            instructions: Isa::best().name(),
            cache_mib: cache_bytes().map(|bytes| bytes as f64 / f64::from(1 << 20)),
            memory_mib: field(&read("/proc/meminfo"), "MemTotal")
                .and_then(kib)
                .map(|kib| kib / 1024.0),
            virtual_machine: flags.contains(&"hypervisor"),
            system: format!(
                "{} {} {}",
                read("/proc/sys/kernel/ostype").trim(),
                read("/proc/sys/kernel/osrelease").trim(),
                std::env::consts::ARCH
            ),
            mlvi: env!("CARGO_PKG_VERSION"),
        }
    }

    pub(super) fn section(&self) -> anyhow::Result<Section> {
        let mut section = Section::new("machine", "Machine", serde_json::to_value(self)?);
        let mib =
            |size: Option<f64>| size.map_or("unknown".into(), |size| format!("{size:.0} MiB"));
        let mut grid = Grid::new(&["what", "is"]);
        let mut row = |what: &str, is: String| grid.row(vec![what.into(), is]);
        row("processor", self.processor.clone());
        row("cores", self.cores.to_string());
        row("features", self.features.join(" "));
        row("kernels choose", self.instructions.into());
        row("largest cache", mib(self.cache_mib));
        row("memory", mib(self.memory_mib));
        let kind = if self.virtual_machine { ", a virtual machine" } else { "" };
        row("system", format!("{}{kind}", self.system));
        row("MLVI", self.mlvi.into());
        section.grid(grid);
        Ok(section)
    }
}

/// How many threads this process can run at once.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The size of the largest cache of the first processor; `None` where the system does not tell it.
pub(super) fn cache_bytes() -> Option<usize> {
    let entries = std::fs::read_dir(Path::new("/sys/devices/system/cpu/cpu0/cache")).ok()?;
    let sizes = entries
        .flatten()
        .filter_map(|entry| size(&std::fs::read_to_string(entry.path().join("size")).ok()?));
    sizes.max()
}

/// `32768K` or `32M` in bytes.
fn size(text: &str) -> Option<usize> {
    let text = text.trim();
    let (digits, shift) = match text.strip_suffix('K') {
        Some(kib) => (kib, 10),
        None => (text.strip_suffix('M')?, 20),
    };
    Some(digits.parse::<usize>().ok()? << shift)
}

/// The value of the first line `name : value`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        (found.trim() == name).then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_told() {
        let machine = Machine::read();
        assert!(machine.cores >= 1 && machine.memory_mib.unwrap() > 100.0, "{machine:?}");
        assert!(machine.system.starts_with("Linux"), "{machine:?}");
        let text = machine.section().unwrap().text();
        assert!(text.contains(&machine.processor) && text.contains("kernels choose"), "{text}");
    }

    #[test]
    fn fields_and_sizes_are_read() {
        let text = "model name\t: Some CPU: fast\nflags\t\t: fpu avx2\n";
        assert_eq!(field(text, "model name"), Some("Some CPU: fast"));
        assert_eq!(field(text, "model"), None);
        assert_eq!(
            [size("32768K\n"), size("2M"), size("big")],
            [Some(32 << 20), Some(2 << 20), None]
        );
    }
}
