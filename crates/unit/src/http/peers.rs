//! How many connections one address has.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

/// An address, or all that begin with the same bits: `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// Networks as a setting lists them: separated by commas; `none` is no network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<Network>);

/// A text that is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no network such as 10.0.0.0/8")]
pub struct NoNetwork(String);

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let refuse = || NoNetwork(text.to_owned());
        let (address, bits) =
            text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| refuse())?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(all), |bits| bits.parse().map_err(|_| refuse()))?;
        if bits <= all { Ok(Self { address, bits }) } else { Err(refuse()) }
    }
}

impl FromStr for Networks {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        if text.trim() == "none" {
            return Ok(Self::default());
        }
        text.split(',').map(|network| network.trim().parse()).collect::<Result<_, _>>().map(Self)
    }
}

impl Networks {
    /// Whether one of them has this address.
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(address))
    }
}

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                same(u32::from(ours).into(), u32::from(theirs).into(), 32 - self.bits)
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                same(ours.into(), theirs.into(), 128 - self.bits)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// Whether two numbers are the same but for the last `free` bits.
fn same(left: u128, right: u128, free: u8) -> bool {
    (left ^ right).checked_shr(free.into()).unwrap_or(0) == 0
}

/// Counts connections by address; clones share the counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Peers {
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One connection's place; dropping it gives the place back.
#[derive(Debug)]
pub(super) struct PeerPlace {
    peers: Peers,
    key: IpAddr,
}

impl Peers {
    /// A place for one more connection from this address, unless it has `most` already.
    pub(super) fn enter(&self, address: IpAddr, most: usize) -> Option<PeerPlace> {
        let key = key(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(key).or_insert(0);
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(PeerPlace { peers: self.clone(), key })
    }
}

impl Drop for PeerPlace {
    fn drop(&mut self) {
        let mut open = self.peers.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut count) = open.entry(self.key) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// Who counts as one: whoever has an IPv6 address has its whole network of 64 bits.
fn key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_its_bound_and_gets_places_back() {
        let peers = Peers::default();
        let places: Vec<_> = (0..2).map(|_| peers.enter(ip("192.0.2.1"), 2).unwrap()).collect();
        assert!(peers.enter(ip("192.0.2.1"), 2).is_none());
        assert!(
            peers.enter(ip("::ffff:192.0.2.1"), 2).is_none(),
            "the same address by its IPv6 name"
        );
        assert!(peers.enter(ip("192.0.2.2"), 2).is_some());
        drop(places);
        assert!(peers.enter(ip("192.0.2.1"), 1).is_some());
        assert!(peers.open.lock().unwrap().is_empty(), "who has gone is forgotten");
    }

    #[test]
    fn an_ipv6_network_counts_as_one() {
        let peers = Peers::default();
        let _place = peers.enter(ip("2001:db8:0:1::1"), 1).unwrap();
        assert!(peers.enter(ip("2001:db8:0:1:ffff::2"), 1).is_none());
        assert!(peers.enter(ip("2001:db8:0:2::1"), 1).is_some());
    }

    #[test]
    fn networks() {
        let networks: Networks = "127.0.0.0/8, ::1,10.1.2.0/23, 2001:db8::/32".parse().unwrap();
        for inside in ["127.9.9.9", "::1", "10.1.3.255", "2001:db8:ffff::1", "::ffff:127.0.0.1"] {
            assert!(networks.contain(ip(inside)), "{inside}");
        }
        for outside in ["128.0.0.1", "::2", "10.1.4.0", "2001:db9::"] {
            assert!(!networks.contain(ip(outside)), "{outside}");
        }
        assert!(!"none".parse::<Networks>().unwrap().contain(ip("127.0.0.1")));
        assert!("0.0.0.0/0,::/0".parse::<Networks>().unwrap().contain(ip("2001:db8::1")));
        for bad in ["", "10.0.0.0/33", "::/129", "10.0.0.0/", "x", "10.0.0.0/8,", "10.0.0.0/-1"] {
            assert!(bad.parse::<Networks>().is_err(), "{bad}");
        }
    }
}
