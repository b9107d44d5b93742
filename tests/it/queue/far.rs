//! A database that is far away.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use crate::harness::PATIENCE;
use crate::queue::world::{Hand, World, new_run, open};

/// The way there, and the way back.
const WAY: Duration = Duration::from_millis(15);
/// So many that a slice is due among them, where full scans are dear.
const CLAIMS: usize = 20;

#[tokio::test]
async fn that_every_claim_takes_long_makes_no_full_scan_dear() {
    let world = World::new().await;
    let far = open(&lengthened(&world.db.url).await);
    let counters = far.counters();
    let mut hand = Hand::new(&far).await;
    // A core that is taken away in the middle of a search makes one dear, now and then.
    let without_slices = async {
        loop {
            let (full_scans, slices) = (counters.full_scans.get(), counters.slices.get());
            for _ in 0..CLAIMS {
                let run = new_run();
                world.store.enqueue(run.clone()).await.unwrap();
                assert_eq!(hand.next().await.header.id, run.id);
            }
            if counters.full_scans.get() > full_scans && counters.slices.get() == slices {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, without_slices)
        .await
        .expect("it does not look through the table all the time");
    far.close().await;
    world.end().await;
}

/// The same database behind a long way.
async fn lengthened(url: &str) -> String {
    let mut url = Url::parse(url).unwrap();
    let server: SocketAddr = format!("127.0.0.1:{}", url.port().unwrap())
        .parse()
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    url.set_port(Some(listener.local_addr().unwrap().port()))
        .unwrap();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let (from_near, to_near) = near.into_split();
            let (from_server, to_server) = TcpStream::connect(server).await.unwrap().into_split();
            tokio::spawn(carry(from_near, to_server));
            tokio::spawn(carry(from_server, to_near));
        }
    });
    url.into()
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        tokio::time::sleep(WAY).await;
        if to.write_all(&bytes[..read]).await.is_err() {
            break;
        }
    }
}
