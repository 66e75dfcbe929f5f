//! Which addresses are private: they belong to this machine, its network, or nobody.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address is one that the public network does not lead to.
pub(super) fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => is_private_v6(address),
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let assigned = (a, b, c) == (192, 0, 0) || (a == 198 && (18..20).contains(&b));
    a == 0
        || a >= 240
        || shared
        || assigned
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let within = |high: u16, low: u16| {
        let [a, b, c, d] = [high >> 8, high & 255, low >> 8, low & 255].map(|byte| byte as u8);
        is_private_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // IPv4 in IPv6: mapped, compatible, translated (RFC 6052), 6to4.
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] => within(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => within(high, low),
        [0x2002, high, low, ..] => within(high, low),
        // The local use of RFC 8215.
        [0x64, 0xff9b, 1, ..] => true,
        // Unique local, link local, site local, multicast, documentation.
        [first, second, ..] => {
            (first & 0xfe00) == 0xfc00
                || (first & 0xff80) == 0xfe80
                || (first & 0xff00) == 0xff00
                || (first, second) == (0x2001, 0xdb8)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_known_in_every_form() {
        let private = "127.0.0.1 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 0.0.0.0 100.64.0.1 198.18.0.1 224.0.0.1 \
                       255.255.255.255 ::1 :: fe80::1 fec0::1 fc00::1 fd00:ec2::254 ff02::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::7f00:1 \
                       64:ff9b::a00:1 64:ff9b:1::1 2002:7f00:1::1";
        for address in private.split_whitespace() {
            assert!(is_private(address.parse().unwrap()), "{address}");
        }
        for address in
            "8.8.8.8 172.32.0.1 100.128.0.1 198.20.0.1 2606:4700::1 ::ffff:8.8.8.8 64:ff9b::808:808".split_whitespace()
        {
            assert!(!is_private(address.parse().unwrap()), "{address}");
        }
    }
}
