//! A TCP port that nobody else takes before it is bound, or bound again.
//!
//! Binding port 0, noting the number and binding it once more later fails now and then: the number
//! is one of those that the system gives to outgoing connections, so that any client on the machine
//! may have got it meanwhile. A client that asks for a server on such a port may even be connected
//! to itself.

use std::io::{Error, ErrorKind, Result};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::ops::Range;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below what systems give to outgoing connections (Linux: from 32768 on, others: from 49152 on),
/// and above the ports that services are known by.
const RANGE: Range<u16> = 21_000..32_000;

/// How many ports this process has asked for: the next search begins behind them.
static ASKED: AtomicU16 = AtomicU16::new(0);

/// A port that is free for whoever is told of it, in this process or in another one.
///
/// As long as this exists, no other one has the same number, on the whole machine: it holds the UDP
/// port of that number as a mark. A TCP server may come, go and come again meanwhile. The mark
/// keeps out only those who reserve their ports too.
#[derive(Debug)]
pub struct ReservedPort {
    address: SocketAddr,
    _mark: UdpSocket,
}

impl ReservedPort {
    /// One of the loopback interface.
    ///
    /// # Errors
    /// When none is free.
    pub fn loopback() -> Result<Self> {
        Self::on(Ipv4Addr::LOCALHOST.into())
    }

    /// One of this address of the machine.
    ///
    /// # Errors
    /// When none is free, or the address is none of this machine's.
    pub fn on(ip: IpAddr) -> Result<Self> {
        let count = RANGE.end - RANGE.start;
        // processes begin at different places, so that they seldom meet
        let process = std::process::id().wrapping_mul(97) % u32::from(count);
        let asked = ASKED.fetch_add(1, Ordering::Relaxed) % count;
        let begin = u16::try_from(process).unwrap_or_default() + asked;
        for step in 0..count {
            let port = RANGE.start + (begin + step) % count;
            match Self::at(SocketAddr::from((ip, port))) {
                // taken, or not for everybody
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::AddrInUse | ErrorKind::PermissionDenied
                    ) => {}
                outcome => return outcome,
            }
        }
        Err(Error::new(ErrorKind::AddrInUse, format!("no port of {ip} in {RANGE:?} is free")))
    }

    fn at(address: SocketAddr) -> Result<Self> {
        let mark = UdpSocket::bind(address)?;
        // whoever listens there has not reserved it
        TcpListener::bind(address)?;
        Ok(Self { address, _mark: mark })
    }

    /// Where to listen.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_is_free_and_nobody_elses_and_no_client_gets_it() {
        let reserved: Vec<_> = (0..64).map(|_| ReservedPort::loopback().unwrap()).collect();
        let ports: HashSet<u16> = reserved.iter().map(|one| one.address().port()).collect();
        assert_eq!(ports.len(), reserved.len());
        assert!(ports.iter().all(|port| RANGE.contains(port)), "{ports:?}");
        let listener = TcpListener::bind(reserved[0].address()).unwrap();
        drop(listener);
        TcpListener::bind(reserved[0].address()).expect("again");
    }

    #[test]
    fn threads_get_different_ones() {
        let get = || (0..32).map(|_| ReservedPort::loopback().unwrap()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(get)).collect();
        let all: Vec<_> = threads.into_iter().flat_map(|one| one.join().unwrap()).collect();
        let ports: HashSet<u16> = all.iter().map(|one| one.address().port()).collect();
        assert_eq!(ports.len(), 4 * 32);
    }

    #[test]
    fn one_that_is_reserved_or_listened_on_is_passed_over() {
        let reserved = ReservedPort::loopback().unwrap();
        let refused = ReservedPort::at(reserved.address()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::AddrInUse, "as another process sees it");
        let address = reserved.address();
        drop(reserved);
        let listener = TcpListener::bind(address).unwrap();
        assert_eq!(ReservedPort::at(address).unwrap_err().kind(), ErrorKind::AddrInUse);
        drop(listener);
        ReservedPort::at(address).unwrap();
    }

    #[test]
    fn an_address_of_another_machine_is_an_error_at_once() {
        // TEST-NET-1 of RFC 5737: nobody's
        let error = ReservedPort::on(Ipv4Addr::new(192, 0, 2, 1).into()).unwrap_err();
        assert_ne!(error.kind(), ErrorKind::AddrInUse);
    }
}
