//! How many sockets and files a process may have open, as it would be for one that is started here.

use stepwell::queue::descriptors::{LIMIT_FEW, Limits, limits};

use super::finding::Finding;

/// Looks at the limits of this process; it has raised the soft one already.
pub(super) fn examine() -> Finding {
    told(limits())
}

fn told(limits: Option<Limits>) -> Finding {
    const CHECK: &str = "descriptors";
    let Some(Limits { soft, hard }) = limits else {
        return Finding::ok(CHECK, "this system knows no limit");
    };
    let detail = format!("a process started here has {soft}, and may raise them to {hard}");
    if soft >= LIMIT_FEW {
        Finding::ok(CHECK, detail)
    } else {
        Finding::warn(
            CHECK,
            detail,
            format!(
                "give processes {LIMIT_FEW} or more (ulimit -Hn, LimitNOFILE): each call to an agent takes one"
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{Limits, told};
    use crate::cli::doctor::finding::State;

    #[test]
    fn few_are_told_of() {
        let of = |n| told(Some(Limits { soft: n, hard: n })).state;
        assert_eq!((of(1_024), of(1 << 19)), (State::Warn, State::Ok));
        assert_eq!(told(None).state, State::Ok);
    }
}
