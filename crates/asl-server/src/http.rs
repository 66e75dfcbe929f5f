//! The listener: connections and requests, all bounded; a shutdown that answers what has begun.

use crate::console::Console;
use crate::door::Door;
use crate::operation::{Api, Declared};
use crate::quota::Quotas;
use crate::route::Router;
use crate::tls::Tls;
use asl::Engine;
use asl::parts::embedded::Identity;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

/// What the server takes at most.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections that are open at once.
    pub connections: usize,
    /// Requests that are at work at once; further ones are told to come again. Those that only wait for work are not counted.
    pub requests: usize,
    /// The bytes of one body.
    pub body_bytes: usize,
    /// The bytes of one body that is an object for S3.
    pub object_bytes: usize,
    /// The bytes of all bodies that are being read or worked on.
    pub all_bytes: usize,
    /// How long a head, or a body, may take to arrive.
    pub read: Duration,
    /// How long the end waits for what has begun.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 16_384,
            requests: 4096,
            body_bytes: 8 << 20,
            object_bytes: 64 << 20,
            all_bytes: 256 << 20,
            read: Duration::from_secs(30),
            drain: Duration::from_secs(10),
        }
    }
}

/// The most open files that a server asks for: a file for each connection, and some more.
const OPEN_FILES: u64 = 65_536;

/// Lets this process have as many files open as the system allows it, up to 65,536: most systems begin with 1,024, and each connection
/// is one. Processes that it starts have the same.
pub fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let now = getrlimit(Resource::Nofile);
    let wanted = now.maximum.map_or(OPEN_FILES, |most| most.min(OPEN_FILES));
    if now.current.is_some_and(|current| current < wanted) {
        // A system that says no leaves what there was.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: now.maximum });
    }
}

/// Why the server cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be had.
    #[error("the address {address} cannot be listened on: {problem}")]
    Address {
        /// Which.
        address: SocketAddr,
        /// The system's word for it.
        problem: std::io::Error,
    },
    /// A state machine of the project was not accepted.
    #[error("the state machine '{name}' is not accepted: {problem}")]
    Declared {
        /// Its name.
        name: String,
        /// What is wrong.
        problem: String,
    },
}

/// A server over an engine.
pub struct Server {
    api: Arc<Api>,
    door: Door,
    limits: Limits,
    console_only_shows: bool,
    tls: Option<Tls>,
    quotas: Quotas,
}

/// A request with its body, read whole.
pub(crate) struct Received {
    pub(crate) parts: hyper::http::request::Parts,
    pub(crate) body: Bytes,
}

/// What is answered, read whole.
pub(crate) type Answered = Response<Full<Bytes>>;

