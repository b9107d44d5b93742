//! Where an axis ends.

use crate::plots::axis::Axis;

#[test]
fn an_axis_ends_at_a_round_number_above_its_values() {
    for (most, end, ticks) in [
        (52_000.0, 60_000.0, 4),
        (100.0, 100.0, 6),
        (0.83, 1.0, 6),
        (0.3, 0.3, 4),
        (10_000_000.0, 10_000_000.0, 6),
        (0.0, 1.0, 6),
    ] {
        let axis = Axis::to(most);
        assert!((axis.most() - end).abs() < 1e-9, "{most}: {axis:?}");
        assert_eq!(axis.ticks().count(), ticks, "{most}: {axis:?}");
    }
    assert_eq!(Axis::to(0.3).ticks().last(), Some(0.3));
}
