//! Acting: a form names an operation of the API and its members, and is answered as a client is, by the same checks.

use super::execution;
use super::fields::Fields;
use super::guard::back;
use super::html::Html;
use super::{Visitor, respond, services};
use crate::http::{Answered, Received};
use crate::wire::ApiError;
use asl::{Map, Value};

/// What pages may ask for.
const OPERATIONS: [&str; 9] = [
    "RedriveExecution",
    "RerunExecution",
    "SendTaskFailure",
    "SendTaskSuccess",
    "SkipWait",
    "StartExecution",
    "StopExecution",
    "TagResource",
    "UntagResource",
];
/// Fields of a form that are no members of the operation.
pub(super) const OWN: [&str; 3] = ["page", "back", "operation"];

/// Does what a form asks for, and leads back to where it stands.
pub(super) async fn act(visitor: &Visitor<'_>, request: &Received) -> Result<Answered, ApiError> {
    let form = Fields::read(&String::from_utf8_lossy(&request.body));
    if visitor.console.read_only {
        return Err(ApiError::framework(
            "AccessDeniedException",
            "asl serve was started with --read-only: the console only shows.",
        ));
    }
    if !visitor.console.guard.is_own(&form) {
        let message =
            "This page is older than the server, or not one of its own. Load it again, then act; nothing was done.";
        return Err(ApiError::framework("AccessDeniedException", message));
    }
    let asked = form.get("operation").unwrap_or_default();
    if let Some((service, operation)) = asked.split_once(':') {
        return services::act(visitor, &form, service, operation).await;
    }
    let operation = OPERATIONS.into_iter().find(|known| *known == asked);
    let operation = operation.ok_or_else(|| ApiError::validation("The console does not do that."))?;
    let members = form.iter().filter(|(name, value)| !OWN.contains(name) && !value.is_empty());
    let mut request = Map::from_iter(members);
    match operation {
        "TagResource" => {
            let (key, value) = (form.get("key").unwrap_or_default(), form.get("value").unwrap_or_default());
            let tag = Value::from(Map::from_iter([("key", key), ("value", value)]));
            request = Map::from_iter([("resourceArn", form.get("resourceArn").unwrap_or_default())]);
            request.insert("tags", vec![tag]);
        }
        "UntagResource" => {
            request.insert("tagKeys", vec![Value::from(form.get("tagKeys").unwrap_or_default())]);
        }
        "SkipWait" => {
            request.insert("eventId", form.get("eventId").and_then(|event| event.parse::<u64>().ok()));
        }
        _ => {}
    }
    let answer = visitor.api.call(operation, &request).await?;
    let begins = ["StartExecution", "RerunExecution"].contains(&operation);
    let started = answer.get("executionArn").and_then(|arn| arn.as_str()).filter(|_| begins);
    let to = started.map_or_else(|| back(form.get("back")), execution::address);
    Ok(respond::see_other(&to))
}

/// A form without the token of this server.
pub(super) fn not_own() -> ApiError {
    let message =
        "This page is older than the server, or not one of its own. Load it again, then act; nothing was done.";
    ApiError::framework("AccessDeniedException", message)
}

/// A form for an operation; `inside` adds what is entered.
pub(super) fn form(
    h: &mut Html,
    visitor: &Visitor<'_>,
    operation: &str,
    members: &[(&'static str, &str)],
    inside: impl FnOnce(&mut Html),
) {
    if visitor.console.read_only {
        return;
    }
    h.tag("form", &[("method", "post"), ("action", "/console/do"), ("class", "fields")], |h| {
        let mut hidden = |name: &'static str, value: &str| {
            h.void("input", &[("type", "hidden"), ("name", name), ("value", value)]);
        };
        hidden("page", visitor.console.guard.token());
        hidden("operation", operation);
        members.iter().for_each(|(name, value)| hidden(name, value));
        inside(h);
    });
}

/// A form that has to be opened first: what it does is said, and asked for once more.
pub(super) fn asking(h: &mut Html, visitor: &Visitor<'_>, what: &str, inside: impl FnOnce(&mut Html)) {
    if visitor.console.read_only {
        return;
    }
    h.tag("details", &[("class", "act")], |h| {
        h.leaf("summary", &[("class", "button")], what);
        h.tag("div", &[("class", "sheet")], inside);
    });
}

/// A line to enter a text in.
pub(super) fn line(h: &mut Html, label: &str, name: &'static str, value: &str) {
    h.tag("label", &[], |h| {
        h.text(label).void("input", &[("name", name), ("value", value), ("autocomplete", "off")]);
    });
}

/// A field to enter a text in.
pub(super) fn text(h: &mut Html, label: &str, name: &'static str) {
    h.tag("label", &[], |h| {
        h.text(label).leaf("textarea", &[("name", name), ("rows", "4"), ("required", "")], "");
    });
}

/// A field to enter JSON in.
pub(super) fn json(h: &mut Html, label: &str, name: &'static str, value: &str) {
    h.tag("label", &[], |h| {
        h.text(label);
        let with = [("name", name), ("rows", "6"), ("spellcheck", "false"), ("data-json", ""), ("required", "")];
        h.leaf("textarea", &with, value);
    });
}
