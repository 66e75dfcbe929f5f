//! Reading, by sqlx from any task: readers have connections of their own and never wait for the writer.

mod chains;
mod headers;
mod inbox;
pub(crate) mod leases;
mod pages;

pub(crate) use headers::{Memory, Numbers, Readers};
