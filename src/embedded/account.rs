//! Postgres refuses to run as root: then it runs as `postgres`, else as `nobody`.

use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use nix::unistd::{Uid, User};

/// Who the server runs as, when that is not ourselves.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Account {
    /// Returns whom to become: nobody else unless we are root.
    ///
    /// # Errors
    /// As root on a machine with neither of the two accounts.
    pub(crate) fn choose() -> anyhow::Result<Option<Self>> {
        if !Uid::effective().is_root() {
            return Ok(None);
        }
        for name in ["postgres", "nobody"] {
            if let Some(user) = User::from_name(name).context("cannot read the user database")? {
                return Ok(Some(Self {
                    name: user.name,
                    uid: user.uid.as_raw(),
                    gid: user.gid.as_raw(),
                }));
            }
        }
        bail!(
            "Postgres does not run as root, and there is neither a user postgres nor a user nobody: \
             make one of them, or run stepwell as an ordinary user"
        )
    }

    /// Hands a path over.
    ///
    /// # Errors
    /// As the file system says.
    pub(crate) fn own(&self, path: &Path) -> anyhow::Result<()> {
        chown(path, Some(self.uid), Some(self.gid))
            .with_context(|| format!("cannot give {} to the user {}", path.display(), self.name))
    }

    /// Fails when the account cannot get into a directory, before Postgres fails with less to say.
    ///
    /// # Errors
    /// Names the directory that is closed.
    pub(crate) fn check_entry(&self, directory: &Path) -> anyhow::Result<()> {
        match self.closed(directory)? {
            None => Ok(()),
            Some(closed) => bail!(
                "Postgres runs as the user {}, who cannot enter {}: choose another --data-dir, \
                 such as /var/lib/stepwell, or open it with `chmod o+x {}`",
                self.name,
                closed.display(),
                closed.display()
            ),
        }
    }

    fn closed(&self, directory: &Path) -> anyhow::Result<Option<PathBuf>> {
        let full = directory
            .canonicalize()
            .with_context(|| format!("cannot find {}", directory.display()))?;
        for ancestor in full.ancestors() {
            let metadata = ancestor
                .metadata()
                .with_context(|| format!("cannot look at {}", ancestor.display()))?;
            let bit = if metadata.uid() == self.uid {
                0o100
            } else if metadata.gid() == self.gid {
                0o010
            } else {
                0o001
            };
            if metadata.mode() & bit == 0 {
                return Ok(Some(ancestor.to_owned()));
            }
        }
        Ok(None)
    }
}
