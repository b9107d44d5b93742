//! One connection of a wire: its messages are read, and sent on as they were.

use std::sync::Arc;

use tokio::io::AsyncWriteExt as _;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};

use super::frames::{Frame, Frames};
use super::session::{READY, Session};
use super::{Blow, Shared};

/// By TLS, and by Kerberos.
const WISHES_FOR_ENCRYPTION: [u32; 2] = [80_877_103, 80_877_104];
const CANCEL: u32 = 80_877_102;
const ROW: u8 = b'D';
/// The server waits for the rows of a COPY.
const COPY_IN: u8 = b'G';
/// Messages of the client that belong to a request that goes on: rows of a COPY, its end, its failure.
const COPYING: [u8; 3] = [b'd', b'c', b'f'];
/// By this a process looks for its own socket, and would find that of the wire.
const OWN_ADDRESS: &str = "inet_client_port()";

pub(super) async fn all(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((near, _)) = listener.accept().await {
        connections.spawn(one(near, Arc::clone(&shared)));
        while connections.try_join_next().is_some() {}
    }
}

struct Connection {
    shared: Arc<Shared>,
    session: Session,
    near_port: u16,
    near: Frames,
    to_near: OwnedWriteHalf,
    far: Frames,
    to_far: OwnedWriteHalf,
    /// Parts of a request that is not yet whole.
    unsent: Vec<u8>,
    /// Answers that were not yet sent on.
    unheard: Vec<u8>,
    /// What comes to which of the requests in flight, the oldest is 0.
    doomed: Option<(usize, Blow)>,
}

async fn one(near: TcpStream, shared: Arc<Shared>) -> Option<()> {
    let far = TcpStream::connect(shared.server).await.ok()?;
    let (near_port, _) = (near.peer_addr().ok()?.port(), near.set_nodelay(true));
    let _ = far.set_nodelay(true);
    let (from_near, to_near) = near.into_split();
    let (from_far, to_far) = far.into_split();
    let mut connection = Connection {
        shared,
        session: Session::default(),
        near_port,
        near: Frames::new(from_near),
        to_near,
        far: Frames::new(from_far),
        to_far,
        unsent: Vec::new(),
        unheard: Vec::new(),
        doomed: None,
    };
    connection.open().await?;
    loop {
        tokio::select! {
            frame = connection.near.next() => connection.ask(frame?).await?,
            frame = connection.far.next() => match frame {
                Some(frame) => connection.answer(frame).await?,
                None => break,
            }
        }
    }
    // What the server said last.
    connection.to_near.write_all(&connection.unheard).await.ok()
}

impl Connection {
    async fn open(&mut self) -> Option<()> {
        loop {
            let opening = self.near.opening().await?;
            self.to_far.write_all(&opening).await.ok()?;
            let asks = u32::from_be_bytes(opening[4..8].try_into().unwrap());
            if WISHES_FOR_ENCRYPTION.contains(&asks) {
                let answer = self.far.byte().await?;
                self.to_near.write_all(&[answer]).await.ok()?;
            } else {
                return (asks != CANCEL).then_some(());
            }
        }
    }

    /// A message of the process. `None`: the connection ends.
    async fn ask(&mut self, frame: Frame) -> Option<()> {
        let request = self.session.hear(&frame);
        self.unsent.extend_from_slice(&frame.bytes);
        let Some(request) = request else {
            if COPYING.contains(&frame.kind) || !self.near.is_next_there() {
                self.send().await?;
            }
            return Some(());
        };
        let place = self.session.waiting() - 1;
        match self.shared.blow(&request) {
            None => {}
            Some(Blow::Cut) => {
                self.shared.hit();
                return None;
            }
            Some(Blow::Delay(time)) => {
                self.shared.hit();
                tokio::time::sleep(time).await;
            }
            Some(Blow::FreezeBefore) => {
                self.shared.freeze().await;
                self.send().await?;
                self.shared.thawed().await;
            }
            Some(blow @ (Blow::Freeze | Blow::Lose)) => self.doomed = Some((place, blow)),
        }
        self.send().await
    }

    /// A message of the server. `None`: the connection ends.
    async fn answer(&mut self, mut frame: Frame) -> Option<()> {
        self.correct(&mut frame);
        let doom = self.doomed.filter(|(place, _)| *place == 0);
        if frame.kind == READY {
            if let Some((done, inside)) = self.session.ready(&frame) {
                self.shared.see(done, inside);
            }
            if let Some((place, _)) = &mut self.doomed {
                *place = place.saturating_sub(1);
            }
        }
        self.unheard.extend_from_slice(&frame.bytes);
        match (doom, frame.kind) {
            (Some((_, Blow::Freeze)), READY | COPY_IN) => {
                self.doomed = None;
                self.shared.freeze().await;
                self.shared.thawed().await;
            }
            (Some((_, Blow::Lose)), READY) => {
                self.shared.hit();
                return None;
            }
            (Some(_), kind) if kind != COPY_IN => return Some(()),
            _ => {}
        }
        if !self.far.is_next_there() {
            self.to_near.write_all(&self.unheard).await.ok()?;
            self.unheard.clear();
        }
        Some(())
    }

    /// The port that the process knows of itself.
    fn correct(&self, frame: &mut Frame) {
        let running = self.session.answered();
        let text = running.and_then(|running| running.text.as_deref());
        if frame.kind == ROW && text.is_some_and(|text| text.contains(OWN_ADDRESS)) {
            let port = frame.bytes.len() - size_of::<u32>();
            frame.bytes[port..].copy_from_slice(&u32::from(self.near_port).to_be_bytes());
        }
    }

    async fn send(&mut self) -> Option<()> {
        self.to_far.write_all(&self.unsent).await.ok()?;
        self.unsent.clear();
        Some(())
    }
}
