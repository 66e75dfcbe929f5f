//! The AWS Lambda Runtime API for one worker: a listener with an address of its own, so that the
//! address says which worker is speaking and a worker can only ever reach its own work.

use std::{
    convert::Infallible,
    hash::{BuildHasher, RandomState},
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
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
    sync::{Mutex as AsyncMutex, Notify, oneshot, watch},
    task::{AbortHandle, JoinSet},
    time::{sleep, timeout},
};

pub(crate) use crate::door::Knock;
use crate::{
    door::{Door, OnKnock},
    error::MAX_RESPONSE_BYTES,
};

/// A worker has one or two connections; more than this is a program gone wrong.
const MAX_CONNECTIONS: usize = 32;
/// How much of a too large body is read and dropped so that the worker can go on, in bytes.
const MAX_DRAINED_BYTES: usize = 64 << 20;
const VERSION: &str = "/2018-06-01/runtime/";
/// How long a `next` may wait for an earlier one to go, whose connection has just ended.
const TURN: Duration = Duration::from_millis(200);
/// How long accepting pauses when there is no room for another connection.
const NO_ROOM: Duration = Duration::from_millis(20);

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
    door: Door,
    /// Held by the `next` that waits.
    turn: AsyncMutex<()>,
}

/// One worker's Runtime API. Dropping it closes the port and every connection.
pub(crate) struct RuntimeApi {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: AbortHandle,
}

impl RuntimeApi {
    /// With a secret path in its address, or without. `on_knock` hears who was refused.
    pub(crate) async fn listen(has_secret: bool, on_knock: OnKnock) -> io::Result<Self> {
        let door = Door::new(has_secret, on_knock)?;
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
            door,
            turn: AsyncMutex::new(()),
        });
        let server = tokio::spawn(serve(listener, Arc::clone(&shared))).abort_handle();
        Ok(Self { address, shared, server })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The value of `AWS_LAMBDA_RUNTIME_API`: `host:port`, with the secret path where there is one.
    pub(crate) fn address_for_worker(&self) -> String {
        match self.shared.door.secret() {
            Some(secret) => format!("{}/{secret}", self.address),
            None => self.address.to_string(),
        }
    }

    /// From here on the process and what descends from it is let in.
    pub(crate) fn belongs_to(&self, root: u32) {
        self.shared.door.opens_to(root);
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
                match accepted {
                    Ok((stream, _)) => drop(connections.spawn(connection(stream, Arc::clone(&shared)))),
                    // Mostly: no file number is free. It stays in the kernel's queue.
                    Err(_) => sleep(NO_ROOM).await,
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    if !shared.door.lets_in(&stream).await {
        return;
    }
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
        let Some(path) = self.door.behind(parts.uri.path()) else {
            self.door.refuse(Knock::WithoutSecret);
            return refused(StatusCode::FORBIDDEN, "AccessDenied");
        };
        let path = path.strip_prefix(VERSION).unwrap_or_default();
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

    /// Waits for an invocation, one request at a time. If the worker hangs up, hyper drops this future.
    async fn next(&self) -> Response<Full<Bytes>> {
        let Ok(_turn) = timeout(TURN, self.turn.lock()).await else {
            self.door.refuse(Knock::SecondNext);
            return refused(StatusCode::FORBIDDEN, "InvalidStateTransition");
        };
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
    use super::{Delivery, Init, Knock, RuntimeApi};
    use bytes::Bytes;
    use hyper::HeaderMap;
    use std::collections::HashSet;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    #[tokio::test]
    async fn an_address_is_not_given_again_soon() {
        let mut hosts = HashSet::new();
        for _ in 0..20 {
            let address = RuntimeApi::listen(false, Box::new(|_| {})).await.unwrap().address();
            assert!(address.ip().is_loopback(), "{address}");
            hosts.insert(address.ip());
        }
        // Twenty of sixteen million.
        assert!(hosts.len() > 18 || !cfg!(target_os = "linux"), "{hosts:?}");
    }

    /// Reads one answer's head.
    async fn status(stream: &mut TcpStream) -> String {
        let mut bytes = [0; 4096];
        let length = stream.read(&mut bytes).await.unwrap();
        String::from_utf8_lossy(&bytes[..length]).lines().next().unwrap_or_default().to_owned()
    }

    async fn ask(api: &RuntimeApi) -> TcpStream {
        let mut stream = TcpStream::connect(api.address()).await.unwrap();
        stream.write_all(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        stream
    }

    #[tokio::test]
    async fn one_next_waits_at_a_time() {
        let (knocked, knocks) = std::sync::mpsc::channel();
        let on_knock = Box::new(move |knock: Knock| drop(knocked.send(knock.to_string())));
        let api = RuntimeApi::listen(false, on_knock).await.unwrap();
        api.belongs_to(std::process::id());
        let first = ask(&api).await;
        api.init().wait_for(|init| matches!(init, Init::Ready)).await.unwrap();
        assert_eq!(status(&mut ask(&api).await).await, "HTTP/1.1 403 Forbidden");
        assert!(knocks.recv().unwrap().contains("a second request for the next invocation"));
        drop(first);
        let mut third = ask(&api).await;
        let delivery =
            Delivery { request_id: "r".into(), headers: HeaderMap::new(), payload: Bytes::from_static(b"1") };
        let _answer = api.offer(delivery);
        assert_eq!(status(&mut third).await, "HTTP/1.1 200 OK");
    }
}
