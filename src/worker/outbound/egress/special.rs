//! Blocks of addresses that are not the public internet, and those of the clouds' metadata services.
//!
//! From IANA's registries of special-purpose addresses for IPv4 and IPv6 (RFC 6890), multicast and reserved blocks, as of
//! 2026-12-01: every block that is not "globally reachable", and those deprecated. Of IPv6 only 2000::/3 is
//! given out, so its blocks within that are listed, and all else is not public anyway.

use std::net::IpAddr;
use std::sync::LazyLock;

use ipnet::IpNet;

const NOT_PUBLIC: &[&str] = &[
    "0.0.0.0/8",       // this network
    "10.0.0.0/8",      // private use
    "100.64.0.0/10",   // shared by carriers
    "127.0.0.0/8",     // loopback
    "169.254.0.0/16",  // link-local
    "172.16.0.0/12",   // private use
    "192.0.0.0/24",    // protocol assignments
    "192.0.2.0/24",    // documentation
    "192.88.99.0/24",  // 6to4 relays, deprecated
    "192.168.0.0/16",  // private use
    "198.18.0.0/15",   // benchmarks
    "198.51.100.0/24", // documentation
    "203.0.113.0/24",  // documentation
    "224.0.0.0/4",     // multicast
    "240.0.0.0/4",     // reserved, and broadcast
    "2001::/23",       // protocol assignments: Teredo, benchmarks, ORCHID
    "2001:db8::/32",   // documentation
    "2002::/16",       // 6to4, deprecated
    "3fff::/20",       // documentation
];

/// Services that give a machine's credentials to whoever asks from it. Named by their clouds' documentation: AWS, Google, Azure,
/// Oracle and others by link-local addresses and these. No step has a reason to call one, also where private
/// networks are allowed.
pub(super) const METADATA: &[&str] = &[
    "169.254.0.0/16", // AWS, Google, Azure, Oracle, DigitalOcean; ECS: 169.254.170.2, 169.254.170.23
    "168.63.129.16/32", // Azure WireServer
    "100.100.100.200/32", // Alibaba
    "192.0.0.192/32", // Oracle, classic
    "fe80::/10",      // whatever is link-local
    "fd00:ec2::/32",  // AWS over IPv6: fd00:ec2::254, fd00:ec2::23
    "fd20:ce::254/128", // Google over IPv6
];

static BLOCKS: LazyLock<[Vec<IpNet>; 2]> = LazyLock::new(|| {
    [NOT_PUBLIC, METADATA].map(|blocks| blocks.iter().filter_map(|b| b.parse().ok()).collect())
});

pub(super) fn is_special(address: IpAddr) -> bool {
    BLOCKS[0].iter().any(|block| block.contains(&address)) || is_metadata(address)
}

pub(super) fn is_metadata(address: IpAddr) -> bool {
    BLOCKS[1].iter().any(|block| block.contains(&address))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn every_block_is_read() {
        assert_eq!(
            [NOT_PUBLIC.len(), METADATA.len()],
            [BLOCKS[0].len(), BLOCKS[1].len()]
        );
    }

    /// The policy of pods is the wall behind ours.
    #[test]
    fn pods_reach_no_metadata_service() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/k8s/base/network.yaml");
        let text = std::fs::read_to_string(file).unwrap();
        let excepts: Vec<_> = text.lines().filter(|l| l.contains("except:")).collect();
        assert!(!excepts.is_empty());
        for line in excepts {
            for block in METADATA {
                let has_its_family = line.contains("fe80") == block.contains(':');
                assert!(
                    !has_its_family || line.contains(block),
                    "{block} is open: {line}"
                );
            }
        }
    }
}
