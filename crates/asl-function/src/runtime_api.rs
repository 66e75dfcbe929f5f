//! The AWS Lambda Runtime API for one worker: a listener with an address of its own, so that the
//! address says which worker is speaking and a worker can only ever reach its own work.

use std::{
    convert::Infallible,
    hash::{BuildHasher, RandomState},
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, body::Incoming, header, http::HeaderValue, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, oneshot, watch},
    task::{AbortHandle, JoinSet},
};

use crate::error::MAX_RESPONSE_BYTES;

/// A worker has one or two connections; more than this is a program gone wrong.
const MAX_CONNECTIONS: usize = 32;
/// How much of a too large body is read and dropped so that the worker can go on, in bytes.
const MAX_DRAINED_BYTES: usize = 64 << 20;
const VERSION: &str = "/2018-06-01/runtime/";

/// An invocation on its way to the worker.
pub(crate) struct Delivery {
    pub(crate) request_id: String,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Bytes,
}

/// What the worker said to an invocation.
#[derive(Debug)]
pub(crate) enum Answer {
    Response(Bytes),
    Error(Bytes),
    TooLarge,
}

/// How far a worker has come with loading its code.
#[derive(Debug, Clone)]
pub(crate) enum Init {
    Loading,
    /// It asked for work.
    Ready,
    /// It reported an init error, with this body.
    Failed(Bytes),
}

/// Where the one invocation that a worker can have is.
enum Stage {
    Free,
    /// Offered, but the worker has not come for it.
    Offered(Delivery, oneshot::Sender<Answer>),
    /// The worker has it.
    Taken(String, oneshot::Sender<Answer>),
}

struct Shared {
    stage: Mutex<Stage>,
    offered: Notify,
    init: watch::Sender<Init>,
}

/// One worker's Runtime API. Dropping it closes the port and every connection.
pub(crate) struct RuntimeApi {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: AbortHandle,
}

impl RuntimeApi {
    pub(crate) async fn listen() -> io::Result<Self> {
        let listener = match TcpListener::bind((some_loopback(), 0)).await {
            Ok(listener) => listener,
            // Other systems than Linux have no more than one.
            Err(_) => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?,
        };
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            stage: Mutex::new(Stage::Free),
            offered: Notify::new(),
            init: watch::Sender::new(Init::Loading),
        });
        let server = tokio::spawn(serve(listener, Arc::clone(&shared))).abort_handle();
        Ok(Self { address, shared, server })
    }

    /// `host:port`, the value of `AWS_LAMBDA_RUNTIME_API`.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Follows how the worker's loading goes.
    pub(crate) fn init(&self) -> watch::Receiver<Init> {
        self.shared.init.subscribe()
    }

    /// Gives the worker its next invocation; the receiver yields the answer. Not to be called
    /// before the last invocation was answered.
    pub(crate) fn offer(&self, delivery: Delivery) -> oneshot::Receiver<Answer> {
        let (answer, receiver) = oneshot::channel();
        *self.shared.stage() = Stage::Offered(delivery, answer);
        self.shared.offered.notify_one();
        receiver
    }

    /// True if the worker never came for the invocation it was offered.
    pub(crate) fn is_untaken(&self) -> bool {
        matches!(*self.shared.stage(), Stage::Offered(..))
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Any of the addresses by which a machine reaches itself. Ports are given again soon: a process that
/// was starting when its engine was killed could come to another worker's and take its work.
fn some_loopback() -> Ipv4Addr {
    let [_, a, b, c, ..] = RandomState::new().hash_one(()).to_be_bytes();
    Ipv4Addr::new(127, a, b, c.clamp(1, 254))
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    // Held here so that aborting this task ends the connections with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(connection(stream, Arc::clone(&shared)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(shared.handle(request).await) }
    });
    // Official runtimes ignore case in header names, but shell scripts do not: as AWS writes them.
    let served = http1::Builder::new().title_case_headers(true).serve_connection(TokioIo::new(stream), service);
    if let Err(error) = served.await {
        tracing::debug!(%error, "a worker's connection ended early");
    }
}

