//! `[log]`: what is logged, and for whom.

use serde::Deserialize;

/// What sqlx and refinery say at `info` is Postgres's own notices. What salvo says of connections there is a
/// line for each that anybody may open and close.
const FILTER_DEFAULT: &str = "info,sqlx=warn,refinery_core=warn,salvo_core::conn=warn";

/// Flags, variables and keys.
#[derive(Clone, Debug, Default, clap::Args, Deserialize)]
#[group(skip)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Layer {
    /// For people (`pretty`) or for machines (`json`) [default: pretty].
    #[arg(
        long = "log-format",
        env = "STEPWELL_LOG_FORMAT",
        value_name = "FORMAT",
        global = true
    )]
    pub(crate) format: Option<Format>,
    /// What is logged, as `info` or `info,stepwell=debug` [default: info].
    #[arg(
        long = "log",
        env = "STEPWELL_LOG",
        value_name = "FILTER",
        global = true
    )]
    pub(crate) filter: Option<String>,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    Pretty,
    Json,
}

impl Layer {
    pub(crate) fn over(self, lower: Self) -> Self {
        Self {
            format: self.format.or(lower.format),
            filter: self.filter.or(lower.filter),
        }
    }

    pub(crate) fn resolve(self) -> Log {
        Log {
            format: self.format.unwrap_or(Format::Pretty),
            filter: self.filter.unwrap_or_else(|| FILTER_DEFAULT.to_owned()),
        }
    }
}

/// The settings in force.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    pub(crate) format: Format,
    pub(crate) filter: String,
}
