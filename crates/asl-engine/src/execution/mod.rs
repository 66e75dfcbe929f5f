//! One execution in memory: the pure [`protocol`] decides, the driver carries it out; `calls` and `children` are what is in flight.

mod calls;
mod children;
mod driver;
mod jobs;
pub(crate) mod nested;
pub mod protocol;
pub(crate) mod redrive;

pub(crate) use driver::{Caller, Driver};
