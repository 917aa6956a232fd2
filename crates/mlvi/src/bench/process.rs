//! What the kernel says of a process: processor time and memory (Linux's /proc).

use anyhow::Context;

/// The kernel's clock ticks per second as /proc counts them: 100 on every Linux that matters
/// (USER_HZ).
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor time that this process has used so far, in milliseconds.
pub(super) fn cpu_ms() -> anyhow::Result<f64> {
    let stat =
        std::fs::read_to_string("/proc/self/stat").context("benchmarks need Linux's /proc")?;
    // the second field is the name in parentheses, which may hold spaces; utime and stime are the
    // 14th and 15th field
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok());
    let (user, system) =
        ticks(11).zip(ticks(12)).context("/proc/self/stat has no processor times")?;
    Ok((user + system) * 1000.0 / TICKS_PER_SECOND)
}

/// A process's resident memory now and at its peak, in MB (10^6 bytes).
pub(super) fn resident_mb(pid: u32) -> anyhow::Result<(f64, f64)> {
    let path = format!("/proc/{pid}/status");
    let status = std::fs::read_to_string(&path).with_context(|| path.clone())?;
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches(" kB").parse::<f64>().ok()
    };
    let (now, peak) =
        kib("VmRSS:").zip(kib("VmHWM:")).with_context(|| format!("{path} tells no memory"))?;
    Ok((now * 1024.0 / 1e6, peak * 1024.0 / 1e6))
}
