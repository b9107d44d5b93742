//! Messages of PostgreSQL's protocol, as they come over a socket.

use tokio::io::AsyncReadExt as _;
use tokio::net::tcp::OwnedReadHalf;

/// Kind and length of a message; the first one of a connection has no kind.
const HEAD: usize = 5;
const LENGTH: usize = 4;

/// One message, whole, as it is sent on.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) bytes: Vec<u8>,
}

impl Frame {
    /// What follows kind and length.
    pub(super) fn body(&self) -> &[u8] {
        &self.bytes[HEAD..]
    }
}

/// One side of a connection, read message by message.
#[derive(Debug)]
pub(super) struct Frames {
    from: OwnedReadHalf,
    buffer: Vec<u8>,
}

impl Frames {
    pub(super) fn new(from: OwnedReadHalf) -> Self {
        Self {
            from,
            buffer: Vec::new(),
        }
    }

    /// The next message; `None`: the other side is gone. What was read of one is kept when the caller
    /// gives up waiting.
    pub(super) async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(length) = self.whole() {
                return Some(Frame {
                    kind: self.buffer[0],
                    bytes: self.buffer.drain(..length).collect(),
                });
            }
            self.more().await?;
        }
    }

    /// Whether the next message is there already.
    pub(super) fn is_next_there(&self) -> bool {
        self.whole().is_some()
    }

    /// The message that opens a connection, and those before it that ask for encryption.
    pub(super) async fn opening(&mut self) -> Option<Vec<u8>> {
        while self.buffer.len() < LENGTH || self.buffer.len() < length(&self.buffer) {
            self.more().await?;
        }
        let length = length(&self.buffer);
        Some(self.buffer.drain(..length).collect())
    }

    /// The one byte that answers a wish for encryption.
    pub(super) async fn byte(&mut self) -> Option<u8> {
        while self.buffer.is_empty() {
            self.more().await?;
        }
        Some(self.buffer.remove(0))
    }

    fn whole(&self) -> Option<usize> {
        let length = 1 + length(self.buffer.get(1..HEAD)?);
        (self.buffer.len() >= length).then_some(length)
    }

    async fn more(&mut self) -> Option<()> {
        let read = self.from.read_buf(&mut self.buffer).await.ok()?;
        (read > 0).then_some(())
    }
}

fn length(bytes: &[u8]) -> usize {
    u32::from_be_bytes(bytes[..LENGTH].try_into().unwrap()) as usize
}

/// The text up to the next zero byte, and what follows it.
pub(super) fn text(bytes: &[u8]) -> (String, &[u8]) {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap();
    let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
    (text, &bytes[end + 1..])
}
