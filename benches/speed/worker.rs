//! A worker process with a function that does nothing but say when it was first called.
//!
//! It tells its parent on standard output: `start` when it begins, `last` when the function was
//! called as often as the workload has steps, and at the end `called <run> <nanoseconds>` for each
//! call that was asked to be noted. It ends when its standard input does.

use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use stepwell::queue::Store;
use stepwell::queue::store::StoreOptions;
use stepwell::worker::{Runtime, TaskCall};
use tokio_util::sync::CancellationToken;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Nanoseconds since 1970: the clock that two processes share.
pub(crate) fn now() -> u128 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_nanos()
}

/// `worker <steps> <note>`: how many steps there are, and whether to note each call.
pub(crate) fn main(mut words: impl Iterator<Item = String>) {
    stepwell::huge_pages::decline();
    let steps: usize = words.next().unwrap().parse().unwrap();
    let note: bool = words.next().unwrap().parse().unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let notes = Arc::new(Mutex::new(Vec::new()));
    let noted = notes.clone();
    let task = move |call: TaskCall| {
        if note {
            noted.lock().unwrap().push((call.run_id, now()));
        }
        if calls.fetch_add(1, Ordering::Relaxed) + 1 == steps {
            println!("last");
        }
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
            runtime.run(stop).await.unwrap();
        });
    for (run, at) in notes.lock().unwrap().iter() {
        println!("called {run} {at}");
    }
}
