//! The clocks of the hosts on which workers run. Nothing is timed by them; what they break is what people and
//! receivers of signatures make of times.

use chrono::TimeDelta;
use stepwell::queue::worker::Skewed;
use stepwell::queue::{Error, Store, clock};

use super::finding::Finding;

/// Adds what there is to say of them.
pub(super) async fn examine(store: &Store, findings: &mut Vec<Finding>) -> Result<(), Error> {
    findings.push(told(&store.skewed_workers().await?));
    Ok(())
}

fn told(skewed: &[Skewed]) -> Finding {
    const CHECK: &str = "workers' clocks";
    if skewed.is_empty() {
        return Finding::ok(CHECK, "none is known to be off by more than 2 s");
    }
    let off: Vec<_> = skewed
        .iter()
        .map(|worker| {
            let off = TimeDelta::milliseconds(worker.skew_ms.into());
            format!("{} is {}", worker.name, clock::described(off))
        })
        .collect();
    Finding::warn(
        CHECK,
        off.join(", "),
        "keep those hosts on time by NTP: timers go by the database's clock, but their logs and signatures do not",
    )
}

#[cfg(test)]
mod tests {
    use super::{Skewed, told};
    use crate::cli::doctor::finding::State;

    #[test]
    fn a_wrong_clock_is_named_with_its_worker() {
        assert_eq!(told(&[]).state, State::Ok);
        let finding = told(&[Skewed {
            name: "w-7".into(),
            skew_ms: -300_000,
        }]);
        assert_eq!(finding.state, State::Warn);
        assert_eq!(finding.detail, "w-7 is 300.0 s behind the database's");
    }
}
