//! A record as a row: what all databases share.

pub(crate) mod catalogue;
pub(crate) mod chain;
pub(crate) mod codec;
pub(crate) mod pages;
pub(crate) mod payloads;
pub(crate) mod ready;
pub(crate) mod standing;
mod wire;
