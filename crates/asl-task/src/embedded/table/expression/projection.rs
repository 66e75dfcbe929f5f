//! Projections: `ProjectionExpression`, the parts of an item that are returned.

use super::parse::{Placeholders, parse};
use super::path::{Path, select};
use crate::embedded::error::Fault;
use crate::embedded::table::attribute::Attributes;

/// A parsed projection.
#[derive(Clone, Debug)]
pub(crate) struct Projection(Vec<Path>);

impl Projection {
    /// Parses a `ProjectionExpression`: paths, none within another.
    pub(crate) fn parse(text: &str, placeholders: &mut Placeholders) -> Result<Projection, Fault> {
        parse("ProjectionExpression", text, placeholders, |parser| {
            let mut paths = Vec::new();
            loop {
                let path = parser.path()?;
                parser.check_overlap(&mut paths, &path);
                if !parser.symbol(",") {
                    return Ok(Projection(paths));
                }
            }
        })
    }

    /// The projected item.
    pub(crate) fn apply(&self, item: &Attributes) -> Attributes {
        select(&self.0, item)
    }
}
