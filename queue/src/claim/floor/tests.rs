//! From where a queue is read, and when in full.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::*;

const DUE: Duration = Duration::from_micros(500);

fn at() -> Time {
    Time::from_timestamp_millis(1_800_000_000_000).unwrap()
}

fn scanned(found: usize, took: Duration) -> Option<Scanned> {
    Some(Scanned {
        took,
        found,
        wanted: 10,
        ready: (found > 0).then(|| (0, Uuid::from_u128(found as u128))),
        timed: None,
        at: at(),
    })
}

#[test]
fn a_backed_up_queue_is_read_from_the_floor_but_once_a_second_in_full() {
    let start = Instant::now();
    let mut pace = Pace::new();
    assert_eq!(pace.next(start), (Mark::FIRST, Scan::Full));
    pace.note(Scan::Full, scanned(10, Duration::from_millis(2)), start);
    let (floor, scan) = pace.next(start);
    assert_eq!(scan, Scan::FromFloor);
    assert_eq!(floor.run_id, Uuid::from_u128(10));
    assert_eq!(pace.next(start + FULL_SCAN_EVERY).1, Scan::Full);
}

#[test]
fn an_idle_queue_is_read_in_full_as_often_as_that_is_cheap() {
    let start = Instant::now();
    let mut pace = Pace::new();
    let took = DEAR;
    pace.note(Scan::Full, scanned(0, took), start);
    assert_eq!(pace.look_in(start), None);
    pace.note(Scan::FromFloor, scanned(1, took), start);
    assert_eq!(
        pace.next(start).1,
        Scan::FromFloor,
        "the last one took long"
    );
    assert_eq!(pace.look_in(start), Some(took * REST_FACTOR));
    assert_eq!(pace.next(start + took * REST_FACTOR).1, Scan::Full);
}

#[test]
fn what_comes_in_behind_the_floor_is_looked_for() {
    let start = Instant::now();
    let mut pace = Pace::new();
    let took = DEAR;
    pace.note(Scan::Full, scanned(0, took), start);
    assert_eq!(pace.look_in(start), None, "there was nothing behind it");
    pace.doubt();
    assert_eq!(pace.look_in(start), Some(took * REST_FACTOR));
    assert_eq!(
        pace.next(start).1,
        Scan::FromFloor,
        "the last one took long"
    );
    assert_eq!(pace.next(start + took * REST_FACTOR).1, Scan::Full);
}

#[test]
fn work_that_comes_to_an_idle_queue_is_found_by_one_scan() {
    let start = Instant::now();
    let mut pace = Pace::new();
    pace.note(Scan::Full, scanned(1, DUE), start);
    let later = start + Duration::from_millis(20);
    assert_eq!(pace.next(later).1, Scan::Full, "behind the floor as well");
    pace.note(Scan::Full, scanned(1, DUE), later);
    assert_eq!(pace.look_in(later), None, "and that was all");
}

#[test]
fn while_full_scans_are_dear_they_are_tried_ever_more_rarely_and_slices_are_read() {
    let mut now = Instant::now();
    let mut pace = Pace::new();
    assert!(pace.walk(now).is_none());
    pace.note(Scan::Full, scanned(10, Duration::from_millis(200)), now);
    assert_eq!(pace.next(now).1, Scan::FromFloor);
    assert!(
        pace.walk(now).is_some(),
        "what is behind is found otherwise"
    );
    let slice = Duration::from_millis(2);
    pace.walked(slice, now);
    assert!(pace.walk(now).is_none(), "it rests");
    assert_eq!(pace.look_in(now), Some(slice * REST_FACTOR));
    assert!(pace.walk(now + slice * REST_FACTOR).is_some());
    for seconds in [1, 2, 4, 8, 16, 30, 30] {
        let wait = Duration::from_secs(seconds);
        assert_eq!(pace.next(now + wait / 2).1, Scan::FromFloor);
        now += wait;
        let trial = pace.next(now).1;
        assert_eq!(trial, Scan::Trial(Duration::ZERO), "after {wait:?}");
        pace.note(trial, None, now);
    }
    let trial = pace.next(now + TRIAL_AFTER_MOST).1;
    pace.note(trial, scanned(1, DUE), now + TRIAL_AFTER_MOST);
    assert!(pace.walk(now + TRIAL_AFTER_MOST).is_none(), "as before");
}

#[test]
fn a_trial_that_came_to_its_end_is_soon_followed_by_another() {
    let mut now = Instant::now();
    let mut pace = Pace::new();
    for _ in 0..9 {
        pace.note(Scan::Trial(Duration::ZERO), None, now);
    }
    let slow = scanned(1, DEAR * 2);
    pace.note(Scan::Trial(Duration::ZERO), slow, now);
    assert!(pace.walk(now).is_some(), "it was dear all the same");
    now += TRIAL_AFTER;
    assert!(pace.next(now).1.is_full());
}

#[test]
fn what_every_scan_takes_makes_no_full_scan_dear() {
    let now = Instant::now();
    let mut pace = Pace::new();
    let slow = DEAR * 4;
    for _ in 0..9 {
        pace.note(Scan::FromFloor, scanned(1, slow), now);
    }
    pace.note(Scan::Full, scanned(1, slow + DEAR / 2), now);
    assert!(pace.walk(now).is_none(), "the database is busy");
    pace.note(Scan::Full, scanned(1, slow + DEAR * 2), now);
    assert!(pace.walk(now).is_some());
    let (_, trial) = pace.next(now + TRIAL_AFTER);
    assert!(trial.at_most(1) > Some(slow), "{trial:?}");
}

#[test]
fn a_floor_goes_up_with_the_time_when_others_take_what_comes() {
    let now = Instant::now();
    let mut pace = Pace::new();
    pace.note(Scan::FromFloor, scanned(0, DUE), now);
    let floor = pace.floor();
    assert_eq!(floor.run_at, at() - CLOCKS_DIFFER);
    assert_eq!(
        (floor.rank, millis(floor)),
        (0, (at() - CLOCKS_DIFFER).timestamp_millis())
    );
}

#[test]
fn a_floor_stays_below_what_may_yet_be_committed() {
    let now = Instant::now();
    let mut pace = Pace::new();
    let new = Uuid::from_u128(u128::try_from(at().timestamp_millis()).unwrap() << 80);
    let found = scanned(10, DUE).map(|scanned| Scanned {
        ready: Some((-3, new)),
        ..scanned
    });
    pace.note(Scan::FromFloor, found, now);
    let floor = pace.floor();
    assert_eq!(
        (floor.rank, millis(floor)),
        (-3, (at() - COMMITS_TAKE).timestamp_millis())
    );
}

fn millis(mark: Mark) -> i64 {
    i64::try_from(mark.run_id.as_u128() >> 80).unwrap()
}
