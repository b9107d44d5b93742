//! How the private server is reached: a password and a port, made once.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use anyhow::{Context, bail};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::home::{random_hex, write_secret};
use super::{Home, cluster};

/// How to reach the server. Kept in `database.url`, so that it stays the same from start to start.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    password: SecretString,
    port: u16,
}

impl Access {
    /// Reads the file, or makes a password and takes a free port.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub(crate) fn load_or_make(home: &Home) -> anyhow::Result<Self> {
        let path = home.url_file();
        if path.exists() {
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            let url = Url::parse(text.trim())
                .with_context(|| format!("{} does not hold a URL", path.display()))?;
            if let (Some(password), Some(port)) = (url.password(), url.port()) {
                return Ok(Self {
                    password: SecretString::from(password),
                    port,
                });
            }
            bail!("{} holds no password and port", path.display());
        }
        let access = Self {
            password: SecretString::from(random_hex(24)),
            port: free_port()?,
        };
        access.save(home)?;
        Ok(access)
    }

    fn save(&self, home: &Home) -> anyhow::Result<()> {
        let url = self.tcp_url();
        write_secret(&home.url_file(), &format!("{}\n", url.expose_secret()))
    }

    /// Gives up a port that somebody else has.
    ///
    /// # Errors
    /// When no port is free, or the file cannot be written.
    pub(crate) fn move_to_free_port(&mut self, home: &Home) -> anyhow::Result<()> {
        self.port = free_port()?;
        self.save(home)
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn password(&self) -> &str {
        self.password.expose_secret()
    }

    pub(crate) fn tcp_url(&self) -> SecretString {
        let (name, port) = (cluster::NAME, self.port);
        SecretString::from(format!(
            "postgres://{name}:{}@127.0.0.1:{port}/{name}",
            self.password()
        ))
    }

    pub(crate) fn socket_url(&self, directory: &Path) -> SecretString {
        let (name, port) = (cluster::NAME, self.port);
        let path: String =
            url::form_urlencoded::byte_serialize(directory.as_os_str().as_encoded_bytes())
                .collect();
        // A plus means a space to some readers of URLs and a plus to others.
        let path = path.replace('+', "%20");
        SecretString::from(format!(
            "postgres://{name}:{}@localhost:{port}/{name}?host={path}",
            self.password()
        ))
    }
}

/// Another process may take the port before the server does: then the start fails and says so.
fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .context("there is no free port on 127.0.0.1")?;
    Ok(listener
        .local_addr()
        .context("the port has no number")?
        .port())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{Access, ExposeSecret, SecretString};

    #[test]
    fn urls_can_be_read_back() {
        let access = Access {
            password: SecretString::from("secret"),
            port: 5433,
        };
        let url = url::Url::parse(access.tcp_url().expose_secret()).unwrap();
        assert_eq!((url.password(), url.port()), (Some("secret"), Some(5433)));
        let url = access.socket_url(std::path::Path::new("/a b/c"));
        assert!(url.expose_secret().ends_with("?host=%2Fa%20b%2Fc"));
    }
}
