//! The data directory: who holds it, and what lies where.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use nix::fcntl::{Flock, FlockArg};
use rand::RngCore;
use secrecy::SecretString;
use stepwell_queue::clock;

use super::Options;
use super::account::Account;

/// Bytes of a socket's path, of which the kernel takes 108 with the closing zero.
const SOCKET_PATH_MAX: usize = 107;
/// The longest name of a socket in its directory.
const SOCKET_NAME: &str = ".s.PGSQL.65535";
/// Every temporary data directory begins so; nothing else is ever removed.
pub(crate) const EPHEMERAL_PREFIX: &str = "stepwell-ephemeral-";
/// A directory is held within milliseconds of being made.
const MADE_WITHIN: chrono::TimeDelta = chrono::TimeDelta::seconds(60);

/// A data directory that this process holds.
#[derive(Debug)]
pub(crate) struct Home {
    path: PathBuf,
    ephemeral: bool,
    /// Held as long as this lives; the kernel lets go when the process ends, however it ends.
    _lock: Flock<File>,
}

impl Home {
    /// Makes the directory if need be and takes hold of it.
    ///
    /// # Errors
    /// When another process holds it, or Postgres's account cannot enter it.
    pub(crate) fn open(options: &Options, account: Option<&Account>) -> anyhow::Result<Self> {
        let path = if options.ephemeral {
            std::env::temp_dir().join(format!("{EPHEMERAL_PREFIX}{}", random_hex(8)))
        } else {
            match &options.data_dir {
                Some(path) => path.clone(),
                None => default_path(account.is_some()),
            }
        };
        // Another account must get through to its own directory inside; secrets are 0600 each.
        let mode = if account.is_some() { 0o711 } else { 0o700 };
        DirBuilder::new()
            .recursive(true)
            .mode(mode)
            .create(&path)
            .with_context(|| format!("cannot make the data directory {}", path.display()))?;
        let path = path
            .canonicalize()
            .with_context(|| format!("cannot find the data directory {}", path.display()))?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path.join("lock"))
            .with_context(|| format!("cannot write in the data directory {}", path.display()))?;
        let Ok(lock) = Flock::lock(lock, FlockArg::LockExclusiveNonblock) else {
            bail!(
                "another stepwell uses the data directory {}: stop it, or choose another --data-dir",
                path.display()
            );
        };
        let home = Self {
            path,
            ephemeral: options.ephemeral,
            _lock: lock,
        };
        if let Some(account) = account {
            account.check_entry(&home.path)?;
        }
        home.make_socket_dir(account)?;
        Ok(home)
    }

    /// Temporary directories of ours whose owner and guard were killed together, as when a container runs out of memory:
    /// nobody else would remove them, and a server may still run in one. Dropping one removes it.
    pub(crate) fn left_behind() -> Vec<Self> {
        let entries = std::fs::read_dir(std::env::temp_dir())
            .into_iter()
            .flatten()
            .flatten();
        entries
            .filter(|entry| {
                let name = entry.file_name();
                name.to_string_lossy().starts_with(EPHEMERAL_PREFIX)
            })
            .filter_map(|entry| Self::of_nobody(&entry.path()))
            .collect()
    }

    /// Takes hold of a directory, if nobody has; not of one that somebody is only making.
    fn of_nobody(path: &Path) -> Option<Self> {
        let metadata = std::fs::symlink_metadata(path).ok()?;
        let ours = metadata.uid() == nix::unistd::Uid::effective().as_raw();
        if !metadata.is_dir() || !ours {
            return None;
        }
        let lock = OpenOptions::new()
            .write(true)
            .custom_flags(nix::libc::O_NOFOLLOW)
            .open(path.join("lock"))
            .ok()?;
        let made_at = lock.metadata().ok()?.modified().ok()?;
        if clock::host() - chrono::DateTime::<chrono::Utc>::from(made_at) < MADE_WITHIN {
            return None;
        }
        let lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock).ok()?;
        Some(Self {
            path: path.canonicalize().ok()?,
            ephemeral: true,
            _lock: lock,
        })
    }

    /// Leaves it where it is.
    pub(crate) fn keep(mut self) {
        self.ephemeral = false;
    }

    fn make_socket_dir(&self, account: Option<&Account>) -> anyhow::Result<()> {
        let directory = self.socket_dir();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        // The short place is open to all: what somebody else put there first is not ours to use.
        let metadata = std::fs::symlink_metadata(&directory)
            .with_context(|| format!("cannot look at {}", directory.display()))?;
        let ours = nix::unistd::Uid::effective().as_raw();
        let known = metadata.uid() == ours || account.is_some_and(|one| metadata.uid() == one.uid);
        if !metadata.is_dir() || !known || metadata.mode() & 0o077 != 0 {
            bail!(
                "{} is not a directory of ours alone: remove it, or choose a shorter --data-dir",
                directory.display()
            );
        }
        account.map_or(Ok(()), |account| account.own(&directory))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn ephemeral(&self) -> bool {
        self.ephemeral
    }

    pub(crate) fn cluster(&self) -> PathBuf {
        self.path.join("postgres")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.path.join("postgres.log")
    }

    pub(crate) fn url_file(&self) -> PathBuf {
        self.path.join("database.url")
    }

    /// In the data directory, or, when that path is too long for a socket, in a short place whose
    /// name is made of the long one.
    pub(crate) fn socket_dir(&self) -> PathBuf {
        let inside = self.path.join("socket");
        if inside.join(SOCKET_NAME).as_os_str().len() <= SOCKET_PATH_MAX {
            return inside;
        }
        let mut hash = std::hash::DefaultHasher::new();
        std::hash::Hash::hash(&self.path, &mut hash);
        let hash = std::hash::Hasher::finish(&hash);
        PathBuf::from(format!("/tmp/stepwell-socket-{hash:016x}"))
    }

    /// Returns the key, and makes it at the first start.
    ///
    /// # Errors
    /// When it cannot be written, or is not a key.
    pub(crate) fn master_key(&self) -> anyhow::Result<SecretString> {
        let path = self.path.join("master.key");
        if !path.exists() {
            write_secret(&path, &format!("{}\n", random_hex(32)))?;
        }
        Ok(crate::config::database::read_key(&path)?)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if self.ephemeral {
            // The guard has done it unless the server never started.
            let _ = std::fs::remove_dir_all(&self.path);
        }
        if !self.socket_dir().starts_with(&self.path) {
            let _ = std::fs::remove_dir_all(self.socket_dir());
        }
    }
}

