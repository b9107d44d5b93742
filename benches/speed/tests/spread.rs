//! Many values in order.

use crate::figures::Spread;

#[test]
fn the_tail_is_the_tail() {
    let spread = Spread::new((1..=200).rev().map(f64::from).collect());
    assert_eq!(spread.quantile(0.0), 1.0);
    assert_eq!(spread.quantile(0.99), 198.0);
    assert_eq!(spread.quantile(1.0), 200.0);
}

#[test]
fn of_three_repetitions_the_middle_one_counts() {
    assert_eq!(
        Spread::new(vec![3.0, 100.0, 1.0]).summary(),
        [1.0, 3.0, 100.0]
    );
    assert_eq!(Spread::new(vec![7.0]).summary(), [7.0, 7.0, 7.0]);
}
