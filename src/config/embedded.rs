//! `[embedded]`: where the private Postgres lives.

use std::path::PathBuf;

use serde::Deserialize;

/// Flags, variables and keys.
#[derive(Clone, Debug, Default, clap::Args, Deserialize)]
#[group(skip)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Layer {
    /// The directory of the private Postgres and the master key [default: ./.stepwell; as root
    /// /var/lib/stepwell].
    #[arg(long, env = "STEPWELL_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The directory of the Postgres server's programs, when they are not found by themselves.
    #[arg(long, env = "STEPWELL_PG_BIN", value_name = "DIR")]
    pub(crate) pg_bin: Option<PathBuf>,
}

impl Layer {
    pub(crate) fn over(self, lower: Self) -> Self {
        Self {
            data_dir: self.data_dir.or(lower.data_dir),
            pg_bin: self.pg_bin.or(lower.pg_bin),
        }
    }
}
