//! How things look.

pub(crate) mod blame;
pub(crate) mod event;
pub(crate) mod grid;
pub(crate) mod log;
pub(crate) mod look;
pub(crate) mod pending;
pub(crate) mod progress;
pub(crate) mod snippet;
pub(crate) mod text;
pub(crate) mod trail;
