//! `[health]`: where a worker without an API can be watched.

use std::net::SocketAddr;

use serde::Deserialize;

/// Flags, variables and keys.
#[derive(Clone, Copy, Debug, Default, clap::Args, Deserialize)]
#[group(skip)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Layer {
    /// Where to serve /health, /version and /metrics, as 127.0.0.1:9090 [default: nowhere]. They
    /// tell and change nothing, so this may be beyond loopback.
    #[arg(
        id = "health_listen",
        long = "health-listen",
        env = "STEPWELL_HEALTH_LISTEN",
        value_name = "IP:PORT"
    )]
    pub(crate) listen: Option<SocketAddr>,
}

impl Layer {
    pub(crate) fn over(self, lower: Self) -> Self {
        Self {
            listen: self.listen.or(lower.listen),
        }
    }
}
