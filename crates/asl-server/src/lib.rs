//! `asl serve`: AWS Step Functions' API over HTTP, on the engine.
//!
//! - [`http`]: connections, requests, bodies, each with a bound; what belongs where is `route`'s business.
//! - `door`: who may come in: signatures, clock skew, credentials.
//! - [`wire`]: AWS JSON; requests are checked and responses shaped by one table of the API.
//! - `operation`: the operations over the catalogue, the store and the engine.
//! - `console`: the pages for people, in a browser.
//! - `endpoint`: the other protocols on the same port, for the embedded services.
//!
//! A [`Server`] is put together over an engine, bound, and runs until it is told to stop; then it answers what it has begun.
#![forbid(unsafe_code)]

mod arn;
mod console;
pub mod door;
mod endpoint;
pub mod http;
mod operation;
mod page;
pub mod quota;
mod route;
pub mod tls;
pub mod wire;

pub use http::{Bound, Declarer, Limits, Listener, Server, ServerError, raise_open_files};
pub use operation::Declared;
