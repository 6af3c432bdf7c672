//! How many connections each address has open, so that one stranger does not take them all.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The connections of each address beyond this machine. Proxies, tunnels and the people of this machine come from
/// loopback, which is therefore not counted: the limit on all connections holds for it.
#[derive(Debug)]
pub(super) struct Peers {
    most: usize,
    open: Mutex<HashMap<Peer, usize>>,
}

/// Who is counted together: an IPv4 address, or the 64 bits that one IPv6 site has (RFC 6177).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Peer {
    V4(Ipv4Addr),
    V6(u128),
}

/// One connection of an address, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    peer: Option<Peer>,
    peers: Arc<Peers>,
}

impl Peers {
    /// Allows each address so many.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            open: Mutex::default(),
        })
    }

    /// A place for one more connection of this address, if it may have one.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let peer = Peer::of(address);
        if let Some(peer) = peer {
            let mut open = self.lock();
            let count = open.entry(peer).or_default();
            if *count >= self.most {
                return None;
            }
            *count += 1;
        }
        let peers = Arc::clone(self);
        Some(Place { peer, peers })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Peer, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(peer) = self.peer else { return };
        let mut open = self.peers.lock();
        if let Some(count) = open.get_mut(&peer) {
            *count -= 1;
            if *count == 0 {
                open.remove(&peer);
            }
        }
    }
}

impl Peer {
    fn of(address: IpAddr) -> Option<Self> {
        match address.to_canonical() {
            address if address.is_loopback() => None,
            IpAddr::V4(address) => Some(Self::V4(address)),
            IpAddr::V6(address) => Some(Self::V6(address.to_bits() >> 64)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_its_places_and_gives_them_back() {
        let peers = Peers::new(2);
        let first = peers.admit(ip("192.168.1.20")).unwrap();
        let _second = peers.admit(ip("::ffff:192.168.1.20")).unwrap();
        assert!(peers.admit(ip("192.168.1.20")).is_none());
        assert!(peers.admit(ip("192.168.1.21")).is_some());
        drop(first);
        assert!(peers.admit(ip("192.168.1.20")).is_some());
    }

    #[test]
    fn an_ipv6_site_is_one_address() {
        let peers = Peers::new(1);
        let _place = peers.admit(ip("2001:db8::1")).unwrap();
        assert!(peers.admit(ip("2001:db8::2")).is_none());
        assert!(peers.admit(ip("2001:db8:0:1::2")).is_some());
    }

    #[test]
    fn loopback_is_not_counted() {
        let peers = Peers::new(1);
        let places = ["127.0.0.1", "127.0.0.1", "::1", "::1"].map(|text| peers.admit(ip(text)));
        assert!(places.iter().all(Option::is_some));
        assert!(peers.lock().is_empty());
    }
}