fn default_path(root: bool) -> PathBuf {
    // As root the working directory often lies in /root, where Postgres's account cannot go.
    PathBuf::from(if root {
        "/var/lib/stepwell"
    } else {
        ".stepwell"
    })
}

/// Writes a file that only we can read, whole or not at all.
///
/// # Errors
/// As the file system says.
pub(crate) fn write_secret(path: &Path, text: &str) -> anyhow::Result<()> {
    let parts = path.with_extension("part");
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&parts)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&parts, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// Returns so many random bytes in hexadecimal.
pub(crate) fn random_hex(bytes: usize) -> String {
    let mut buffer = vec![0; bytes];
    rand::rng().fill_bytes(&mut buffer);
    buffer.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{Home, Options, SOCKET_PATH_MAX};

    fn open(path: &std::path::Path) -> anyhow::Result<Home> {
        let options = Options {
            data_dir: Some(path.to_owned()),
            ..Options::default()
        };
        Home::open(&options, None)
    }

    #[test]
    fn a_directory_has_one_holder() {
        let directory = tempfile::tempdir().unwrap();
        let first = open(directory.path()).unwrap();
        let text = open(directory.path()).unwrap_err().to_string();
        assert!(text.contains("another stepwell uses"), "{text}");
        drop(first);
        assert!(open(directory.path()).is_ok());
    }

    #[test]
    fn the_master_key_is_made_once_and_for_us_alone() {
        use secrecy::ExposeSecret;
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let home = open(directory.path()).unwrap();
        let first = home.master_key().unwrap();
        assert_eq!(
            first.expose_secret(),
            home.master_key().unwrap().expose_secret()
        );
        let mode = home
            .path()
            .join("master.key")
            .metadata()
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_deep_directory_gets_a_short_socket() {
        let directory = tempfile::tempdir().unwrap();
        let deep = directory.path().join("d".repeat(100));
        let home = open(&deep).unwrap();
        let socket = home.socket_dir().join(super::SOCKET_NAME);
        assert!(socket.as_os_str().len() <= SOCKET_PATH_MAX);
        assert!(!socket.starts_with(home.path()));
    }

    #[test]
    fn a_socket_directory_that_others_can_enter_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("socket");
        std::fs::create_dir(&socket).unwrap();
        std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o777)).unwrap();
        let text = open(directory.path()).unwrap_err().to_string();
        assert!(text.contains("not a directory of ours alone"), "{text}");
    }

    #[test]
    fn an_ephemeral_directory_goes_with_its_holder() {
        let options = Options {
            ephemeral: true,
            ..Options::default()
        };
        let home = Home::open(&options, None).unwrap();
        let path = home.path().to_owned();
        assert!(path.exists());
        drop(home);
        assert!(!path.exists());
    }
}
