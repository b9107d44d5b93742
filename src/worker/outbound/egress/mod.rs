//! Where steps may call to. A definition is data that many may write, and a worker stands inside
//! the network: so addresses that are not public are refused unless the settings allow them, and the metadata
//! services of clouds always.
//!
//! Names are resolved here and the connection goes to the very addresses that were checked, so a
//! name that changes its mind between check and connection gains nothing.

mod special;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// An address or scheme that steps may not call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

/// Checks what of a URL can be checked without a look at the network.
pub(crate) fn check(url: &Url, allow_private: bool) -> Result<(), Refused> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Refused(format!(
            "`{}` URLs are not called, only http and https",
            url.scheme()
        )));
    }
    let address = match url.host() {
        None => return Err(Refused("the URL names no host".to_owned())),
        Some(Host::Domain(_)) => return Ok(()),
        Some(Host::Ipv4(v4)) => IpAddr::V4(v4),
        Some(Host::Ipv6(v6)) => IpAddr::V6(v6),
    };
    if may_be_called(address, allow_private) {
        return Ok(());
    }
    Err(refusal(&address.to_string(), allow_private))
}

/// Resolves names to addresses that may be called only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checked {
    pub(crate) allow_private: bool,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let may: Vec<SocketAddr> = found
                .filter(|address| may_be_called(address.ip(), allow_private))
                .collect();
            if may.is_empty() {
                return Err(refusal(name.as_str(), allow_private).into());
            }
            Ok(Box::new(may.into_iter()) as Addrs)
        })
    }
}

fn refusal(what: &str, allow_private: bool) -> Refused {
    Refused(if allow_private {
        format!(
            "{what} is a metadata service of a cloud, which gives credentials to whoever asks; workers never call it"
        )
    } else {
        format!(
            "{what} is not a public address; workers call such only with allow_private_networks"
        )
    })
}

fn may_be_called(address: IpAddr, allow_private: bool) -> bool {
    if allow_private {
        !special::is_metadata(plain(address))
    } else {
        is_public(address)
    }
}

/// Returns the IPv4 address that an IPv6 address leads to, or the address itself.
fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v4_within(v6).map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// Says whether an address belongs to the public internet.
fn is_public(address: IpAddr) -> bool {
    let plain = plain(address);
    let given_out = match plain {
        IpAddr::V4(_) => true,
        // Only 2000::/3 is given out as public; that leaves out ::, ::1, fc00::/7, fe80::/10, ff00::/8.
        IpAddr::V6(v6) => v6.segments()[0] & 0xe000 == 0x2000,
    };
    given_out && !special::is_special(plain) && !special::is_special(address)
}

/// Returns the IPv4 address that an IPv6 address leads to: mapped, compatible, NAT64, 6to4, Teredo.
fn v4_within(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = v6.segments();
    let low = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    match segments {
        [0, 0, 0, 0, 0, 0 | 0xffff, g, h] if (g, h) > (0, 1) => Some(low(g, h)),
        [0x64, 0xff9b, 0, 0, 0, 0, g, h] => Some(low(g, h)),
        // Local-use NAT64: whatever it leads to, it is not public.
        [0x64, 0xff9b, 1, ..] => Some(Ipv4Addr::LOCALHOST),
        [0x2002, b, c, ..] => Some(low(b, c)),
        [0x2001, 0, _, _, _, _, g, h] => Some(low(!g, !h)),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn refused(url: &str) -> bool {
        check(&Url::parse(url).unwrap(), false).is_err()
    }

    #[test]
    fn addresses_that_are_not_public_are_refused() {
        for url in [
            "http://127.0.0.1/",
            "http://127.9.9.9:8080/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0.0.0.0/",
            "http://10.1.2.3/",
            "http://172.16.0.1/",
            "http://192.168.1.1/",
            "http://169.254.169.254/latest/meta-data",
            "http://100.64.0.1/",
            "http://192.0.0.8/",
            "http://198.18.0.1/",
            "http://224.0.0.1/",
            "http://255.255.255.255/",
            "http://[::1]/",
            "http://[::]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:169.254.169.254]/",
            "http://[::10.0.0.1]/",
            "http://[64:ff9b::10.0.0.1]/",
            "http://[64:ff9b:1::1]/",
            "http://[2002:7f00:1::]/",
            "http://[2001:0:1:2:3:4:80ff:fffe]/",
            "http://[fe80::1]/",
            "http://[fd00::1]/",
            "http://[ff02::1]/",
            "http://[2001:db8::1]/",
            "http://[2001:2::1]/",
            "http://[2001:1ff::1]/",
            "http://[2002:5db8:d70e::1]/",
            "http://[3fff:0fff::1]/",
            "http://168.63.129.16/",
            "http://[::ffff:168.63.129.16]/",
            "http://[64:ff9b::168.63.129.16]/",
            "http://192.88.99.1/",
            "http://203.0.113.9/",
        ] {
            assert!(refused(url), "{url} must be refused");
        }
    }

    #[test]
    fn public_addresses_and_names_pass() {
        for url in [
            "https://93.184.215.14/",
            "https://172.32.0.1/",
            "https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/",
            "https://[::ffff:93.184.215.14]/",
            "https://agents.example/score",
            "https://168.63.129.17/",
            "https://[2001:200::1]/",
            "https://[3fff:1000::1]/",
        ] {
            assert!(!refused(url), "{url} must pass");
        }
    }

    #[test]
    fn private_addresses_pass_where_they_are_allowed_but_other_schemes_never() {
        assert!(check(&Url::parse("http://127.0.0.1:9000/").unwrap(), true).is_ok());
        assert!(check(&Url::parse("file:///etc/passwd").unwrap(), true).is_err());
        assert!(check(&Url::parse("ftp://198.51.100.7/").unwrap(), true).is_err());
    }

    #[test]
    fn metadata_services_are_never_called() {
        for url in [
            "http://169.254.169.254/",
            "http://169.254.170.2/",
            "http://168.63.129.16/",
            "http://100.100.100.200/",
            "http://[fd00:ec2::254]/",
            "http://[::ffff:169.254.169.254]/",
            "http://[fe80::1]/",
        ] {
            assert!(check(&Url::parse(url).unwrap(), true).is_err(), "{url}");
        }
        assert!(check(&Url::parse("http://10.0.0.1/").unwrap(), true).is_ok());
    }

    #[tokio::test]
    async fn a_name_that_leads_to_a_private_address_is_refused() {
        let answer = Checked {
            allow_private: false,
        }
        .resolve("localhost".parse().unwrap())
        .await;
        let error = answer.err().unwrap();
        assert!(error.downcast_ref::<Refused>().is_some(), "{error}");
    }
}
