//! Writing, by rusqlite on a thread of its own. An ordinary append comes in at `append.rs`, is grouped by `commit.rs`, and its rows are
//! inserted by `group.rs`.

mod append;
mod commit;
pub(crate) mod group;
pub(crate) mod inbox;
mod known;
pub(crate) mod lease;
pub(crate) mod quarantine;
pub(crate) mod service;
pub(crate) mod writer;

pub(crate) use commit::QUEUE;
