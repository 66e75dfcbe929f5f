//! A world for tests: variables, files, programs' outputs and responses are given, requests are kept.

// Each test uses a part of it.
#![allow(dead_code)]

use asl_aws::protocol::Response;
use asl_aws::system::{HttpRequest, Limits, SendError, SendErrorKind, System};
use async_trait::async_trait;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

/// The given world.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) files: Mutex<BTreeMap<String, String>>,
    pub(crate) outputs: BTreeMap<String, String>,
    pub(crate) responses: Mutex<VecDeque<Result<Response, SendErrorKind>>>,
    pub(crate) requests: Mutex<Vec<HttpRequest>>,
    pub(crate) now_ms: AtomicI64,
    pub(crate) slept_ms: Mutex<Vec<u64>>,
}

/// 2026-08-28T20:34:59Z
pub(crate) const NOW_MS: i64 = 1_787_949_299_000;

pub(crate) fn world(variables: &[(&str, &str)]) -> World {
    let variables = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    World { variables, now_ms: NOW_MS.into(), ..World::default() }
}

pub(crate) fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Result<Response, SendErrorKind> {
    let headers = headers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Ok(Response { status, headers, body: body.as_bytes().to_vec() })
}

impl World {
    pub(crate) fn file(self, path: &str, text: &str) -> World {
        self.files.lock().unwrap().insert(path.to_owned(), text.to_owned());
        self
    }

    pub(crate) fn answers(self, response: Result<Response, SendErrorKind>) -> World {
        self.responses.lock().unwrap().push_back(response);
        self
    }

    pub(crate) fn sent(&self) -> Vec<HttpRequest> {
        self.requests.lock().unwrap().clone()
    }
}

#[async_trait]
impl System for World {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn home(&self) -> Option<PathBuf> {
        Some("/home/me".into())
    }

    async fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let files = self.files.lock().unwrap();
        let found = files.get(&path.display().to_string());
        found.map(|t| t.clone().into_bytes()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    async fn run(&self, command: &str, _timeout_ms: u64) -> io::Result<Vec<u8>> {
        self.outputs.get(command).map(|t| t.clone().into_bytes()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    async fn send(&self, request: &HttpRequest, _limits: &Limits) -> Result<Response, SendError> {
        self.requests.lock().unwrap().push(request.clone());
        let next = self.responses.lock().unwrap().pop_front();
        let next = next.unwrap_or(Err(SendErrorKind::Connect));
        next.map_err(|kind| SendError { kind, message: "nobody answers".to_owned() })
    }

    fn now_ms(&self) -> i64 {
        self.now_ms.load(Ordering::Relaxed)
    }

    async fn sleep_ms(&self, ms: u64) {
        self.slept_ms.lock().unwrap().push(ms);
    }

    fn chance(&self) -> f64 {
        0.5
    }
}
