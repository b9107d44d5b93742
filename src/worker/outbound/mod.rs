//! Calls to the world: one client with a connection pool per host, bounds on what goes out and
//! comes in and on the sockets of it all, and no redirects, so that the address that was checked is the address that
//! answers.

mod answer;
pub(crate) mod egress;
mod mask;
pub(crate) mod retry_after;
pub(crate) mod signature;
pub(crate) mod sockets;
pub(crate) mod trace;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Client, ClientBuilder, Method};
use stepwell_queue::descriptors;
use stepwell_workflow::Failure;
use stepwell_workflow::limits::PAYLOAD_BYTES_MAX;
use url::Url;

pub(crate) use answer::Answer;
use egress::Refused;
use mask::Secrets;
use sockets::{Socket, Sockets};

/// How long an unused connection is kept: shorter than the 60 s after which common servers and
/// balancers close theirs, so that a call seldom meets a connection that has just been closed.
const IDLE_MAX: Duration = Duration::from_secs(50);
/// How long a connection may take to come about, within the attempt's own timeout.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// The client of one worker.
#[derive(Clone, Debug)]
pub(crate) struct Outbound {
    sockets: Arc<Sockets>,
    allow_private: bool,
}

/// A request to be sent.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Outbound {
    /// Makes the client, with so many sockets at most.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(crate) fn new(allow_private: bool, sockets: usize) -> Result<Self, reqwest::Error> {
        // Whoever was first has chosen; a second choice is refused, and that is well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let make = Box::new(move || client(allow_private));
        Ok(Self {
            sockets: Arc::new(Sockets::new(sockets, make)?),
            allow_private,
        })
    }

    /// The client itself.
    pub(crate) fn client(&self) -> Client {
        self.sockets.client()
    }

    /// Waits for a socket to call this URL by; not long, and the time is not the attempt's.
    ///
    /// # Errors
    /// [`sockets::SHORTAGE`].
    pub(crate) async fn socket(&self, url: &Url) -> Result<Socket, Failure> {
        self.sockets.take(url).await
    }

    /// Reads a URL and checks that it may be called.
    pub(crate) fn url(&self, text: &str) -> Result<Url, Failure> {
        let url = Url::parse(text).map_err(|e| {
            Failure::fatal(
                "invalid_url",
                format!("this is not a URL that can be called: {e}"),
            )
        })?;
        // It would stand in logs and messages. The definition is refused, where it shows there.
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Failure::fatal(
                "invalid_url",
                "the URL holds credentials; send them in a header",
            ));
        }
        egress::check(&url, self.allow_private)
            .map_err(|e| Failure::fatal("egress_refused", e.to_string()))?;
        Ok(url)
    }

    /// Sends a request and reads the whole answer. Bound it by a timeout.
    pub(crate) async fn send(&self, socket: Socket, request: Request) -> Result<Answer, Failure> {
        if request.body.len() > PAYLOAD_BYTES_MAX {
            return Err(Failure::fatal(
                "request_too_large",
                format!(
                    "the request body has {} bytes, at most {PAYLOAD_BYTES_MAX} are sent",
                    request.body.len()
                ),
            ));
        }
        let secrets = Secrets::of(&request.headers);
        let mut call = socket
            .client
            .request(request.method, request.url)
            .headers(request.headers);
        if !request.body.is_empty() {
            call = call.body(request.body);
        }
        let mut response = match call.send().await {
            Ok(response) => response,
            Err(error) if is_shortage(&error) => return Err(socket.none_left()),
            Err(error) => return Err(failure_of(error)),
        };
        let status = response.status().as_u16();
        let mut headers = std::mem::take(response.headers_mut());
        let mut body = read(response).await?;
        if !secrets.is_empty() {
            secrets.mask_headers(&mut headers);
            body = secrets.mask(body);
        }
        Ok(Answer {
            status,
            headers,
            body,
        })
    }
}

fn client(allow_private: bool) -> Result<Client, reqwest::Error> {
    // Small images hold no certificates: then the roots that this program brings along.
    settings(allow_private).build().or_else(|_| {
        settings(allow_private)
            .tls_backend_preconfigured(own_roots())
            .build()
    })
}

fn settings(allow_private: bool) -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("stepwell/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        // A proxy would resolve names itself, past the check of addresses.
        .no_proxy()
        .tcp_nodelay(true)
        .pool_idle_timeout(IDLE_MAX)
        .connect_timeout(CONNECT_MAX)
        .dns_resolver(egress::Checked { allow_private })
}

fn own_roots() -> rustls::ClientConfig {
    let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned();
    rustls::ClientConfig::builder()
        .with_root_certificates(rustls::RootCertStore::from_iter(roots))
        .with_no_client_auth()
}

/// Reads a body up to the limit.
async fn read(mut response: reqwest::Response) -> Result<Bytes, Failure> {
    let announced = response.content_length().unwrap_or(0);
    if announced > PAYLOAD_BYTES_MAX as u64 {
        return Err(too_large());
    }
    // Most answers arrive in one piece, which then needs no copy.
    let Some(first) = response.chunk().await.map_err(failure_of)? else {
        return Ok(Bytes::new());
    };
    let mut whole: Option<Vec<u8>> = None;
    while let Some(next) = response.chunk().await.map_err(failure_of)? {
        let whole = whole.get_or_insert_with(|| first.to_vec());
        if whole.len() + next.len() > PAYLOAD_BYTES_MAX {
            return Err(too_large());
        }
        whole.extend_from_slice(&next);
    }
    let body = whole.map_or(first, Bytes::from);
    if body.len() > PAYLOAD_BYTES_MAX {
        return Err(too_large());
    }
    Ok(body)
}

fn too_large() -> Failure {
    Failure::fatal(
        "response_too_large",
        format!("the answer has more than {PAYLOAD_BYTES_MAX} bytes"),
    )
}

/// Whether a request was not sent because this process had nothing to send it by. Where names are resolved, the reason
/// may be hidden.
fn is_shortage(error: &reqwest::Error) -> bool {
    if !error.is_connect() {
        return false;
    }
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let mut told = causes.filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    told.any(descriptors::is_shortage) || descriptors::are_gone()
}

/// Says why a request did not come to an answer. Without the URL, which may hold secrets.
fn failure_of(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        if let Some(refused) = inner.downcast_ref::<Refused>() {
            return Failure::fatal("egress_refused", refused.to_string());
        }
        let text = inner.to_string();
        if !message.contains(&text) {
            message.push_str(": ");
            message.push_str(&text);
        }
        cause = inner.source();
    }
    if error.is_builder() {
        return Failure::fatal("invalid_request", message);
    }
    Failure::retryable("connect", message)
}

#[cfg(test)]
mod tests;
