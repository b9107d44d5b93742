//! Free ports on loopback, each handed out once per test process.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range from which the kernel takes ports for outgoing connections, so that none of
/// those stands in the way between our look and the server's bind.
const FIRST: u16 = 10_000;
const COUNT: u16 = 22_000;

static OFFSET: AtomicU16 = AtomicU16::new(0);

/// Returns a port that nobody listens on.
pub(crate) fn free() -> u16 {
    // Processes that start one after the other are far apart, should two run at the same time.
    let start = std::process::id().wrapping_mul(7_919) % u32::from(COUNT);
    for _ in 0..COUNT {
        let offset = OFFSET.fetch_add(1, Ordering::Relaxed);
        let place = (start + u32::from(offset)) % u32::from(COUNT);
        let port = FIRST + u16::try_from(place).unwrap();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no free port between {FIRST} and {}", FIRST + COUNT);
}