impl Shared {
    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn handle(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().strip_prefix(VERSION).unwrap_or_default();
        let steps: Vec<&str> = path.split('/').collect();
        match (&parts.method, steps.as_slice()) {
            (&Method::GET, ["invocation", "next"]) => self.next().await,
            (&Method::POST, ["invocation", id, "response"]) => {
                let answer = match read(body).await {
                    Ok(Some(body)) => Answer::Response(body),
                    Ok(None) => Answer::TooLarge,
                    Err(()) => return refused(StatusCode::BAD_REQUEST, "TruncatedBody"),
                };
                self.answer(id, answer)
            }
            (&Method::POST, ["invocation", id, "error"]) => {
                let answer = match read(body).await {
                    Ok(Some(body)) => Answer::Error(body),
                    Ok(None) => Answer::TooLarge,
                    Err(()) => return refused(StatusCode::BAD_REQUEST, "TruncatedBody"),
                };
                self.answer(id, answer)
            }
            (&Method::POST, ["init", "error"]) => match read(body).await {
                Ok(body) => self.init_error(body.unwrap_or_default()),
                Err(()) => refused(StatusCode::BAD_REQUEST, "TruncatedBody"),
            },
            _ => refused(StatusCode::NOT_FOUND, "NotFound"),
        }
    }

    /// Waits for an invocation. If the worker hangs up, hyper drops this future.
    async fn next(&self) -> Response<Full<Bytes>> {
        self.init.send_if_modified(|init| {
            let first = matches!(init, Init::Loading);
            if first {
                *init = Init::Ready;
            }
            first
        });
        loop {
            let offered = self.offered.notified();
            {
                let mut stage = self.stage();
                match std::mem::replace(&mut *stage, Stage::Free) {
                    Stage::Free => {}
                    Stage::Offered(delivery, answer) => {
                        *stage = Stage::Taken(delivery.request_id, answer);
                        let mut response = Response::new(Full::new(delivery.payload));
                        *response.headers_mut() = delivery.headers;
                        return response;
                    }
                    taken @ Stage::Taken(..) => {
                        *stage = taken;
                        return refused(StatusCode::FORBIDDEN, "InvalidStateTransition");
                    }
                }
            }
            offered.await;
        }
    }

    fn answer(&self, request_id: &str, answer: Answer) -> Response<Full<Bytes>> {
        let mut stage = self.stage();
        match std::mem::replace(&mut *stage, Stage::Free) {
            Stage::Taken(current, sender) if current == request_id => {
                let too_large = matches!(answer, Answer::TooLarge);
                // Nobody receives it when the invocation was given up; the worker is then ended.
                let _ = sender.send(answer);
                match too_large {
                    true => refused(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge"),
                    false => accepted(),
                }
            }
            other => {
                *stage = other;
                refused(StatusCode::BAD_REQUEST, "InvalidRequestID")
            }
        }
    }

    fn init_error(&self, body: Bytes) -> Response<Full<Bytes>> {
        let told = self.init.send_if_modified(|init| {
            let loading = matches!(init, Init::Loading);
            if loading {
                *init = Init::Failed(body);
            }
            loading
        });
        if told { accepted() } else { refused(StatusCode::FORBIDDEN, "InvalidStateTransition") }
    }
}

/// The whole body; `None` if it is larger than Lambda allows (it is then read to its end and
/// dropped, so that the connection can be used again).
async fn read(mut body: Incoming) -> Result<Option<Bytes>, ()> {
    let (mut collected, mut length) = (BytesMut::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(drop)?.into_data() else { continue };
        length += data.len();
        if length <= MAX_RESPONSE_BYTES {
            collected.extend_from_slice(&data);
        } else if length > MAX_DRAINED_BYTES {
            return Ok(None);
        } else {
            collected = BytesMut::new();
        }
    }
    Ok((length <= MAX_RESPONSE_BYTES).then(|| collected.freeze()))
}

fn accepted() -> Response<Full<Bytes>> {
    json(StatusCode::ACCEPTED, r#"{"status":"OK"}"#.to_owned())
}

fn refused(status: StatusCode, error_type: &str) -> Response<Full<Bytes>> {
    let message = status.canonical_reason().unwrap_or_default();
    json(status, format!(r#"{{"errorMessage":"{message}","errorType":"{error_type}"}}"#))
}

fn json(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::RuntimeApi;
    use std::collections::HashSet;

    #[tokio::test]
    async fn an_address_is_not_given_again_soon() {
        let mut hosts = HashSet::new();
        for _ in 0..20 {
            let address = RuntimeApi::listen().await.unwrap().address();
            assert!(address.ip().is_loopback(), "{address}");
            hosts.insert(address.ip());
        }
        // Twenty of sixteen million.
        assert!(hosts.len() > 18 || !cfg!(target_os = "linux"), "{hosts:?}");
    }
}
