//! Reading, over connections of the pool.

mod chains;
mod headers;
mod inbox;
mod leases;

pub(crate) use chains::stored;
