//! How many files and sockets this process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a process without a limit is counted with: more than any unit needs.
const UNLIMITED: u64 = 1 << 20;
/// Left free for everything that is no client: the broker's connections and files, models, the
/// admin port.
const RESERVE: std::ops::RangeInclusive<u64> = 128..=1024;
/// A server with fewer places than this answers nobody in earnest.
const FEWEST: usize = 8;

/// Raises the soft limit of descriptors to the hard one. Shells and service managers start
/// processes with a soft limit of 1024 for the sake of old programs, which is less than the
/// connections that a unit takes.
pub fn raise_descriptor_limit() {
    let before = getrlimit(Resource::Nofile);
    if before.current == before.maximum {
        return;
    }
    let shown = |limit: Option<u64>| {
        limit.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string())
    };
    match setrlimit(Resource::Nofile, Rlimit { current: before.maximum, maximum: before.maximum }) {
        Ok(()) => tracing::debug!(
            from = shown(before.current),
            to = shown(before.maximum),
            "limit of open files raised"
        ),
        Err(error) => {
            tracing::warn!(%error, limit = shown(before.current), "the limit of open files cannot \
                be raised")
        }
    }
}

/// As many of the `wanted` connections as the limit of descriptors has room for; a WARN names the
/// numbers when it has not. `setting` is the variable that asks for them.
#[must_use]
pub fn connection_limit(wanted: usize, setting: &str) -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(UNLIMITED);
    // whoever started this process may have left it descriptors that it knows nothing of
    let open = std::fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64);
    let affordable = affordable(wanted, limit, open);
    if affordable < wanted {
        tracing::warn!(
            variable = setting,
            wanted,
            connections = affordable,
            open_files = limit,
            "fewer connections than set: the process may not open as many files; raise its hard \
             limit (ulimit -Hn, LimitNOFILE)"
        );
    }
    affordable
}

fn affordable(wanted: usize, limit: u64, open: u64) -> usize {
    let reserve = (limit / 4).clamp(*RESERVE.start(), *RESERVE.end());
    // what a unit itself has open by now is part of the reserve, and far below the half of it
    let foreign = open.saturating_sub(reserve / 2);
    let most =
        usize::try_from(limit.saturating_sub(reserve + foreign)).unwrap_or(usize::MAX).max(FEWEST);
    wanted.min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_the_rest() {
        for (limit, expected) in [
            (1_048_576, 4096),
            (20_000, 4096),
            (5000, 3976),
            (1024, 768),
            (256, 128),
            (100, 8),
            (0, 8),
        ] {
            assert_eq!(affordable(4096, limit, 40), expected, "{limit}");
        }
        assert_eq!(affordable(10, 100, 40), 8);
        assert_eq!(affordable(4, 1024, 40), 4, "never more than wanted");
        assert_eq!(affordable(4096, 400, 40), 272);
        assert_eq!(affordable(4096, 400, 164), 172, "a hundred were there before");
    }

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let hard = getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current: Some(512), maximum: hard }).unwrap();
        raise_descriptor_limit();
        assert_eq!(getrlimit(Resource::Nofile), Rlimit { current: hard, maximum: hard });
    }
}
