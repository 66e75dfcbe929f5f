//! What every store has to keep of its promises, as checks that panic where one is broken.

pub mod services;
pub mod store;
