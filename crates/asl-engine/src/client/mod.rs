//! What any process does to executions, its own and those of others: signals, stops, redrives, and what it reads of them.
//!
//! A signal goes to the driver that has the execution, else to the inbox of its owner. Only an execution that nobody runs is owned for
//! it, for as long as that takes: nothing else here takes a lease.

pub(crate) mod children;
mod hurry;
pub(crate) mod redrive;
pub(crate) mod rerun;
pub(crate) mod signal;
mod stop;
mod unowned;
