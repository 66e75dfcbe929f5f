//! A client with keep-alive, and the functions that a workflow calls by URL: as little of HTTP/1.1 as both need.

use serde_json::Value;
use std::net::SocketAddr;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A request of the API as its bytes, made once for all who send it.
pub(super) struct Request {
    operation: &'static str,
    bytes: Vec<u8>,
}

impl Request {
    pub(super) fn new(operation: &'static str, request: &Value) -> Request {
        let body = request.to_string();
        let head = format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-json-1.0\r\n\
             X-Amz-Target: AWSStepFunctions.{operation}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        Request { operation, bytes: [head, body].concat().into_bytes() }
    }
}

/// A connection that stays open.
pub(super) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(super) async fn new(address: SocketAddr) -> std::io::Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection(BufReader::new(stream)))
    }

    pub(super) async fn several(address: SocketAddr, count: usize) -> Vec<Connection> {
        let mut connections = Vec::with_capacity(count);
        for _ in 0..count {
            connections.push(Connection::new(address).await.expect("the server takes a connection"));
        }
        connections
    }

    /// Sends a request without waiting for its answer.
    pub(super) async fn send(&mut self, request: &Request) -> std::io::Result<()> {
        self.0.get_mut().write_all(&request.bytes).await
    }

    /// The bytes of an answer, which has to be a good one.
    pub(super) async fn ask(&mut self, request: &Request) -> Vec<u8> {
        self.send(request).await.expect("the server reads");
        let (first, body) = read(&mut self.0).await.expect("the server answers");
        let told = || String::from_utf8_lossy(&body);
        assert!(first.starts_with("HTTP/1.1 200"), "{}: {first}{}", request.operation, told());
        body
    }

    /// The answer of a request, which has to be a good one.
    pub(super) async fn call(&mut self, operation: &'static str, request: &Value) -> Value {
        let body = self.ask(&Request::new(operation, request)).await;
        serde_json::from_slice(&body).expect("JSON")
    }
}

/// The first line of a message, and its body.
async fn read(stream: &mut BufReader<TcpStream>) -> std::io::Result<(String, Vec<u8>)> {
    let (mut first, mut line, mut length) = (String::new(), String::new(), 0);
    if stream.read_line(&mut first).await? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    loop {
        line.clear();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok((first, body))
}

/// Functions behind a URL: each answers what it was asked. Where they listen.
pub(super) async fn functions() -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(echo(stream));
        }
    });
    Ok(address)
}

async fn echo(stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    loop {
        let (_, mut body) = read(&mut stream).await?;
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
        let mut answer = head.into_bytes();
        answer.append(&mut body);
        stream.get_mut().write_all(&answer).await?;
    }
}