/// The body of an answer.
enum Sent {
    Whole(Full<Bytes>),
    /// Event by event, until its sender is done.
    Events(mpsc::Receiver<Bytes>),
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Sent::Whole(body) => Pin::new(body).poll_frame(cx),
            Sent::Events(events) => events.poll_recv(cx).map(|event| event.map(|event| Ok(Frame::data(event)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Sent::Whole(body) => body.is_end_stream(),
            Sent::Events(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Sent::Whole(body) => body.size_hint(),
            Sent::Events(_) => SizeHint::default(),
        }
    }
}

/// An answer that goes on event by event.
fn events(events: mpsc::Receiver<Bytes>) -> Response<Sent> {
    let mut response = Response::new(Sent::Events(events));
    let headers = response.headers_mut();
    headers.insert(hyper::header::CONTENT_TYPE, hyper::header::HeaderValue::from_static("text/event-stream"));
    headers.insert(hyper::header::CACHE_CONTROL, hyper::header::HeaderValue::from_static("no-store"));
    response
}

struct Shared {
    router: Router,
    limits: Limits,
    bytes: Arc<Semaphore>,
}

impl Server {
    /// A server that answers for this engine, with the region and account that ARNs show.
    pub fn new(engine: Engine, identity: Identity) -> Server {
        Server {
            api: Arc::new(Api::new(engine, identity)),
            door: Door::open(),
            limits: Limits::default(),
            console_only_shows: false,
            tls: None,
            quotas: Quotas::default(),
        }
    }

    /// Who may come in; anybody unless set.
    pub fn door(mut self, door: Door) -> Server {
        self.door = door;
        self
    }

    /// What it takes at most.
    pub fn limits(mut self, limits: Limits) -> Server {
        self.limits = limits;
        self
    }

    /// The console in the browser only shows, and does not act. The API is as it was.
    pub fn read_only_console(mut self, read_only: bool) -> Server {
        self.console_only_shows = read_only;
        self
    }

    /// Talks TLS, with this certificate, and nothing else; plain HTTP unless set.
    pub fn tls(mut self, tls: Option<Tls>) -> Server {
        self.tls = tls;
        self
    }

    /// How many requests of each operation are answered; what is over that gets a ThrottlingException.
    pub fn quotas(mut self, quotas: Quotas) -> Server {
        self.quotas = quotas;
        self
    }

    /// What makes the state machines of a project, also while the server answers.
    pub fn declarer(&self) -> Declarer {
        Declarer(self.api.clone())
    }

    /// Listens on an address, which may have port 0.
    ///
    /// # Errors
    /// When it cannot be had.
    pub async fn bind(self, address: SocketAddr) -> Result<Bound, ServerError> {
        Ok(self.on(Listener::bind(address).await?))
    }

    /// Answers on an address that is listened on already.
    pub fn on(self, listener: Listener) -> Bound {
        Bound { server: self, listener }
    }
}

/// Makes the state machines of a project in a server's catalogue.
#[derive(Clone)]
pub struct Declarer(Arc<Api>);

impl Declarer {
    /// Makes state machines, or brings them up to date: executions that run keep the definition they began with. Returns the names of
    /// those that are new or changed.
    ///
    /// # Errors
    /// For the first that is not accepted.
    pub async fn declare(&self, machines: &[Declared]) -> Result<Vec<String>, ServerError> {
        let mut changed = Vec::new();
        for machine in machines {
            let declared = self.0.declare(machine).await;
            let refused = |error: crate::wire::ApiError| ServerError::Declared {
                name: machine.name.clone(),
                problem: error.message,
            };
            if declared.map_err(refused)? {
                changed.push(machine.name.clone());
            }
        }
        Ok(changed)
    }
}

/// An address that is listened on. Its clones are the same. For those who have to know it before there is a server: the URLs of queues show it.
#[derive(Clone)]
pub struct Listener {
    listener: Arc<TcpListener>,
    address: SocketAddr,
}

impl Listener {
    /// Listens on an address, which may have port 0.
    ///
    /// # Errors
    /// When it cannot be had.
    pub async fn bind(address: SocketAddr) -> Result<Listener, ServerError> {
        let failed = |problem| ServerError::Address { address, problem };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Listener { listener: Arc::new(listener), address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// A server that listens.
pub struct Bound {
    server: Server,
    listener: Listener,
}

/// How long accepting pauses when the system has no room for another connection.
const NO_ROOM: Duration = Duration::from_millis(50);
/// How often state machines that are being deleted are looked after.
const SWEEP: Duration = Duration::from_secs(1);

impl Bound {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listener.address
    }

    /// Answers until `stop` is done; then takes no further request, answers those that have begun, and returns.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let Bound { server, listener: Listener { listener, .. } } = self;
        let Server { api, door, limits, console_only_shows, tls, quotas } = server;
        let (ending, ended) = watch::channel(false);
        let shared = Arc::new(Shared {
            bytes: Arc::new(Semaphore::new(limits.all_bytes.min(Semaphore::MAX_PERMITS))),
            router: Router::new(
                api.clone(),
                door,
                Console::new(console_only_shows, tls.is_some()),
                limits.requests,
                &quotas,
                ended.clone(),
            ),
            limits,
        });
        let places = Arc::new(Semaphore::new(shared.limits.connections));
        let mut connections = JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        let sweeper = tokio::spawn(sweep(api));
        loop {
            let accepted = async {
                let place = places.clone().acquire_owned().await;
                (listener.accept().await, place)
            };
            tokio::select! {
                () = &mut stop => break,
                Some(_) = connections.join_next() => {}
                (accepted, place) = accepted => match accepted {
                    Ok((stream, _)) => {
                        let (shared, ended, tls) = (shared.clone(), ended.clone(), tls.clone());
                        connections.spawn(async move {
                            let _place = place;
                            accepted_by(tls, stream, shared, ended).await;
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(NO_ROOM).await;
                    }
                }
            }
        }
        drop(listener);
        ending.send_replace(true);
        let all = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(shared.limits.drain, all).await;
        sweeper.abort();
    }
}

/// Looks after state machines that are being deleted. It does not end.
async fn sweep(api: Arc<Api>) {
    loop {
        if let Err(error) = api.sweep().await {
            tracing::warn!(code = %error.code, message = %error.message, "a deletion goes on later");
        }
        tokio::time::sleep(SWEEP).await;
    }
}

/// A connection, after its handshake where there is one. A client that never ends the handshake is left.
async fn accepted_by(tls: Option<Tls>, stream: TcpStream, shared: Arc<Shared>, ended: watch::Receiver<bool>) {
    // Small answers are not to wait for further ones.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else { return connection(stream, shared, ended).await };
    let mut ends = ended.clone();
    let shaken = tokio::select! {
        shaken = tokio::time::timeout(shared.limits.read, tls.accept(stream)) => shaken,
        _ = ends.wait_for(|ended| *ended) => return,
    };
    match shaken {
        Ok(Ok(stream)) => connection(stream, shared, ended).await,
        Ok(Err(error)) => tracing::debug!(%error, "a client and this server did not come to terms"),
        Err(_) => {}
    }
}

async fn connection<S>(stream: S, shared: Arc<Shared>, mut ended: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let service = service_fn({
        let shared = shared.clone();
        move |request| {
            let shared = shared.clone();
            async move { Ok::<_, Infallible>(shared.answer(request).await) }
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(shared.limits.read).max_buf_size(64 << 10);
    let connection = http.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // A client that hangs up in the middle of something is no event.
        _ = connection.as_mut() => return,
        _ = ended.wait_for(|ended| *ended) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

impl Shared {
    async fn answer(&self, request: Request<Incoming>) -> Response<Sent> {
        let (parts, body) = request.into_parts();
        let is_object = crate::endpoint::is_for_s3(&parts);
        let most = if is_object { self.limits.object_bytes } else { self.limits.body_bytes };
        let told = parts.headers.get(hyper::header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        let told: Option<usize> = told.and_then(|length| length.parse().ok());
        if told.is_some_and(|length| length > most) {
            return closing(StatusCode::PAYLOAD_TOO_LARGE).map(Sent::Whole);
        }
        // Of a body whose length is not told the most is set aside.
        let held = u32::try_from(told.unwrap_or(most)).unwrap_or(u32::MAX);
        let read = async {
            let held = self.bytes.clone().acquire_many_owned(held).await.ok()?;
            let body = Limited::new(body, most).collect().await.ok()?.to_bytes();
            Some((held, body))
        };
        match tokio::time::timeout(self.limits.read, read).await {
            Ok(Some((_held, body))) => {
                let request = Received { parts, body };
                match self.router.stream(&request) {
                    Some(told) => events(told),
                    None => self.router.answer(request).await.map(Sent::Whole),
                }
            }
            Ok(None) => closing(StatusCode::BAD_REQUEST).map(Sent::Whole),
            Err(_) => closing(StatusCode::REQUEST_TIMEOUT).map(Sent::Whole),
        }
    }
}

/// An answer to a request that was not read to its end, after which nothing can follow on its connection.
fn closing(status: StatusCode) -> Answered {
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = status;
    response.headers_mut().insert(hyper::header::CONNECTION, hyper::header::HeaderValue::from_static("close"));
    response
}
