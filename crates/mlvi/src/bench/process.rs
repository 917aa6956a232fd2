//! What the kernel says of a process: processor time and memory (Linux's /proc).

use anyhow::Context;
use std::collections::HashMap;

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

/// The threads of this process by their id: the name of each, and the processor time that it has
/// used, in milliseconds.
pub(super) type ThreadTimes = HashMap<u64, (String, f64)>;

/// What each thread of this process has used so far.
pub(super) fn thread_times() -> anyhow::Result<ThreadTimes> {
    let mut times = ThreadTimes::new();
    for thread in std::fs::read_dir("/proc/self/task").context("benchmarks need Linux's /proc")? {
        let thread = thread?;
        let read = |file: &str| std::fs::read_to_string(thread.path().join(file));
        // a thread that has just ended is not missed
        let (Ok(name), Ok(schedule)) = (read("comm"), read("schedstat")) else { continue };
        let nanoseconds = schedule.split_whitespace().next().and_then(|first| first.parse().ok());
        let id = thread.file_name().to_str().and_then(|id| id.parse().ok());
        let (id, nanoseconds): (u64, f64) =
            id.zip(nanoseconds).context("the kernel tells no times of threads")?;
        times.insert(id, (name.trim().to_owned(), nanoseconds / 1e6));
    }
    Ok(times)
}
