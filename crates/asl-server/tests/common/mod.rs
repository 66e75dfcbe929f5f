//! A server of this process over a store in memory, and a plain client.
#![allow(dead_code, unreachable_pub, reason = "each test takes what it needs")]

use asl::parts::embedded::Identity;
use asl::parts::store::Store;
use asl::{Clock, Database, Engine, Journal, JournalOptions, Map, Value};
use asl_server::door::Door;
use asl_server::{Limits, Server};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) const PREFIX: &str = "arn:aws:states:us-east-1:123456789012";
pub(crate) const ROLE: &str = "arn:aws:iam::123456789012:role/r";
pub(crate) const PASS: &str = r#"{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}"#;
pub(crate) const WAIT: &str = r#"{"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":3600,"End":true}}}"#;

/// A store in memory; in the tests of `on_postgres.rs` a schema of its own on the server that `ASL_TEST_POSTGRES` names (`.ci/postgres`
/// starts one).
async fn store() -> Arc<dyn Store> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    if env!("CARGO_CRATE_NAME") == "on_postgres" {
        match std::env::var("ASL_TEST_POSTGRES") {
            Ok(url) => {
                // This module is there twice in that program, each with a count of its own.
                let module = module_path!().replace("::", "_");
                let schema = format!("v{}_{}_{module}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
                let database = Database::open(format!("{url}?schema={schema}"), JournalOptions::default()).await;
                return database.unwrap().store();
            }
            Err(_) => {
                assert!(std::env::var_os("ASL_NO_SKIP").is_none(), "ASL_TEST_POSTGRES is not set");
                eprintln!("skipped: PostgreSQL needs ASL_TEST_POSTGRES=postgres://...; in memory instead");
            }
        }
    }
    Arc::new(Journal::in_memory().await.unwrap())
}

/// A server that runs until it is dropped.
pub(crate) struct Place {
    pub(crate) address: SocketAddr,
    pub(crate) engine: Engine,
    runtime: Runtime,
    stop: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<()>>,
}

impl Place {
    pub(crate) fn new() -> Place {
        Place::with(Limits::default(), Door::open(), |builder| builder)
    }

    pub(crate) fn with(
        limits: Limits,
        door: Door,
        build: impl FnOnce(asl::EngineBuilder) -> asl::EngineBuilder,
    ) -> Place {
        Place::serving(build, |server| server.limits(limits).door(door))
    }

    /// Its console only shows.
    pub(crate) fn only_showing() -> Place {
        Place::serving(|builder| builder, |server| server.read_only_console(true))
    }

    fn serving(
        build: impl FnOnce(asl::EngineBuilder) -> asl::EngineBuilder,
        serve: impl FnOnce(Server) -> Server,
    ) -> Place {
        let runtime = Runtime::new().unwrap();
        let identity = Identity::new("us-east-1", "123456789012");
        let (stop, stopped) = oneshot::channel();
        let (address, engine, served) = runtime.block_on(async {
            let engine = build(Engine::builder(store().await).identity(identity.clone())).build();
            engine.serve().await.unwrap();
            let server = serve(Server::new(engine.clone(), identity));
            let bound = server.bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
            let address = bound.address();
            let served = tokio::spawn(bound.serve(async { drop(stopped.await) }));
            (address, engine, served)
        });
        Place { address, engine, runtime, stop: Some(stop), served: Some(served) }
    }

    /// Time is skipped while nothing happens.
    pub(crate) fn skipping() -> Place {
        Place::with(Limits::default(), Door::open(), |builder| {
            builder.clock(Clock::skipping(asl::Timestamp::from_millis(1_767_225_600_000)))
        })
    }

    /// Tells the server to stop, and waits until it has.
    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(served) = self.served.take() {
            self.runtime.block_on(served).unwrap();
        }
    }

    /// Begins to stop.
    pub(crate) fn begin_to_stop(&mut self) {
        drop(self.stop.take());
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.address)
    }

    /// Waits until an execution has ended.
    pub(crate) fn wait(&self, arn: &str) {
        self.runtime.block_on(self.engine.wait(arn)).unwrap();
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// `code: message`
    pub(crate) fn refusal(&self) -> String {
        let kind = self.body["__type"].as_str().unwrap_or_default();
        let code = kind.rsplit('#').next().unwrap_or_default();
        format!("{code}: {}", self.body["message"].as_str().unwrap_or_default())
    }
}

/// One connection, kept open.
pub(crate) struct Client(BufReader<TcpStream>);

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Client(BufReader::new(stream))
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    pub(crate) fn call(&mut self, operation: &str, request: &str) -> Reply {
        let head = format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-json-1.0\r\n\
             X-Amz-Target: AWSStepFunctions.{operation}\r\nContent-Length: {}\r\n\r\n",
            request.len()
        );
        self.send(&[head.as_bytes(), request.as_bytes()].concat());
        self.reply().unwrap_or_else(|| panic!("no answer to {operation} {request}"))
    }

    /// The response to a request that has to succeed.
    pub(crate) fn ok(&mut self, operation: &str, request: &str) -> Value {
        let reply = self.call(operation, request);
        assert_eq!(reply.status, 200, "{operation} {request}: {}", reply.text);
        reply.body
    }

    pub(crate) fn refused(&mut self, operation: &str, request: &str) -> String {
        let reply = self.call(operation, request);
        assert_ne!(reply.status, 200, "{operation} {request}: {}", reply.text);
        reply.refusal()
    }

    /// What comes up to the end of the line with this text.
    pub(crate) fn until(&mut self, text: &str) -> String {
        let mut all = String::new();
        while !all.lines().last().is_some_and(|line| line.contains(text)) {
            assert_ne!(self.0.read_line(&mut all).unwrap(), 0, "the end before {text}: {all}");
        }
        all
    }

    /// The next answer; none where the connection ends.
    pub(crate) fn reply(&mut self) -> Option<Reply> {
        let (mut status, mut headers, mut line) = (0, Vec::new(), String::new());
        loop {
            line.clear();
            if self.0.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            match line.split_once(": ") {
                Some((name, value)) => headers.push((name.to_owned(), value.to_owned())),
                None => status = line.split(' ').nth(1)?.parse().ok()?,
            }
        }
        let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let mut bytes = vec![0; length.map_or(0, |(_, length)| length.parse().unwrap())];
        self.0.read_exact(&mut bytes).ok()?;
        let text = String::from_utf8(bytes).unwrap();
        let body = text.parse().unwrap_or(Value::Null);
        Some(Reply { status, headers, body, text })
    }
}

/// A request of texts.
pub(crate) fn request(members: &[(&str, &str)]) -> String {
    Value::from(Map::from_iter(members.iter().copied())).to_string()
}
