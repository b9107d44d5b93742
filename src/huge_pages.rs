//! How a process takes memory from the system.

/// Declines huge pages for this process and those that it starts, whatever the system gives and the allocator asks
/// for: each holds 2 MiB however little of it is used. With an allocator that asked for them a worker with 1,000
/// runs held 85 MiB, and half of it without, at the same speed. Call it first in `main`.
pub fn decline() {
    #[cfg(target_os = "linux")]
    // A system that does not know the setting has no huge pages to give either.
    let _ = nix::sys::prctl::set_thp_disable(true);
}
