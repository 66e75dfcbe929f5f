//! ItemBatcher: several items for one child.

use super::limits::{Kind, number};
use crate::context::Context;
use crate::data::fill;
use crate::error::StateError;
use asl_syntax::model::ItemBatcher;
use asl_value::{Map, Value};

/// `ItemBatcher`, with its values.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    max_items: usize,
    max_bytes: usize,
    batch_input: Option<Value>,
}

impl Batch {
    pub(super) fn of(
        batcher: &ItemBatcher,
        input: &Value,
        env: &Context<'_>,
        payload_bytes: usize,
    ) -> Result<Batch, StateError> {
        let limit = |field, name, most: usize| -> Result<usize, StateError> {
            match field {
                Some(field) => match number(field, name, Kind::Integer, input, env)? {
                    n if n >= 1.0 => Ok((n as usize).min(most)),
                    _ => Ok(most),
                },
                None => Ok(most),
            }
        };
        let max_items = limit(batcher.max_items.as_ref(), "MaxItemsPerBatchPath", usize::MAX)?;
        let max_bytes = limit(batcher.max_input_bytes.as_ref(), "MaxInputBytesPerBatchPath", payload_bytes)?;
        let batch_input = batcher.batch_input.as_ref().map(|template| fill(template, input, env)).transpose()?;
        Ok(Batch { max_items, max_bytes, batch_input })
    }

    /// The bytes of a batch without items.
    pub(super) fn empty_bytes(&self) -> usize {
        self.input(Vec::new()).measure().bytes
    }

    /// True when a batch of so many items and bytes has no place for one of `more` bytes. The first always has one.
    pub(super) fn is_full(&self, items: usize, bytes: usize, more: usize) -> bool {
        items > 0 && (items >= self.max_items || bytes + more + 1 > self.max_bytes)
    }

    /// What a child gets.
    pub(super) fn input(&self, items: Vec<Value>) -> Value {
        let mut out = Map::with_capacity(2);
        if let Some(batch_input) = &self.batch_input {
            out.insert("BatchInput", batch_input.clone());
        }
        out.insert("Items", items);
        Value::from(out)
    }
}
