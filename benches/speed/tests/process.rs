//! What Linux says about a process.

use crate::meter::Spent;

#[test]
fn this_process_has_used_something() {
    let busy = std::time::Instant::now();
    while busy.elapsed().as_millis() < 60 {
        std::hint::spin_loop();
    }
    let spent = Spent::of(std::process::id());
    assert!(spent.seconds > 0.0 && spent.peak_mib > 1.0, "{spent:?}");
}

#[test]
fn times_add_up_and_memory_does_not() {
    let spent = |seconds, peak_mib| Spent { seconds, peak_mib };
    let both = Spent::together(&[spent(1.0, 30.0), spent(2.5, 20.0)]);
    assert_eq!((both.seconds, both.peak_mib), (3.5, 30.0));
    let later = both.since(spent(1.5, 10.0));
    assert_eq!((later.seconds, later.peak_mib), (2.0, 30.0));
}
