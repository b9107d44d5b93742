//! `[server]`: where the API listens.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::Deserialize;
use stepwell_web::Hosts;

use super::Mistake;

const PORT_DEFAULT: u16 = 8080;
const GRPC_PORT_DEFAULT: u16 = 50_051;

/// Flags, variables and keys.
#[derive(Clone, Debug, Default, clap::Args, Deserialize)]
#[group(skip)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Layer {
    /// The address to listen on [default: 127.0.0.1].
    #[arg(long, env = "STEPWELL_HTTP_HOST", value_name = "IP")]
    pub(crate) host: Option<IpAddr>,
    /// The port to listen on [default: 8080]; 0 takes a free one.
    #[arg(long, env = "STEPWELL_HTTP_PORT", value_name = "PORT")]
    pub(crate) port: Option<u16>,
    /// The port to listen on for gRPC, at the same address [default: 50051]; 0 takes a free one.
    #[arg(long, env = "STEPWELL_GRPC_PORT", value_name = "PORT")]
    pub(crate) grpc_port: Option<u16>,
    /// Listen beyond loopback although nobody is asked who they are (without `--auth keys`).
    #[arg(long, env = "STEPWELL_INSECURE", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub(crate) insecure: Option<bool>,
    /// A name by which clients call this server, beside addresses and localhost; may be given more than once. Where
    /// nobody is asked who they are (without `--auth keys`), requests for other names are refused, as pages of
    /// any site can have such a name lead here.
    #[arg(
        long = "allowed-host",
        env = "STEPWELL_ALLOWED_HOSTS",
        value_name = "NAME",
        value_delimiter = ','
    )]
    pub(crate) allowed_hosts: Option<Vec<String>>,
}

impl Layer {
    pub(crate) fn over(self, lower: Self) -> Self {
        Self {
            host: self.host.or(lower.host),
            port: self.port.or(lower.port),
            grpc_port: self.grpc_port.or(lower.grpc_port),
            insecure: self.insecure.or(lower.insecure),
            allowed_hosts: self.allowed_hosts.or(lower.allowed_hosts),
        }
    }

    /// Checks the values and fills in the defaults.
    ///
    /// # Errors
    /// An address beyond loopback where nobody is asked (`open`), without `insecure`; a host that is not a name.
    pub(crate) fn resolve(self, open: bool) -> Result<Server, Mistake> {
        let host = self.host.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        if open && !host.is_loopback() && !self.insecure.unwrap_or(false) {
            return Err(Mistake::new(format!(
                "refusing to listen on {host}: nobody is asked who they are, so whoever reaches the \
                 port can start, read and cancel every run. Ask for keys (--auth keys, and `stepwell \
                 key create`), listen on 127.0.0.1 behind a proxy that authenticates, or say \
                 --insecure if the network is trusted"
            )));
        }
        let names = self.allowed_hosts.unwrap_or_default();
        let hosts = Hosts::new(names).map_err(|name| {
            Mistake::new(format!(
                "--allowed-host {name:?} is not a name: give it as in stepwell.example.com, without scheme and port"
            ))
        })?;
        Ok(Server {
            hosts,
            address: SocketAddr::new(host, self.port.unwrap_or(PORT_DEFAULT)),
            grpc: SocketAddr::new(host, self.grpc_port.unwrap_or(GRPC_PORT_DEFAULT)),
        })
    }
}

/// The settings in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) hosts: Hosts,
    pub(crate) address: SocketAddr,
    pub(crate) grpc: SocketAddr,
}

#[cfg(test)]
mod tests {
    use super::Layer;

    #[test]
    fn a_flag_wins_over_the_file() {
        let flags = Layer {
            port: Some(1),
            ..Layer::default()
        };
        let file = Layer {
            port: Some(2),
            host: "127.0.0.2".parse().ok(),
            grpc_port: Some(3),
            ..Layer::default()
        };
        let server = flags.over(file).resolve(true).map_err(|mistake| mistake.0);
        assert_eq!(
            server.map(|server| (server.address.to_string(), server.grpc.port())),
            Ok(("127.0.0.2:1".to_owned(), 3))
        );
    }

    #[test]
    fn beyond_loopback_it_must_be_said() {
        let open = Layer {
            host: "0.0.0.0".parse().ok(),
            ..Layer::default()
        };
        assert!(open.clone().resolve(true).is_err());
        assert!(open.clone().resolve(false).is_ok(), "with keys it may");
        assert!(
            Layer {
                insecure: Some(true),
                ..open.clone()
            }
            .resolve(true)
            .is_ok()
        );
        assert!(
            Layer {
                host: "::1".parse().ok(),
                ..Layer::default()
            }
            .resolve(true)
            .is_ok()
        );
    }
}
