//! Connections on which a small write is sent at once.
//!
//! COPY sends its rows and then, as a write of its own, a few bytes that say "done". Over TCP Nagle's
//! algorithm keeps those back until the rows are acknowledged, which the other side may put off for
//! 40 ms. sqlx opens its sockets without `TCP_NODELAY` and does not hand them out, so the socket is
//! looked for among the process's own, by the address that the server sees. Where it is not found, as
//! behind a pooler or a proxy, the caller does without COPY.

use std::net::{IpAddr, SocketAddr};

use sqlx::postgres::PgConnection;

/// Says whether small writes on this connection are not kept back, after seeing to it if need be.
///
/// # Errors
/// Those of the connection.
pub(crate) async fn is_prompt(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let seen = sqlx::query!("select host(inet_client_addr()) as host, inet_client_port() as port")
        .fetch_one(connection)
        .await?;
    let (Some(host), Some(port)) = (seen.host, seen.port) else {
        // A Unix socket keeps nothing back.
        return Ok(true);
    };
    let (Ok(host), Ok(port)) = (host.parse::<IpAddr>(), u16::try_from(port)) else {
        return Ok(false);
    };
    Ok(socket::send_at_once(SocketAddr::new(host, port)))
}

#[cfg(unix)]
mod socket {
    use std::net::{IpAddr, SocketAddr};
    use std::os::fd::{BorrowedFd, RawFd};

    use nix::sys::socket::{SockaddrStorage, getsockname, setsockopt, sockopt};

    /// Sets `TCP_NODELAY` on the socket of this process with that local address, if there is one.
    pub(super) fn send_at_once(local: SocketAddr) -> bool {
        let Ok(open) = std::fs::read_dir("/dev/fd") else {
            return false;
        };
        let numbers = open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let mut found = numbers.filter(|&number| address(number) == Some(local));
        found.next().is_some_and(set)
    }

    fn address(number: RawFd) -> Option<SocketAddr> {
        let address: SockaddrStorage = getsockname(number).ok()?;
        if let Some(v4) = address.as_sockaddr_in() {
            return Some(SocketAddr::new(IpAddr::V4(v4.ip()), v4.port()));
        }
        let v6 = address.as_sockaddr_in6()?;
        Some(SocketAddr::new(v6.ip().to_canonical(), v6.port()))
    }

    #[expect(unsafe_code, reason = "the socket is known by its number only")]
    fn set(number: RawFd) -> bool {
        // SAFETY: it is borrowed for this call alone, and the connection that owns it is borrowed by
        // the caller. Were it another by now, that one would get a harmless option.
        let socket = unsafe { BorrowedFd::borrow_raw(number) };
        setsockopt(&socket, sockopt::TcpNoDelay, &true).is_ok()
    }
}

#[cfg(not(unix))]
mod socket {
    pub(super) fn send_at_once(_: std::net::SocketAddr) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::socket::send_at_once;

    #[test]
    fn a_socket_is_found_by_its_address() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert!(!stream.nodelay().unwrap());
        assert!(send_at_once(stream.local_addr().unwrap()));
        assert!(stream.nodelay().unwrap());
        let gone = stream.local_addr().unwrap();
        drop(stream);
        assert!(!send_at_once(gone));
    }
}
