//! Who comes when.

use std::time::Duration;

use crate::arrivals::Arrivals;
use rand::SeedableRng;
use rand::rngs::StdRng;

#[test]
fn as_many_come_as_the_rate_says_and_not_evenly() {
    let mut arrivals = Arrivals::new(1_000.0, StdRng::seed_from_u64(7));
    let counts: Vec<usize> = (1..=100)
        .map(|tenth| arrivals.due(Duration::from_millis(100 * tenth)))
        .collect();
    let all: usize = counts.iter().sum();
    assert!((9_700..10_300).contains(&all), "{all}");
    let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
    assert!(most - least > 20, "{least} to {most}");
    assert_eq!(arrivals.due(Duration::from_secs(10)), 0, "none comes twice");
}
