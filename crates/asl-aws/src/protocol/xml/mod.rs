//! Shapes as XML.

mod decode;
mod encode;
mod read;

pub(super) use decode::{decode, decode_map, decode_text};
pub(super) use encode::encode;
pub use read::{Element, read};
