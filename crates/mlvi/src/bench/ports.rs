//! Ports for what is started a moment later.

use anyhow::Context;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// Where the system tells which ports it gives to outgoing connections.
const RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";
/// What Linux has unless it is told otherwise.
const FIRST_EPHEMERAL: u16 = 32_768;
/// Below are the ports that services have by name.
const FIRST: u16 = 10_000;

/// A port of the loopback interface that is free now. It lies below those that the system gives to
/// outgoing connections, so that none of them takes it before it is bound again.
///
/// # Errors
/// When there is none.
pub(super) fn free_port() -> anyhow::Result<SocketAddr> {
    let range = std::fs::read_to_string(RANGE).unwrap_or_default();
    let end = first_ephemeral(&range);
    let count = end.saturating_sub(FIRST);
    anyhow::ensure!(count > 0, "outgoing connections may use every port from {FIRST} on ({RANGE})");
    // processes that look at the same time begin at different places
    let begin = std::process::id().wrapping_mul(7919) % u32::from(count);
    (0..count)
        .map(|step| FIRST + ((begin + u32::from(step)) % u32::from(count)) as u16)
        .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .find(|address| TcpListener::bind(address).is_ok())
        .with_context(|| format!("no port from {FIRST} to {} is free", end - 1))
}

fn first_ephemeral(range: &str) -> u16 {
    let first = range.split_whitespace().next().and_then(|first| first.parse().ok());
    first.unwrap_or(FIRST_EPHEMERAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_is_none_that_the_system_gives_away() {
        assert_eq!(first_ephemeral("20000\t60999\n"), 20_000);
        assert_eq!(first_ephemeral(""), FIRST_EPHEMERAL);
        let port = free_port().unwrap();
        let given = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        assert!(port.port() >= FIRST && port.port() < given.port(), "{port} and {given}");
        let taken = TcpListener::bind(port).unwrap();
        assert_ne!(free_port().unwrap(), port);
        drop(taken);
    }
}
