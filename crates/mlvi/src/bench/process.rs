//! What the kernel says of processes and the machine: processor time and memory (Linux's /proc).

use anyhow::Context;
use std::collections::HashMap;
use std::path::Path;

/// The kernel's clock ticks per second as /proc counts them: 100 on every Linux that matters
/// (USER_HZ).
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor time that this process has used so far, in milliseconds.
pub(super) fn cpu_ms() -> anyhow::Result<f64> {
    let times = ProcessTimes::read(Path::new("/proc/self/stat"))?;
    Ok(times.own_ms)
}

/// Processor time that another process has used so far, in milliseconds.
pub(super) fn cpu_ms_of(pid: u32) -> anyhow::Result<f64> {
    Ok(ProcessTimes::read(Path::new(&format!("/proc/{pid}/stat")))?.own_ms)
}

/// Processor time that the calling thread has used so far, in milliseconds.
pub(super) fn thread_cpu_ms() -> anyhow::Result<f64> {
    let path = "/proc/thread-self/schedstat";
    let text = std::fs::read_to_string(path).context(path)?;
    let nanoseconds: f64 = text
        .split_whitespace()
        .next()
        .and_then(|field| field.parse().ok())
        .with_context(|| format!("{path} has no time"))?;
    Ok(nanoseconds / 1e6)
}

/// What a process has used so far, in milliseconds.
pub(super) struct ProcessTimes {
    pub(super) own_ms: f64,
    /// Of children that have ended and were waited for.
    pub(super) children_ms: f64,
}

impl ProcessTimes {
    /// Of this process.
    pub(super) fn of_self() -> anyhow::Result<Self> {
        Self::read(Path::new("/proc/self/stat"))
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        let stat = std::fs::read_to_string(path)
            .with_context(|| format!("{}: benchmarks need Linux's /proc", path.display()))?;
        Self::parse(&stat).with_context(|| format!("{} has no processor times", path.display()))
    }

    fn parse(stat: &str) -> Option<Self> {
        // the second field is the name in parentheses, which may hold spaces; utime, stime, cutime
        // and cstime are the 14th to 17th field
        let (_, after_name) = stat.rsplit_once(')')?;
        let mut ticks = after_name.split_whitespace().skip(11).map(str::parse::<f64>);
        let mut next = || ticks.next()?.ok().map(|ticks| ticks * 1000.0 / TICKS_PER_SECOND);
        let own_ms = next()? + next()?;
        Some(Self { own_ms, children_ms: next()? + next()? })
    }
}

/// What all processors together have done since the machine was started, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct MachineTimes {
    /// Not idle.
    pub(super) busy_ms: f64,
    /// Given to another virtual machine.
    pub(super) stolen_ms: f64,
}

impl MachineTimes {
    pub(super) fn now() -> anyhow::Result<Self> {
        let path = "/proc/stat";
        let stat = std::fs::read_to_string(path).context(path)?;
        Self::parse(&stat).with_context(|| format!("{path} has no processor times"))
    }

    fn parse(stat: &str) -> Option<Self> {
        // user, nice, system, idle, iowait, irq, softirq, steal; what guests use is within user
        let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
        let ticks: Vec<f64> =
            line.split_whitespace().map_while(|field| field.parse().ok()).collect();
        let &[user, nice, system, _, _, irq, softirq, steal, ..] = &ticks[..] else { return None };
        let ms = |ticks: f64| ticks * 1000.0 / TICKS_PER_SECOND;
        Some(Self { busy_ms: ms(user + nice + system + irq + softirq), stolen_ms: ms(steal) })
    }
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
    thread_times_of("self")
}

/// The same of another process, by its id.
pub(super) fn thread_times_of(process: &str) -> anyhow::Result<ThreadTimes> {
    let mut times = ThreadTimes::new();
    let folder = format!("/proc/{process}/task");
    for thread in std::fs::read_dir(folder).context("benchmarks need Linux's /proc")? {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_behind_any_name() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 20 10 20 0 4 0 99 1 2";
        let times = ProcessTimes::parse(stat).unwrap();
        assert_eq!((times.own_ms, times.children_ms), (2000.0, 300.0));
        assert!(ProcessTimes::parse("7 (a) S 1").is_none());
        let stat = "cpu  100 10 20 900 5 1 2 30 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n";
        let times = MachineTimes::parse(stat).unwrap();
        assert_eq!((times.busy_ms, times.stolen_ms), (1330.0, 300.0));
        assert!(MachineTimes::parse("cpu  1 2 3\n").is_none());
    }

    #[test]
    fn time_goes_by_for_who_works() {
        let before = (cpu_ms().unwrap(), thread_cpu_ms().unwrap(), MachineTimes::now().unwrap());
        let mut number = 1u64;
        while thread_cpu_ms().unwrap() < before.1 + 30.0 {
            number = std::hint::black_box(number.wrapping_mul(3));
        }
        assert!(cpu_ms().unwrap() > before.0);
        assert!(MachineTimes::now().unwrap().busy_ms > before.2.busy_ms);
        assert!(cpu_ms_of(std::process::id()).unwrap() > before.0);
    }
}
