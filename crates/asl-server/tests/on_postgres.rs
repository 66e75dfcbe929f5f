//! The tests of the operations and of the wire once more, over PostgreSQL: see `store` in `common`.

#[path = "operations.rs"]
mod operations;
#[path = "wire.rs"]
mod wire;
