//! One execution in memory: the pure [`protocol`] decides, the driver carries it out: `commit` what is
//! written, `dispatch` what goes out; `calls`, `jobs` and `children` are what is in flight.

mod calls;
mod children;
mod commit;
mod dispatch;
mod driver;
mod jobs;
pub(crate) mod nested;
pub mod protocol;
pub(crate) mod redrive;

pub(crate) use driver::{Caller, Driver};
