//! Services that take forms and answer in XML: SNS, STS.

use super::xml::{self, element};
use crate::http::{Answered, Received};
use crate::operation::Api;
use asl::{CallError, Map, Value};
use hyper::header::CONTENT_TYPE;

/// How deep the names of a form's fields may go, and how many fields there may be.
const MAX_DEPTH: usize = 12;
const MAX_FIELDS: usize = 10_000;

/// The fields of a request.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// The fields of a form in the body, if it is one with an `Action`.
    pub(super) fn of(request: &Received) -> Option<Form> {
        let kind = request.parts.headers.get(CONTENT_TYPE)?.to_str().ok()?;
        if !kind.starts_with("application/x-www-form-urlencoded") {
            return None;
        }
        let body = std::str::from_utf8(&request.body).ok()?;
        let fields = body.split('&').take(MAX_FIELDS).filter_map(|field| field.split_once('='));
        let form = Form(fields.map(|(name, value)| (decode(name), decode(value))).collect());
        form.field("Action").is_some().then_some(form)
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The members of the request: `A.member.1.B=x` is `{"A": [{"B": "x"}]}`, `A.entry.1.key=k&A.entry.1.value=v` is `{"A": {"k": "v"}}`.
    fn members(&self) -> Map {
        let mut root = Node::default();
        for (name, value) in self.0.iter().filter(|(name, _)| name != "Action" && name != "Version") {
            let path: Vec<&str> = name.split('.').collect();
            if path.len() <= MAX_DEPTH {
                root.put(&path, value);
            }
        }
        root.members()
    }
}

/// A form's field and those below it, in their order.
#[derive(Default)]
struct Node {
    text: Option<String>,
    below: Vec<(String, Node)>,
}

impl Node {
    fn put(&mut self, path: &[&str], value: &str) {
        let Some((first, rest)) = path.split_first() else {
            self.text = Some(value.to_owned());
            return;
        };
        let at = self.below.iter().position(|(name, _)| name == first).unwrap_or_else(|| {
            self.below.push(((*first).to_owned(), Node::default()));
            self.below.len() - 1
        });
        self.below[at].1.put(rest, value);
    }

    fn members(&self) -> Map {
        self.below.iter().map(|(name, node)| (name.as_str(), node.value())).collect()
    }

    fn value(&self) -> Value {
        match self.below.as_slice() {
            [] => self.text.as_deref().unwrap_or_default().into(),
            [(name, items)] if name == "member" => {
                Value::from(items.below.iter().map(|(_, item)| item.value()).collect::<Vec<_>>())
            }
            [(name, entries)] if name == "entry" => {
                let pair = |entry: &Node| {
                    let of = |names: [&str; 2]| entry.below.iter().find(|(name, _)| names.contains(&name.as_str()));
                    let key = of(["key", "Name"])?.1.text.clone()?;
                    Some((key, of(["value", "Value"])?.1.value()))
                };
                Value::from(entries.below.iter().filter_map(|(_, entry)| pair(entry)).collect::<Map>())
            }
            _ => self.members().into(),
        }
    }
}

/// A field of a form: plus is a blank.
pub(super) fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let hex = behind.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        let (byte, left) = match (first, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (_, Some(byte)) => (byte, &behind[2..]),
            (b'+', None) => (b' ', behind),
            (other, None) => (*other, behind),
        };
        bytes.push(byte);
        rest = left;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Answers a form. Its service is that of the signature, or the one that has its version.
pub(super) async fn answer(api: &Api, request: &Received, form: Form, scope: &str, id: &str) -> Answered {
    let action = form.field("Action").unwrap_or_default().to_owned();
    let service = match (scope, form.field("Version")) {
        ("sts", _) | ("", Some("2011-06-15")) => "sts",
        ("sns", _) | ("", Some("2010-03-31")) => "sns",
        (other, _) => return super::unknown(request, &format!("{other}:{action}")),
    };
    let space = match service {
        "sts" => "https://sts.amazonaws.com/doc/2011-06-15/",
        _ => "http://sns.amazonaws.com/doc/2010-03-31/",
    };
    let called = match (service, action.as_str()) {
        ("sts", "GetCallerIdentity") => Ok(caller_identity(api)),
        ("sts", _) => return super::unknown(request, &format!("sts:{action}")),
        _ => api.engine.call_service(service, &action, form.members().into(), id).await,
    };
    let (status, body) = match called {
        Ok(result) => (200, succeeded(&action, space, &result, id)),
        Err(CallError::Refused(error)) => (error.status, failed(space, &error.code, &error.message, id)),
        Err(CallError::Failed(error)) => {
            let error = crate::wire::ApiError::from(error);
            (error.status(), failed(space, &error.code, &error.message, id))
        }
    };
    xml::answer(status, "text/xml", body)
}

/// STS: whose account this is. Terraform asks for that before all else.
fn caller_identity(api: &Api) -> Map {
    let account = api.identity.account.as_str();
    let arn = format!("arn:aws:iam::{account}:root");
    Map::from_iter([("Arn", arn.as_str()), ("UserId", account), ("Account", account)])
}

fn succeeded(action: &str, space: &str, result: &Map, id: &str) -> String {
    let mut out = format!("<{action}Response xmlns=\"{space}\">");
    // Operations without a result have no element for it.
    if !result.is_empty() {
        out += &format!("<{action}Result>");
        result.iter().for_each(|(name, value)| element(name, value, &mut out));
        out += &format!("</{action}Result>");
    }
    out + &format!("<ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></{action}Response>")
}

fn failed(space: &str, code: &str, message: &str, id: &str) -> String {
    let mut out = format!("<ErrorResponse xmlns=\"{space}\"><Error><Type>Sender</Type>");
    element("Code", &code.into(), &mut out);
    element("Message", &message.into(), &mut out);
    out + &format!("</Error><RequestId>{id}</RequestId></ErrorResponse>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_as_the_query_protocol_has_them() {
        let fields = [
            ("Action", "PublishBatch"),
            ("TopicArn", "t"),
            ("PublishBatchRequestEntries.member.1.Id", "a"),
            ("PublishBatchRequestEntries.member.1.MessageAttributes.entry.1.Name", "n"),
            ("PublishBatchRequestEntries.member.1.MessageAttributes.entry.1.Value.DataType", "String"),
            ("PublishBatchRequestEntries.member.2.Id", "b"),
            ("Attributes.entry.1.key", "k"),
            ("Attributes.entry.1.value", "v w"),
        ];
        let form = Form(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect());
        let expected = r#"{"TopicArn":"t","PublishBatchRequestEntries":[{"Id":"a","MessageAttributes":{"n":{"DataType":"String"}}},{"Id":"b"}],"Attributes":{"k":"v w"}}"#;
        assert_eq!(Value::from(form.members()).to_string(), expected);
        assert_eq!(decode("a+b%20c%C3%A9%zz%"), "a b cé%zz%");
    }
}
