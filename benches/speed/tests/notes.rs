//! Moments that two processes note.

use uuid::Uuid;

use crate::notes::{Noted, between, is_noted};

#[test]
fn one_run_in_so_many_is_noted() {
    let runs: Vec<Uuid> = (0..20_000).map(|_| Uuid::now_v7()).collect();
    let noted = |every| runs.iter().filter(|run| is_noted(**run, every)).count();
    assert_eq!(noted(0), 0);
    assert_eq!(noted(1), runs.len());
    assert!((1_600..2_400).contains(&noted(10)), "{}", noted(10));
}

#[test]
fn what_lies_between_is_told_in_milliseconds() {
    let [a, b, c] = [1, 2, 3].map(Uuid::from_u128);
    let from = [(a, 1_000_000), (b, 5_000_000), (c, 9_000_000)];
    let to = Noted::from([(a, 3_500_000), (c, 8_000_000)]);
    let expected = [(1_000_000, 2.5), (9_000_000, 0.0)];
    assert_eq!(between(&from, &to), expected);
}
