//! What the process is told: flags over environment over `stepwell.toml` over defaults.
//!
//! Each section of the file is a group of flags and a group of environment variables: one struct
//! (the section's `Layer`) is all three. An unknown key is refused in each of them, because a
//! misspelt setting that is ignored is worse than a process that does not start.

pub(crate) mod auth;
pub(crate) mod database;
pub(crate) mod embedded;
pub(crate) mod environment;
pub(crate) mod file;
pub(crate) mod health;
pub(crate) mod log;
pub(crate) mod process;
pub(crate) mod server;
pub(crate) mod worker;

pub(crate) use file::File;

/// A mistake of whoever wrote the settings: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Mistake(pub(crate) String);

impl Mistake {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}
