//! Finds a Postgres server's programs on this machine.

use std::path::{Path, PathBuf};

use anyhow::bail;

use super::account::Account;
use super::command::command;

/// Older servers lack what the schema uses.
const MAJOR_MIN: u32 = 14;
/// Where packages put them; `*` is a version, and the newest comes first.
const PLACES: [&str; 6] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/libexec/postgresql*",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/usr/local/pgsql/bin",
];

/// One installed server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binaries {
    directory: PathBuf,
    pub(crate) major: u32,
}

impl Binaries {
    /// Finds a server, of this major version if a cluster already is.
    ///
    /// # Errors
    /// Says what was found instead and how to install what is missing.
    pub(crate) fn find(named: Option<&Path>, wanted: Option<u32>) -> anyhow::Result<Self> {
        let account = Account::choose()?;
        let found = match named {
            Some(directory) => match Self::at(directory, account.as_ref()) {
                Some(binaries) => vec![binaries],
                None => bail!(
                    "there are no programs of a Postgres server (postgres, initdb) in {}",
                    directory.display()
                ),
            },
            None => Self::all(account.as_ref()),
        };
        choose(found, wanted)
    }

    fn all(account: Option<&Account>) -> Vec<Self> {
        let mut directories: Vec<PathBuf> = PLACES.iter().flat_map(|place| expand(place)).collect();
        directories.extend(
            std::env::var_os("PATH")
                .iter()
                .flat_map(std::env::split_paths),
        );
        directories.extend(by_pg_config(account));
        let mut found: Vec<Self> = Vec::new();
        for directory in directories {
            if let Some(binaries) = Self::at(&directory, account)
                && !found.contains(&binaries)
            {
                found.push(binaries);
            }
        }
        found
    }

    /// A link to the server must be followed: it finds its libraries from where it lies.
    /// Whoever names the directory may not be who we are, so what lies in it is not run as root.
    fn at(directory: &Path, account: Option<&Account>) -> Option<Self> {
        let postgres = directory.join("postgres").canonicalize().ok()?;
        let directory = postgres.parent()?.to_owned();
        if !directory.join("initdb").exists() {
            return None;
        }
        let output = command(&postgres, account).arg("--version").output().ok()?;
        let major = parse_major(&String::from_utf8_lossy(&output.stdout))?;
        Some(Self { directory, major })
    }

    pub(crate) fn postgres(&self) -> PathBuf {
        self.directory.join("postgres")
    }

    pub(crate) fn initdb(&self) -> PathBuf {
        self.directory.join("initdb")
    }
}

fn choose(mut found: Vec<Binaries>, wanted: Option<u32>) -> anyhow::Result<Binaries> {
    let majors: Vec<String> = found.iter().map(|one| one.major.to_string()).collect();
    let majors = majors.join(", ");
    if let Some(wanted) = wanted {
        return match found.into_iter().find(|one| one.major == wanted) {
            Some(binaries) => Ok(binaries),
            None => bail!(
                "the data directory was made by PostgreSQL {wanted}, and only version {majors} is \
                 installed: install {wanted}, name its programs by STEPWELL_PG_BIN, or take another \
                 data directory"
            ),
        };
    }
    found.sort_by_key(|one| std::cmp::Reverse(one.major));
    match found.into_iter().next() {
        Some(newest) if newest.major >= MAJOR_MIN => Ok(newest),
        Some(_) => bail!("PostgreSQL {MAJOR_MIN} or newer is needed; installed is {majors}"),
        None => bail!(
            "no Postgres server is installed. Install one (`apt-get install postgresql`, `dnf install \
             postgresql-server`, `brew install postgresql`), name its programs by STEPWELL_PG_BIN, \
             or use a server elsewhere by DATABASE_URL"
        ),
    }
}

/// Reads `postgres (PostgreSQL) 15.13 (Debian …)`.
fn parse_major(text: &str) -> Option<u32> {
    let version = text.split("(PostgreSQL)").nth(1)?.trim();
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn expand(place: &str) -> Vec<PathBuf> {
    let Some((before, after)) = place.split_once('*') else {
        return vec![PathBuf::from(place)];
    };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("/", before));
    let Ok(entries) = std::fs::read_dir(parent) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| PathBuf::from(format!("{}{after}", entry.path().display())))
        .collect()
}

fn by_pg_config(account: Option<&Account>) -> Option<PathBuf> {
    let output = command("pg_config", account)
        .arg("--bindir")
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(text.trim()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{Binaries, choose, parse_major};

    fn installed(majors: &[u32]) -> Vec<Binaries> {
        majors
            .iter()
            .map(|&major| Binaries {
                directory: format!("/pg/{major}").into(),
                major,
            })
            .collect()
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(
            parse_major("postgres (PostgreSQL) 15.13 (Debian 15.13-0)\n"),
            Some(15)
        );
        assert_eq!(parse_major("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(parse_major("something else"), None);
    }

    #[test]
    fn the_newest_is_taken_unless_a_cluster_asks_for_its_own() {
        assert_eq!(choose(installed(&[15, 17, 16]), None).unwrap().major, 17);
        assert_eq!(
            choose(installed(&[15, 17, 16]), Some(15)).unwrap().major,
            15
        );
        let text = choose(installed(&[17]), Some(15)).unwrap_err().to_string();
        assert!(text.contains("made by PostgreSQL 15"), "{text}");
        assert!(choose(installed(&[12]), None).is_err());
        let text = choose(Vec::new(), None).unwrap_err().to_string();
        assert!(text.contains("apt-get install postgresql"), "{text}");
    }
}
