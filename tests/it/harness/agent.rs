//! A scripted HTTP agent on loopback. It remembers every call, and sees when the caller hangs up.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{PATIENCE, until};

/// One call as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: HashMap<String, String>,
    /// Null when it is not JSON.
    pub(crate) body: Value,
    /// The body as it came, for what is signed.
    pub(crate) raw: Vec<u8>,
    /// Which call to this path it is, from 1.
    pub(crate) number: usize,
    /// Whether the caller hung up before it was answered.
    pub(crate) aborted: bool,
    pub(crate) answered: bool,
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// What a call is answered with.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Json(u16, Value),
    /// Status, headers, body.
    Raw(u16, Vec<(&'static str, String)>, String),
    /// The inner reply, once the test has called [`Agent::release`] for the path.
    Held(Box<Reply>),
    /// No answer at all.
    Never,
    /// The connection is closed without an answer.
    HangUp,
}

impl Reply {
    pub(crate) fn ok() -> Self {
        Self::Json(200, json!({"ok": true}))
    }

    pub(crate) fn held() -> Self {
        Self::Held(Box::new(Self::ok()))
    }
}

type Script = Arc<dyn Fn(&Call) -> Reply + Send + Sync>;

#[derive(Default)]
struct Inner {
    calls: Mutex<Vec<Call>>,
    scripts: Mutex<HashMap<String, Script>>,
    /// The number of calls to a path, from the first on, that may be answered.
    released: Mutex<HashMap<String, usize>>,
}

/// The agent. Its server ends with it.
pub(crate) struct Agent {
    inner: Arc<Inner>,
    released: watch::Sender<()>,
    port: u16,
    task: JoinHandle<()>,
}

impl fmt::Debug for Agent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Agent({})", self.port)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Agent {
    /// Starts one that answers every call with 200 and `{"ok": true}` until told otherwise.
    pub(crate) async fn start() -> Self {
        Self::on_listener(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    /// Starts one on a port that something outside names.
    pub(crate) async fn start_at(port: u16) -> Self {
        let bind = || TcpListener::bind(("127.0.0.1", port));
        let listener = until("the port is free", PATIENCE, async || bind().await.ok()).await;
        Self::on_listener(listener)
    }

    fn on_listener(listener: TcpListener) -> Self {
        let port = listener.local_addr().unwrap().port();
        let inner = Arc::new(Inner::default());
        let released = watch::Sender::new(());
        let task = tokio::spawn(serve(listener, inner.clone(), released.subscribe()));
        Self {
            inner,
            released,
            port,
            task,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Says how calls to a path are answered.
    pub(crate) fn on(&self, path: &str, script: impl Fn(&Call) -> Reply + Send + Sync + 'static) {
        self.inner
            .scripts
            .lock()
            .unwrap()
            .insert(path.to_owned(), Arc::new(script));
    }

    /// The first `count` calls to a path get `failure`, the rest 200.
    pub(crate) fn fails(&self, path: &str, count: usize, failure: Reply) {
        self.on(path, move |call| {
            if call.number <= count {
                failure.clone()
            } else {
                Reply::ok()
            }
        });
    }

    /// Lets all held calls to a path go, and those to come.
    pub(crate) fn release(&self, path: &str) {
        self.release_first(path, usize::MAX);
    }

    /// Lets the first `count` calls to a path go.
    pub(crate) fn release_first(&self, path: &str, count: usize) {
        self.inner
            .released
            .lock()
            .unwrap()
            .insert(path.to_owned(), count);
        self.released.send_replace(());
    }

    /// The calls to a path so far.
    pub(crate) fn calls(&self, path: &str) -> Vec<Call> {
        let calls = self.inner.calls.lock().unwrap();
        calls
            .iter()
            .filter(|call| call.path == path)
            .cloned()
            .collect()
    }

    /// All calls so far, in order of arrival.
    pub(crate) fn all(&self) -> Vec<Call> {
        self.inner.calls.lock().unwrap().clone()
    }

    /// Waits until a path was called this often; gives the last of those calls.
    pub(crate) async fn called(&self, path: &str, count: usize) -> Call {
        until(&format!("{count} calls to {path}"), PATIENCE, async || {
            self.calls(path).get(count - 1).cloned()
        })
        .await
    }

    /// Waits until the caller of the call with this number hung up.
    pub(crate) async fn aborted(&self, path: &str, number: usize) {
        until(
            &format!("call {number} to {path} is aborted"),
            PATIENCE,
            async || {
                self.calls(path)
                    .get(number - 1)
                    .is_some_and(|call| call.aborted)
                    .then_some(())
            },
        )
        .await;
    }
}

async fn serve(listener: TcpListener, inner: Arc<Inner>, released: watch::Receiver<()>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(connection(stream, inner.clone(), released.clone()));
    }
}

async fn connection(mut stream: TcpStream, inner: Arc<Inner>, mut released: watch::Receiver<()>) {
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::new();
    while let Some(mut call) = read_call(&mut stream, &mut buffer).await {
        let (place, script) = {
            let mut calls = inner.calls.lock().unwrap();
            call.number = 1 + calls.iter().filter(|c| c.path == call.path).count();
            calls.push(call.clone());
            let script = inner.scripts.lock().unwrap().get(&call.path).cloned();
            (calls.len() - 1, script)
        };
        let mut reply = script.map_or_else(Reply::ok, |script| script(&call));
        let mut is_held = false;
        if let Reply::Held(held) = reply {
            reply = *held;
            is_held = true;
        }
        let may_go = async {
            if matches!(reply, Reply::Never) {
                std::future::pending::<()>().await;
            }
            let limit = || {
                inner
                    .released
                    .lock()
                    .unwrap()
                    .get(&call.path)
                    .copied()
                    .unwrap_or(0)
            };
            while is_held && limit() < call.number {
                if released.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        // A client that sends anything before its answer would be one that pipelines: ours do not.
        let mut byte = [0];
        tokio::select! {
            () = may_go => {}
            _ = stream.read(&mut byte) => {
                inner.calls.lock().unwrap()[place].aborted = true;
                return;
            }
        }
        if matches!(reply, Reply::HangUp) {
            return;
        }
        if write_reply(&mut stream, reply).await.is_err() {
            inner.calls.lock().unwrap()[place].aborted = true;
            return;
        }
        inner.calls.lock().unwrap()[place].answered = true;
    }
}

async fn read_call(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Call> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    assert!(
        !headers.contains_key("transfer-encoding"),
        "bodies come with their length"
    );
    let length = headers
        .get("content-length")
        .map_or(0, |length| length.parse().unwrap());
    while buffer.len() < end + 4 + length {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let rest = buffer.split_off(end + 4 + length);
    let raw = buffer[end + 4..].to_vec();
    let body = serde_json::from_slice(&raw).unwrap_or_default();
    *buffer = rest;
    Some(Call {
        method,
        path,
        headers,
        body,
        raw,
        number: 0,
        aborted: false,
        answered: false,
    })
}

async fn write_reply(stream: &mut TcpStream, reply: Reply) -> std::io::Result<()> {
    let (status, headers, body) = match reply {
        Reply::Json(status, body) => (
            status,
            vec![("content-type", "application/json".to_owned())],
            body.to_string(),
        ),
        Reply::Raw(status, headers, body) => (status, headers, body),
        Reply::Held(_) | Reply::Never | Reply::HangUp => unreachable!("handled by the caller"),
    };
    let mut text = format!(
        "HTTP/1.1 {status} Scripted\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    text += "\r\n";
    stream.write_all(text.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await
}
