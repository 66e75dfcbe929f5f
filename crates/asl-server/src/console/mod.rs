//! The console: what runs, why it waits, and how to act on it, in a browser.
//!
//! Pages are rendered here, whole, and read without JavaScript; two small files of the folder `assets` add what a page cannot do by
//! itself: it goes on when something happens, and has keys. Whatever a page does is an operation of the API, called as a client
//! calls it ([`act`]).
//!
//! - [`html`], [`fields`], [`respond`]: what goes out and comes in; nothing from an execution is ever markup.
//! - [`guard`]: which browser may see the pages, and which page may act.
//! - [`home`], [`machine`], [`execution`], [`replay`], [`services`]: the pages, [`live`] what keeps them so; [`story`] reads a history for them.

mod act;
mod execution;
mod fields;
mod frame;
mod guard;
mod home;
mod html;
mod live;
mod machine;
mod replay;
mod respond;
mod services;
mod story;
mod words;

use crate::door::Door;
use crate::http::{Answered, Received};
use crate::operation::Api;
use crate::wire::ApiError;
use asl::Timestamp;
use bytes::Bytes;
use fields::Fields;
use frame::Page;
use guard::Guard;
use hyper::Method;
use live::{Of, Stream};
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc, watch};

/// The console of a server.
#[derive(Debug)]
pub(crate) struct Console {
    guard: Guard,
    /// `http` or `https`, as clients reach it.
    scheme: &'static str,
    read_only: bool,
    /// Places for event streams.
    streams: Arc<Semaphore>,
}

/// How many event streams are open at once: one for each page that somebody looks at.
const STREAMS: usize = 256;

/// What a page is made with.
struct Visitor<'a> {
    api: &'a Api,
    console: &'a Console,
    /// The address of this server, as the browser names it.
    host: &'a str,
    query: Fields,
}

impl Console {
    pub(crate) fn new(read_only: bool, over_tls: bool) -> Console {
        let scheme = if over_tls { "https" } else { "http" };
        Console { guard: Guard::new(over_tls), scheme, read_only, streams: Arc::new(Semaphore::new(STREAMS)) }
    }

    /// Answers what a browser asks for; nothing where the request is another client's.
    pub(crate) async fn answer(&self, api: &Api, door: &Door, request: &Received, now: Timestamp) -> Option<Answered> {
        let path = request.parts.uri.path();
        // What is posted to `/` is another protocol's: forms of SNS come unsigned too.
        let is_home = path == "/" && request.parts.method != Method::POST;
        if !is_of_browser(request) || !(is_home || path.starts_with("/console/")) {
            return None;
        }
        let host = request.parts.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
        let query = Fields::read(request.parts.uri.query().unwrap_or_default());
        let visitor = Visitor { api, console: self, host, query };
        if let Err(refused) = self.guard.is_for_us(door, request) {
            return Some(frame::refused(403, &refused));
        }
        if let Some(asset) = respond::asset(path) {
            return Some(asset);
        }
        if path == "/console/login" {
            return Some(self.guard.login(door, request, now));
        }
        if let Some(login) = self.guard.login_first(door, request, now) {
            return Some(login);
        }
        let answer = match (&request.parts.method, path) {
            (&Method::POST, "/console/do") => act::act(&visitor, request).await,
            (&Method::POST, "/console/try") => visitor.try_definition(request).await,
            (&Method::GET, _) => visitor.get(path).await,
            _ => Err(ApiError::validation("pages are read with GET")),
        };
        Some(answer.unwrap_or_else(|error| visitor.failed(&error)))
    }
}

impl Console {
    /// The event stream of a page, where a browser that may see the page asks for it.
    pub(crate) fn stream(
        &self,
        api: &Arc<Api>,
        door: &Door,
        request: &Received,
        now: Timestamp,
        ended: watch::Receiver<bool>,
    ) -> Option<mpsc::Receiver<Bytes>> {
        let is_asked = request.parts.uri.path() == "/console/live" && request.parts.method == Method::GET;
        if !is_asked
            || self.guard.is_for_us(door, request).is_err()
            || self.guard.login_first(door, request, now).is_some()
        {
            return None;
        }
        let query = Fields::read(request.parts.uri.query().unwrap_or_default());
        let place = self.streams.clone().try_acquire_owned().ok()?;
        let of = Of::read(query.get("of")?)?;
        let last = request.parts.headers.get("last-event-id").and_then(|id| id.to_str().ok());
        let seen = last.or(query.get("seen")).unwrap_or_default().to_owned();
        let (out, told) = mpsc::channel(4);
        tokio::spawn(Stream { api: api.clone(), of, seen, out, ended, place }.run());
        Some(told)
    }
}

impl Visitor<'_> {
    async fn get(&self, path: &str) -> Result<Answered, ApiError> {
        if path == "/" {
            return Ok(self.show(home::page(self).await?));
        }
        let of = |prefix: &str| path.strip_prefix(prefix).map(|rest| fields::decode(rest, false));
        if let Some(arn) = of("/console/execution/") {
            return Ok(self.show(execution::page(self, &arn).await?));
        }
        if let Some(arn) = of("/console/download/") {
            return execution::download(self, &arn).await;
        }
        if let Some(arn) = of("/console/machine/") {
            return Ok(self.show(machine::page(self, &arn).await?));
        }
        if let Some(arn) = of("/console/replay/") {
            return Ok(self.show(replay::page(self, &arn).await?));
        }
        if path == "/console/services" {
            return Ok(self.show(services::overview(self).await?));
        }
        if let Some(name) = of("/console/table/") {
            return Ok(self.show(services::table(self, &name).await?));
        }
        if let Some(name) = of("/console/queue/") {
            return Ok(self.show(services::queue(self, &name).await?));
        }
        if let Some(name) = of("/console/topic/") {
            return Ok(self.show(services::topic(self, &name).await?));
        }
        if let Some(name) = of("/console/function/") {
            return Ok(self.show(services::function(self, &name)?));
        }
        Err(ApiError::no_resource(path))
    }

    async fn try_definition(&self, request: &Received) -> Result<Answered, ApiError> {
        let form = Fields::read(&String::from_utf8_lossy(&request.body));
        if !self.console.guard.is_own(&form) {
            return Err(act::not_own());
        }
        Ok(self.show(replay::trial(self, &form).await?))
    }

    fn show(&self, page: Page) -> Answered {
        respond::page(200, page.document(self))
    }

    /// What was refused, and why.
    fn failed(&self, error: &ApiError) -> Answered {
        let status = match error.code.as_str() {
            "ExecutionDoesNotExist" | "StateMachineDoesNotExist" | "ResourceNotFound" | "InvalidArn" => 404,
            _ => error.status(),
        };
        let mut page = Page::new("Not done");
        page.body.tag("section", &[("class", "card"), ("role", "alert")], |h| {
            h.leaf("h1", &[], &error.code).leaf("p", &[], &error.message);
            h.tag("p", &[], |h| {
                h.link("/", "To all executions");
            });
        });
        respond::page(status, page.document(self))
    }
}

/// Programs sign, or name a target; browsers do neither.
fn is_of_browser(request: &Received) -> bool {
    let has = |name: &str| request.parts.headers.contains_key(name);
    let query = request.parts.uri.query().unwrap_or_default();
    !has("x-amz-target") && !has("authorization") && !query.contains("X-Amz-Signature=")
}
