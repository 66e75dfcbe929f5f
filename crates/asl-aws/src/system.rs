//! What this crate needs of the world: a variable, a file, a program, the network, the time, chance. Tests put their own in
//! its place.

use crate::protocol::Response;
use async_trait::async_trait;
use bytes::Bytes;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::AsyncReadExt;

/// A request as it goes out.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// `GET`, `POST` …
    pub method: &'static str,
    /// https, or http.
    pub secure: bool,
    /// The host, with a port where it is not the usual one.
    pub host: String,
    /// The path, percent encoded.
    pub path: String,
    /// The query, percent encoded, without its `?`.
    pub query: String,
    /// Headers, without the host's.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl HttpRequest {
    /// The address.
    pub fn url(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        let mark = if self.query.is_empty() { "" } else { "?" };
        format!("{scheme}://{}{}{mark}{}", self.host, self.path, self.query)
    }
}

impl std::fmt::Debug for HttpRequest {
    /// The address and no more: headers and body have secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}://{}{}", self.method, if self.secure { "https" } else { "http" }, self.host, self.path)
    }
}

/// Bounds of one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long the connection may take, in milliseconds.
    pub connect_timeout_ms: u64,
    /// How long the whole exchange may take, in milliseconds.
    pub timeout_ms: u64,
    /// The longest body of a response, in bytes.
    pub max_response_bytes: usize,
}

/// Why a request has no response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SendError {
    /// What kind of failure it is.
    pub kind: SendErrorKind,
    /// What happened, without the request's contents.
    pub message: String,
}

/// What kind of failure a [`SendError`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendErrorKind {
    /// No connection: the request was not sent.
    Connect,
    /// The connection broke off, or took too long: whether the request was received is not known.
    Broken,
    /// The response is longer than allowed.
    TooLong,
}

/// What this crate needs of the world.
#[async_trait]
pub trait System: Send + Sync {
    /// A variable of the environment.
    fn variable(&self, name: &str) -> Option<String>;
    /// The user's home folder.
    fn home(&self) -> Option<PathBuf>;
    /// A file of at most [`MAX_FILE`] bytes.
    async fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Runs a command line by the shell and gives what it writes, at most [`MAX_FILE`] bytes; kills it after `timeout_ms`.
    async fn run(&self, command: &str, timeout_ms: u64) -> io::Result<Vec<u8>>;
    /// Sends a request; redirects are not followed.
    async fn send(&self, request: &HttpRequest, limits: &Limits) -> Result<Response, SendError>;
    /// Milliseconds since 1970.
    fn now_ms(&self) -> i64;
    /// Waits.
    async fn sleep_ms(&self, ms: u64);
    /// A number from 0 up to 1, for delays.
    fn chance(&self) -> f64;
}

/// The longest file, or output of a program, that is read.
pub const MAX_FILE: u64 = 1 << 20;

/// The world as it is.
#[derive(Debug, Default)]
pub struct Real {
    clients: Mutex<Vec<(Way, reqwest::Client)>>,
}

/// What a connection depends on: how long it may take to be made, in milliseconds, and whether a proxy may stand between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Way {
    connect_timeout_ms: u64,
    direct: bool,
}

impl Real {
    fn client(&self, request: &HttpRequest, limits: &Limits) -> Result<reqwest::Client, SendError> {
        let way = Way { connect_timeout_ms: limits.connect_timeout_ms, direct: is_here(&request.host) };
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = clients.iter().find(|(w, _)| *w == way) {
            return Ok(client.clone());
        }
        let builder = http_client().connect_timeout(Duration::from_millis(way.connect_timeout_ms));
        let builder = if way.direct { builder.no_proxy() } else { builder };
        let built = builder.build();
        let client = built.map_err(|e| SendError { kind: SendErrorKind::Connect, message: reason(&e) })?;
        clients.push((way, client.clone()));
        Ok(client)
    }
}

/// A client that follows no redirects, with TLS by rustls and the system's roots.
pub fn http_client() -> reqwest::ClientBuilder {
    // reqwest takes the process's provider; this one does no harm if the program has chosen another.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none())
}

/// This machine, or what the machine's own network gives credentials: no proxy has business with that.
fn is_here(host: &str) -> bool {
    ["127.", "localhost", "[::1]", "169.254.", "[fd00:ec2:"].iter().any(|start| host.starts_with(start))
}

/// An error with what lies behind it.
fn reason(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text = format!("{text}: {error}");
        next = error.source();
    }
    text
}

fn send_error(error: reqwest::Error) -> SendError {
    let kind = if error.is_connect() || error.is_builder() { SendErrorKind::Connect } else { SendErrorKind::Broken };
    // The address may hold parameters.
    SendError { kind, message: reason(&error.without_url()) }
}

#[async_trait]
impl System for Real {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|v| !v.is_empty())
    }

    fn home(&self) -> Option<PathBuf> {
        std::env::home_dir()
    }

    async fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut bytes = vec![];
        let file = tokio::fs::File::open(path).await?;
        file.take(MAX_FILE + 1).read_to_end(&mut bytes).await?;
        if bytes.len() as u64 > MAX_FILE { Err(io::Error::other("the file is longer than 1 MiB")) } else { Ok(bytes) }
    }

    async fn run(&self, command: &str, timeout_ms: u64) -> io::Result<Vec<u8>> {
        let mut shell = tokio::process::Command::new("sh");
        shell
            .arg("-c")
            .arg(command)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let mut child = shell.spawn()?;
        let output = child.stdout.take().ok_or_else(|| io::Error::other("no output"))?;
        let read = async {
            let mut bytes = vec![];
            output.take(MAX_FILE).read_to_end(&mut bytes).await?;
            let status = child.wait().await?;
            if status.success() { Ok(bytes) } else { Err(io::Error::other(format!("it ended with {status}"))) }
        };
        let timed = tokio::time::timeout(Duration::from_millis(timeout_ms), read).await;
        timed.unwrap_or_else(|_| Err(io::Error::other(format!("it did not end within {timeout_ms} ms"))))
    }

    async fn send(&self, request: &HttpRequest, limits: &Limits) -> Result<Response, SendError> {
        let method = reqwest::Method::from_bytes(request.method.as_bytes()).unwrap_or_default();
        let mut sent = self
            .client(request, limits)?
            .request(method, request.url())
            .timeout(Duration::from_millis(limits.timeout_ms));
        for (name, value) in &request.headers {
            sent = sent.header(name, value);
        }
        let mut received = sent.body(request.body.clone()).send().await.map_err(send_error)?;
        let headers = received.headers().iter();
        let headers = headers.map(|(n, v)| (n.as_str().to_owned(), String::from_utf8_lossy(v.as_bytes()).into_owned()));
        let mut response = Response { status: received.status().as_u16(), headers: headers.collect(), body: vec![] };
        while let Some(chunk) = received.chunk().await.map_err(send_error)? {
            if response.body.len() + chunk.len() > limits.max_response_bytes {
                let message = format!("the response is longer than {} bytes", limits.max_response_bytes);
                return Err(SendError { kind: SendErrorKind::TooLong, message });
            }
            response.body.extend_from_slice(&chunk);
        }
        Ok(response)
    }

    fn now_ms(&self) -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
    }

    async fn sleep_ms(&self, ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }

    fn chance(&self) -> f64 {
        use std::hash::{BuildHasher, Hasher};
        let bits = std::hash::RandomState::new().build_hasher().finish();
        (bits >> 11) as f64 / (1u64 << 53) as f64
    }
}
