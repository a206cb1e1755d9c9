//! Addresses that a name must not lead to.
//!
//! Who owns a listed name decides where it points, and may point it at the machine itself, at its network, or at the service
//! that hands out a cloud machine's credentials.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Why a name may not lead to this address; none when it may.
pub(super) fn refused(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => version_4(address),
        IpAddr::V6(address) => version_6(address),
    }
    .or_else(|| own(address).then_some("an address of this machine"))
}

/// The address that a connection really goes to: the kernel takes one form of version 6 for version 4.
pub(super) fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

fn version_4(address: Ipv4Addr) -> Option<&'static str> {
    Some(match address.octets() {
        [127, ..] => "a loopback address",
        [169, 254, ..] => "a link-local address, such as that of a cloud's metadata",
        [168, 63, 129, 16] => "the address at which a cloud serves its machines",
        [10, ..] | [192, 168, ..] | [172, 16..=31, ..] | [100, 64..=127, ..] => "a private address",
        [224..=239, ..] => "a multicast address",
        [0, ..] | [240..=255, ..] => "an address of no host",
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 18..=19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => {
            "an address for special use"
        }
        _ => return None,
    })
}

fn version_6(address: Ipv6Addr) -> Option<&'static str> {
    Some(match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => "a loopback address",
        [0xfe80..=0xfebf, ..] => "a link-local address",
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => "a private address",
        [0xff00..=0xffff, ..] => "a multicast address",
        // Each of these holds an address of version 4, which a translator on the way may take out again.
        [0, ..] | [0x64, 0xff9b, ..] | [0x2002, ..] | [0x2001, 0, ..] => "an address that stands for another",
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, ..] => "an address for special use",
        [0x2000..=0x3fff, ..] => return None,
        _ => "an address of no host",
    })
}

/// Whether it is one of this machine's. No packet is sent for it.
fn own(address: IpAddr) -> bool {
    const DOCUMENTATION_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    let (any, nobodys): (IpAddr, IpAddr) = match address {
        IpAddr::V4(_) => (Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into()),
        IpAddr::V6(_) => (Ipv6Addr::UNSPECIFIED.into(), DOCUMENTATION_6.into()),
    };
    let bound = |address| UdpSocket::bind(SocketAddr::new(address, 0));
    // The kernel picks the address that a connection would come from, which for its own is mostly the same one.
    let from = bound(any).and_then(|socket| {
        socket.connect(SocketAddr::new(address, 9))?;
        socket.local_addr()
    });
    // For the rest of them: only its own can be bound, unless it is set up to bind any.
    from.is_ok_and(|from| from.ip() == address) || bound(address).is_ok() && bound(nobodys).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_not_a_public_host_is_refused() {
        let refused_ones = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:8.8.8.8",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:1::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
        ];
        for text in refused_ones {
            assert!(refused(text.parse().unwrap()).is_some(), "{text}");
        }
        for text in
            ["1.1.1.1", "8.8.8.8", "100.63.0.1", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.0.1.1", "198.20.0.1"]
        {
            assert_eq!(version_4(text.parse().unwrap()), None, "{text}");
        }
        for text in ["2606:4700::1111", "2001:4860:4860::8888", "2a00::1", "2001:200::1"] {
            assert_eq!(version_6(text.parse().unwrap()), None, "{text}");
        }
    }

    #[test]
    fn the_machines_own_address_is_known_by_asking_the_kernel() {
        assert!(own("127.0.0.1".parse().unwrap()));
        assert!(own("127.9.9.9".parse().unwrap()));
        assert!(!own("192.0.2.77".parse().unwrap()));
        assert_eq!(canonical("::ffff:10.0.0.1".parse().unwrap()), "10.0.0.1".parse::<IpAddr>().unwrap());
    }
}
