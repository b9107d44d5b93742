//! A worker process with a function that does nothing but count its calls.
//!
//! It tells its parent on standard output: `start` when it begins, `calls <count>` while that
//! grows, and at the end `called <run> <nanoseconds>` for each call that was to be noted. It ends
//! when its standard input does.

use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use stepwell::queue::Store;
use stepwell::queue::store::StoreOptions;
use stepwell::worker::{Runtime, TaskCall};
use tokio_util::sync::CancellationToken;

use crate::notes::{is_noted, now};

/// How often the count is told: fine enough for the end of a drain, and no load.
const TELL_EVERY: Duration = Duration::from_millis(5);

/// `worker <every>`.
pub(crate) fn main(mut words: impl Iterator<Item = String>) {
    stepwell::huge_pages::decline();
    let every: u32 = words.next().unwrap().parse().unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let notes = Arc::new(Mutex::new(Vec::new()));
    let (counted, noted) = (Arc::clone(&calls), Arc::clone(&notes));
    let task = move |call: TaskCall| {
        if is_noted(call.run_id, every) {
            noted.lock().unwrap().push((call.run_id, now()));
        }
        counted.fetch_add(1, Ordering::Relaxed);
        async { Ok(Value::Null) }
    };
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        stopping.cancel();
    });
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async {
            let url = std::env::var("DATABASE_URL").unwrap();
            let store = Store::open(StoreOptions::new(url)).unwrap();
            let runtime = Runtime::builder(store).task("noop", task).build().unwrap();
            println!("start");
            std::thread::spawn(move || tell(&calls));
            runtime.run(stop).await.unwrap();
        });
    for (run, at) in notes.lock().unwrap().iter() {
        println!("called {run} {at}");
    }
}

fn tell(calls: &AtomicUsize) {
    let mut told = 0;
    loop {
        std::thread::sleep(TELL_EVERY);
        let count = calls.load(Ordering::Relaxed);
        if count != told {
            told = count;
            println!("calls {count}");
        }
    }
}
