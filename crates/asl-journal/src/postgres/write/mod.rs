//! Writing. An ordinary append comes in at `append.rs`, is grouped by `commit.rs`, and all rows of a group are one statement (`group.rs`).

mod append;
mod commit;
pub(crate) mod group;
mod inbox;
pub(crate) mod lease;
mod quarantine;
mod service;
mod transact;
mod within;

pub(crate) use commit::{Job, QUEUE, run};
pub(crate) use transact::Ending;
