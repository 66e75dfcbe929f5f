//! The tests of the operations and of the wire once more, over PostgreSQL: see `store` in `common`.
#![allow(clippy::duplicate_mod, reason = "each of the two takes its common from beside it")]

#[path = "operations.rs"]
mod operations;
#[path = "wire.rs"]
mod wire;
