//! The names by which clients call a server, and those that it answers to.

use std::net::IpAddr;
use std::sync::Arc;

use http::header::HOST;
use http::uri::Authority;
use salvo::Request;
use url::Url;

/// The longest name in DNS (RFC 1035, 3.1); a longer one is not shown.
const NAME_MAX: usize = 253;

/// Names that a server answers to beside addresses and `localhost`. An address is nobody's name: a page that is
/// called by one was served from there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts(Arc<[Box<str>]>);

impl Hosts {
    /// Takes names as they stand in a URL, without scheme and port.
    ///
    /// # Errors
    /// The first that is not a name.
    pub fn new(names: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let checked = names.into_iter().map(|name| {
            let known = name.parse::<Authority>().is_ok_and(|it| it.host() == name);
            if known && name.len() <= NAME_MAX {
                Ok(plain(&name).into())
            } else {
                Err(name)
            }
        });
        Ok(Self(checked.collect::<Result<_, _>>()?))
    }

    pub(super) fn have(&self, host: &Host) -> bool {
        let name = plain(host.0.host());
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        bare.parse::<IpAddr>().is_ok()
            || name == "localhost"
            || name.ends_with(".localhost")
            || self.0.iter().any(|known| **known == name)
    }
}

/// As two names are compared: case and the root's dot say nothing.
fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// Whom a request is for.
#[derive(Debug)]
pub(super) struct Host(Authority);

impl Host {
    /// Reads it. HTTP/2 has it in its target; a target with one wins over the header in HTTP/1.1 as well (RFC 9112,
    /// 3.2.2), where both must then be the same.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(super) fn of(req: &Request) -> Result<Option<Self>, String> {
        let mut named = req.headers().get_all(HOST).iter();
        let header = named.next();
        if named.next().is_some() {
            return Err("The header Host is given twice.".to_owned());
        }
        let header = header
            .map(|value| {
                let text = value.to_str().ok();
                let read = text.and_then(|text| text.parse::<Authority>().ok());
                read.filter(|host| !host.as_str().contains('@'))
                    .ok_or_else(|| "The header Host cannot be read.".to_owned())
            })
            .transpose()?;
        match (req.uri().authority().cloned(), header) {
            (Some(target), Some(header)) if target != header => {
                Err("The header Host is not the host of the target.".to_owned())
            }
            (target, header) => Ok(target.or(header).map(Self)),
        }
    }

    /// Says whether pages of this origin come from here. The port counts, where it is not the scheme's own.
    pub(super) fn is_of(&self, origin: &Url) -> bool {
        let own = match origin.scheme() {
            "https" => Some(443),
            _ => Some(80),
        };
        let port = self.0.port_u16().filter(|port| Some(*port) != own);
        origin
            .host_str()
            .is_some_and(|name| plain(name) == plain(self.0.host()))
            && origin.port() == port
    }

    pub(super) fn shown(&self) -> &str {
        let name = self.0.host();
        name.get(..NAME_MAX).unwrap_or(name)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;

    fn host(text: &str) -> Host {
        Host(text.parse().unwrap())
    }

    #[test]
    fn addresses_localhost_and_given_names_are_known() {
        let hosts = Hosts::new(["Stepwell.internal".to_owned()]).unwrap();
        for known in [
            "localhost",
            "LOCALHOST:8080",
            "a.localhost",
            "127.0.0.1:8080",
            "10.1.2.3",
            "[::1]:8080",
            "stepwell.internal.",
            "stepwell.internal:8080",
        ] {
            assert!(hosts.have(&host(known)), "{known}");
        }
        for strange in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "xlocalhost",
            "a.stepwell.internal",
        ] {
            assert!(!hosts.have(&host(strange)), "{strange}");
        }
    }

    #[test]
    fn a_name_has_neither_scheme_nor_port() {
        for wrong in ["http://a", "a:80", "a/b", "", "u@a", "*.a b"] {
            assert_eq!(
                Hosts::new([wrong.to_owned()]),
                Err(wrong.to_owned()),
                "{wrong}"
            );
        }
    }

    #[test]
    fn an_origin_is_compared_with_its_port() {
        let of = |name: &str, origin: &str| host(name).is_of(&origin.parse().unwrap());
        assert!(of("a:8080", "http://a:8080"));
        assert!(of("a", "https://A"));
        assert!(of("a:443", "https://a"));
        assert!(!of("a:8080", "http://a:8081"));
        assert!(!of("a:8080", "http://a"));
        assert!(!of("a", "http://b"));
    }
}
