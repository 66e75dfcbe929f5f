//! From a key path (`queues.Orders.RedrivePolicy.maxReceiveCount`) to its place in the TOML text.

use asl_value::Span;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The place of what `path` names: a value, or the key of a table. Names may hold dots themselves (`orders.fifo`).
pub(super) fn find(text: &str, path: &str) -> Option<Span> {
    let table = DeTable::parse(text).ok()?;
    in_table(table.get_ref(), path).map(span)
}

/// The place of the last key of `path`, which stands in a table at the top of the text.
pub(super) fn find_key(text: &str, path: &str) -> Option<Span> {
    let root = DeTable::parse(text).ok()?;
    let (table, key) = path.split_once('.')?;
    let (_, table) = root.get_ref().iter().find(|(name, _)| &**name.get_ref() == table)?;
    let DeValue::Table(table) = table.get_ref() else { return None };
    table.iter().find(|(name, _)| &**name.get_ref() == key).map(|(name, _)| span(name.span()))
}

pub(super) fn span(range: Range<usize>) -> Span {
    Span { start: range.start, end: range.end }
}

fn in_table(table: &DeTable<'_>, path: &str) -> Option<Range<usize>> {
    let mut found = None;
    let mut longest = 0;
    for (key, value) in table.iter() {
        let name: &str = key.get_ref();
        let Some(rest) = path.strip_prefix(name) else { continue };
        let ends = rest.is_empty() || rest.starts_with(['.', '[']);
        if ends && (found.is_none() || name.len() > longest) {
            longest = name.len();
            found = match rest {
                "" => Some(own_place(key.span(), value)),
                rest => in_value(value, rest),
            };
        }
    }
    found
}

fn in_value(value: &Spanned<DeValue<'_>>, path: &str) -> Option<Range<usize>> {
    match value.get_ref() {
        DeValue::Table(table) => in_table(table, path.strip_prefix('.')?),
        DeValue::Array(items) => {
            let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
            let item = items.get(index.parse::<usize>().ok()?)?;
            if rest.is_empty() { Some(item.span()) } else { in_value(item, rest) }
        }
        _ => None,
    }
}

/// A table is shown by its key: the whole of it says too much.
fn own_place(key: Range<usize>, value: &Spanned<DeValue<'_>>) -> Range<usize> {
    match value.get_ref() {
        DeValue::Table(_) | DeValue::Array(_) => key,
        _ => value.span(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_paths_lead_to_their_places() {
        let text = r#"
            [queues."orders.fifo"]
            VisibilityTimeout = 99999
            [queues.orders]
            RedrivePolicy = { deadLetterTargetArn = "Dead", maxReceiveCount = 7 }
            [[topics.T.Subscriptions]]
            Endpoint = "A"
            [[topics.T.Subscriptions]]
            Endpoint = "B"
        "#;
        let table = [
            ("queues.orders.fifo.VisibilityTimeout", Some("99999")),
            ("queues.orders.fifo", Some("\"orders.fifo\"")),
            ("queues.orders.RedrivePolicy.maxReceiveCount", Some("7")),
            ("queues.orders", Some("orders")),
            ("topics.T.Subscriptions[1].Endpoint", Some("\"B\"")),
            ("topics.T.Subscriptions[2].Endpoint", None),
            ("queues.none", None),
        ];
        for (path, place) in table {
            let found = find(text, path).map(|span| &text[span.start..span.end]);
            assert_eq!(found, place, "{path}");
        }
    }
}
