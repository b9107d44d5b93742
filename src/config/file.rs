//! `stepwell.toml`: the lowest layer but the defaults.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Mistake, auth, database, embedded, health, log, process, server, worker};

/// Read from the working directory when no file is named.
const DEFAULT_PATH: &str = "stepwell.toml";
const WRITABLE_BY_OTHERS: u32 = 0o002;

/// The whole file. Every section and key may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct File {
    pub(crate) database: database::Layer,
    pub(crate) server: server::Layer,
    pub(crate) auth: auth::Layer,
    pub(crate) worker: worker::Layer,
    pub(crate) health: health::Layer,
    pub(crate) embedded: embedded::Layer,
    pub(crate) log: log::Layer,
    pub(crate) process: process::Layer,
}

impl File {
    /// Reads the named file, else `stepwell.toml` if there is one.
    ///
    /// # Errors
    /// A named file that is absent, and anything that is not understood, with its line.
    pub(crate) fn read(named: Option<PathBuf>) -> Result<Self, Mistake> {
        let path = match named {
            Some(path) => path,
            None if Path::new(DEFAULT_PATH).exists() => trusted(PathBuf::from(DEFAULT_PATH))?,
            None => return Ok(Self::default()),
        };
        let text = std::fs::read_to_string(&path)
            .map_err(|error| Mistake::new(format!("cannot read {}: {error}", path.display())))?;
        Self::parse(&text).map_err(|error| Mistake::new(format!("{}: {error}", path.display())))
    }

    fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }
}

/// Refuses a file that somebody else wrote or can write: it opens ports, and names programs to run. Whoever names it by
/// `--config` has looked at it.
fn trusted(path: PathBuf) -> Result<PathBuf, Mistake> {
    let unread = |error| Mistake::new(format!("cannot read {}: {error}", path.display()));
    let file = path.metadata().map_err(unread)?;
    let ours = [0, nix::unistd::Uid::effective().as_raw()].contains(&file.uid());
    if ours && file.mode() & WRITABLE_BY_OTHERS == 0 {
        return Ok(path);
    }
    Err(Mistake::new(format!(
        "{} in this directory {}; look at it, and name it by --config {} to use it all the same",
        path.display(),
        if ours {
            "can be written by everybody"
        } else {
            "belongs to another user"
        },
        path.display()
    )))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::File;

    #[test]
    fn every_section_is_read() {
        let file = File::parse(
            "[database]\npool_max = 7\n[server]\nport = 9999\n[auth]\nmode = 'keys'\n[worker]\nqueues = ['a', 'b']\n\
             [health]\nlisten = '127.0.0.1:1'\n\
             [embedded]\ndata_dir = '/x'\n[log]\nformat = 'json'\n[process]\ngrace_seconds = 3\n",
        )
        .unwrap();
        assert_eq!(file.database.pool_max, Some(7));
        assert_eq!(file.server.port, Some(9999));
        assert_eq!(file.auth.mode, Some(super::auth::Mode::Keys));
        assert_eq!(file.worker.queues, Some(vec!["a".into(), "b".into()]));
        assert_eq!(file.process.grace_seconds, Some(3));
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line_and_what_is_known() {
        let error = File::parse("[server]\nprot = 9999\n")
            .unwrap_err()
            .to_string();
        assert!(error.contains("line 2"), "{error}");
        assert!(error.contains("unknown field `prot`"), "{error}");
        assert!(error.contains("`port`"), "{error}");
        assert!(File::parse("[sever]\nport = 1\n").is_err());
    }
}
