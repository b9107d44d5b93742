//! Processes whose host has a wrong clock, by libfaketime. The monotonic clock stays as it is: a wrong host's does.

/// Where Debian and its kin put it; by architecture.
const LIBRARIES: &str = "/usr/lib";

/// Returns the variables that make a process believe in a clock that is so far off (`-300s`); `None` where
/// libfaketime is not installed, which is no excuse in CI.
pub(crate) fn off_by(offset: &str) -> Option<Vec<(String, String)>> {
    let Some(library) = library() else {
        assert!(
            std::env::var_os("CI").is_none(),
            "libfaketime is missing below {LIBRARIES}/*/faketime: ./dev setup installs it, apt-get install libfaketime"
        );
        eprintln!("not tested: libfaketime is missing (apt-get install libfaketime)");
        return None;
    };
    let variables = [
        ("LD_PRELOAD", library.as_str()),
        ("FAKETIME", offset),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    Some(variables.map(|(k, v)| (k.to_owned(), v.to_owned())).into())
}

/// The one for programs with threads.
fn library() -> Option<String> {
    let directories = std::fs::read_dir(LIBRARIES).ok()?.flatten();
    directories
        .map(|directory| directory.path().join("faketime"))
        .flat_map(|directory| {
            ["libfaketimeMT.so.1", "libfaketime.so.1"].map(|name| directory.join(name))
        })
        .find(|file| file.exists())
        .map(|file| file.display().to_string())
}
