//! The embedded services: tables, queues, topics, functions. Each page looks, and has the forms that act; what they do are the
//! operations that clients call, with the checks of those.

use super::fields::{Fields, encode};
use super::frame::Page;
use super::guard::back;
use super::html::Html;
use super::{Visitor, act, respond, words};
use crate::http::Answered;
use crate::operation::test_state::run_task;
use crate::wire::ApiError;
use asl::{Map, Value};

/// Items, messages and names of a page.
const ITEMS: u64 = 50;
const MESSAGES: u32 = 50;
const NAMES: usize = 1000;
/// What pages may ask for: the operation, and its members that are JSON and not texts.
const OPERATIONS: [(&str, &str, &[&str]); 8] = [
    ("dynamodb", "PutItem", &["Item"]),
    ("dynamodb", "DeleteItem", &["Key"]),
    ("sqs", "SendMessage", &[]),
    ("sqs", "ReceiveMessage", &["MaxNumberOfMessages", "VisibilityTimeout"]),
    ("sqs", "ChangeMessageVisibility", &["VisibilityTimeout"]),
    ("sqs", "DeleteMessage", &[]),
    ("sqs", "PurgeQueue", &[]),
    ("sns", "Publish", &[]),
];

async fn call(visitor: &Visitor<'_>, service: &str, operation: &str, request: Map) -> Result<Map, ApiError> {
    let id = "00000000-0000-4000-8000-000000000000";
    Ok(visitor.api.engine.call_service(service, operation, request.into(), id).await?)
}

/// Does what a form asks of a service; received messages and what a function answers are shown at once.
pub(super) async fn act(
    visitor: &Visitor<'_>,
    form: &Fields,
    service: &str,
    operation: &str,
) -> Result<Answered, ApiError> {
    let json = |name: &str, text: &str| {
        text.parse::<Value>().map_err(|error| ApiError::validation(format!("{name} is not JSON: {error}")))
    };
    if (service, operation) == ("lambda", "Invoke") {
        let name = form.get("FunctionName").unwrap_or_default();
        let event = json("the event", form.get("Payload").unwrap_or("{}"))?;
        return Ok(visitor.show(invoked(visitor, name, &event).await));
    }
    let known = OPERATIONS.into_iter().find(|known| (known.0, known.1) == (service, operation));
    let (service, operation, parsed) = known.ok_or_else(|| ApiError::validation("The console does not do that."))?;
    let mut request = Map::new();
    for (name, text) in form.iter().filter(|(name, value)| !act::OWN.contains(name) && !value.is_empty()) {
        match parsed.contains(&name) {
            true => request.insert(name, json(name, text)?),
            false => request.insert(name, text),
        };
    }
    let answer = call(visitor, service, operation, request).await?;
    if operation == "ReceiveMessage" {
        return Ok(visitor.show(received(visitor, form, &answer)));
    }
    Ok(respond::see_other(&back(form.get("back"))))
}

fn page(title: &str, is_overview: bool) -> Page {
    let mut page = Page::new(title);
    if !is_overview {
        page.above = vec![("/console/services".to_owned(), "services".to_owned())];
    }
    page.body.leaf("h1", &[], title);
    page
}

/// A list member of an answer.
fn items<'a>(answer: &'a Map, name: &str) -> &'a [Value] {
    answer.get(name).and_then(Value::as_array).unwrap_or_default()
}

/// All the names that an operation lists, page by page.
async fn names(visitor: &Visitor<'_>, of: [&str; 3], token: [&'static str; 2]) -> Result<Vec<String>, ApiError> {
    let ([service, operation, member], [asked, told]) = (of, token);
    let (mut names, mut request) = (Vec::new(), Map::new());
    while names.len() < NAMES {
        let answer = call(visitor, service, operation, request).await?;
        for item in items(&answer, member) {
            let reference = item.as_str().or_else(|| item.get("TopicArn")?.as_str()).unwrap_or_default();
            names.push(reference.rsplit(['/', ':']).next().unwrap_or_default().to_owned());
        }
        let Some(next) = answer.get(told).filter(|next| next.as_str().is_some()) else { break };
        request = Map::from_iter([(asked, next.clone())]);
    }
    Ok(names)
}

pub(super) async fn overview(visitor: &Visitor<'_>) -> Result<Page, ApiError> {
    let tables = ["ExclusiveStartTableName", "LastEvaluatedTableName"];
    let lists = [
        ("Tables", "table", names(visitor, ["dynamodb", "ListTables", "TableNames"], tables).await?),
        ("Queues", "queue", names(visitor, ["sqs", "ListQueues", "QueueUrls"], ["NextToken"; 2]).await?),
        ("Topics", "topic", names(visitor, ["sns", "ListTopics", "Topics"], ["NextToken"; 2]).await?),
        ("Functions", "function", visitor.api.engine.function_names()),
    ];
    let mut page = page("Tables, queues, topics, functions", true);
    for (title, kind, names) in lists {
        page.body.tag("section", &[("class", "card")], |h| {
            h.leaf("h2", &[], title);
            if names.is_empty() {
                h.leaf("p", &[("class", "quiet")], "There is none.");
            }
            h.tag("ul", &[], |h| {
                for name in names {
                    h.tag("li", &[], |h| {
                        h.link(&format!("/console/{kind}/{}", encode(&name)), &name);
                    });
                }
            });
        });
    }
    Ok(page)
}

pub(super) async fn table(visitor: &Visitor<'_>, name: &str) -> Result<Page, ApiError> {
    let described = call(visitor, "dynamodb", "DescribeTable", Map::from_iter([("TableName", name)])).await?;
    let described = described.get("Table").cloned().unwrap_or_default();
    let keys: Vec<String> = described["KeySchema"]
        .as_array()
        .unwrap_or_default()
        .iter()
        .filter_map(|key| Some(key["AttributeName"].as_str()?.to_owned()))
        .collect();
    let mut request = Map::from_iter([("TableName", name)]);
    request.insert("Limit", ITEMS);
    if let Some(after) = visitor.query.get("after").and_then(|after| after.parse::<Value>().ok()) {
        request.insert("ExclusiveStartKey", after);
    }
    let answer = call(visitor, "dynamodb", "Scan", request).await?;
    let here = format!("/console/table/{}", encode(name));
    let mut page = page(name, false);
    let h = &mut page.body;
    h.leaf("p", &[("class", "facts")], &format!("a table; its key is {}", keys.join(", ")));
    h.tag("div", &[("class", "actions")], |h| {
        act::asking(h, visitor, "Put an item…", |h| {
            h.leaf("p", &[], "An item with the same key is replaced.");
            act::form(h, visitor, "dynamodb:PutItem", &[("TableName", name), ("back", &here)], |h| {
                let example = keys.first().map(|key| Map::from_iter([(&**key, Map::from_iter([("S", "")]))]));
                act::json(
                    h,
                    "Item, JSON as DynamoDB writes it",
                    "Item",
                    &Value::from(example.unwrap_or_default()).to_string(),
                );
                h.leaf("button", &[("class", "primary")], "Put the item");
            });
        });
    });
    h.tag("section", &[("class", "card"), ("id", "items")], |h| {
        h.leaf("h2", &[], "Items");
        for item in items(&answer, "Items") {
            let key: Map = keys.iter().map(|key| (key.as_str(), item[key.as_str()].clone())).collect();
            let key = Value::from(key).to_string();
            one(h, &key, item, |h| {
                act::asking(h, visitor, "Delete…", |h| {
                    h.leaf("p", &[], "The item is gone for good.");
                    let of = [("TableName", name), ("Key", &*key), ("back", &*here)];
                    act::form(h, visitor, "dynamodb:DeleteItem", &of, |h| {
                        h.leaf("button", &[("class", "danger")], "Delete the item");
                    });
                });
            });
        }
        nothing(h, items(&answer, "Items"));
        let next = answer.get("LastEvaluatedKey").map(ToString::to_string);
        older(h, visitor, &here, next.as_deref());
    });
    Ok(page)
}

pub(super) async fn queue(visitor: &Visitor<'_>, name: &str) -> Result<Page, ApiError> {
    let mut request = Map::from_iter([("QueueUrl", name)]);
    request.insert("AttributeNames", vec![Value::from("All")]);
    let told = call(visitor, "sqs", "GetQueueAttributes", request).await?;
    let attribute =
        |name: &str| told.get("Attributes").and_then(|all| all.get(name)?.as_str()).unwrap_or("0").to_owned();
    let after = visitor.query.get("after").and_then(|after| after.parse().ok()).unwrap_or(0);
    let peeked = visitor.api.engine.peek_messages(name, after, MESSAGES).await;
    let (messages, next) = peeked.map_err(|error| ApiError::internal(error.to_string()))?;
    let here = format!("/console/queue/{}", encode(name));
    let of = [("QueueUrl", name), ("back", &*here)];
    let mut page = page(name, false);
    let h = &mut page.body;
    let facts = format!(
        "a queue; {} messages can be received, {} are being worked on, {} are delayed",
        attribute("ApproximateNumberOfMessages"),
        attribute("ApproximateNumberOfMessagesNotVisible"),
        attribute("ApproximateNumberOfMessagesDelayed")
    );
    h.leaf("p", &[("class", "facts")], &facts);
    h.tag("div", &[("class", "actions")], |h| {
        act::asking(h, visitor, "Send a message…", |h| {
            act::form(h, visitor, "sqs:SendMessage", &of, |h| {
                act::text(h, "Message", "MessageBody");
                if name.ends_with(".fifo") {
                    act::line(h, "Group", "MessageGroupId", "console");
                    act::line(h, "Deduplication id (may be empty)", "MessageDeduplicationId", "");
                }
                h.leaf("button", &[("class", "primary")], "Send the message");
            });
        });
        act::asking(h, visitor, "Receive…", |h| {
            h.leaf("p", &[], "Messages are taken for a while, as a worker does, and counted as received; then they can be put back or deleted.");
            act::form(h, visitor, "sqs:ReceiveMessage", &of, |h| {
                act::line(h, "At most (1 to 10)", "MaxNumberOfMessages", "10");
                act::line(h, "Taken for, seconds", "VisibilityTimeout", "60");
                h.leaf("button", &[("class", "primary")], "Receive messages");
            });
        });
        act::asking(h, visitor, "Purge…", |h| {
            h.leaf("p", &[], "All its messages are gone for good.");
            act::form(h, visitor, "sqs:PurgeQueue", &of, |h| {
                h.leaf("button", &[("class", "danger")], "Delete all messages");
            });
        });
    });
    h.tag("section", &[("class", "card"), ("id", "messages")], |h| {
        h.leaf("h2", &[], "Messages, oldest first, looked at without receiving them");
        messages.iter().for_each(|message| one(h, message["MessageId"].as_str().unwrap_or_default(), message, |_| {}));
        nothing(h, &messages);
        older(h, visitor, &here, next.map(|next| next.to_string()).as_deref());
    });
    Ok(page)
}

/// What was received: each message can be put back or deleted.
fn received(visitor: &Visitor<'_>, form: &Fields, answer: &Map) -> Page {
    let queue = form.get("QueueUrl").unwrap_or_default();
    let here = format!("/console/queue/{}", encode(queue));
    let mut page = page("Received", false);
    page.above.push((here.clone(), queue.to_owned()));
    page.body.tag("section", &[("class", "card"), ("id", "messages")], |h| {
        h.leaf("h2", &[], "Messages");
        for message in items(answer, "Messages") {
            one(h, message["MessageId"].as_str().unwrap_or_default(), message, |h| {
                let receipt = message["ReceiptHandle"].as_str().unwrap_or_default();
                let of = [("QueueUrl", queue), ("ReceiptHandle", receipt), ("back", &*here)];
                let put_back = [of[0], of[1], of[2], ("VisibilityTimeout", "0")];
                h.tag("div", &[("class", "actions")], |h| {
                    act::form(h, visitor, "sqs:ChangeMessageVisibility", &put_back, |h| {
                        h.leaf("button", &[], "Put back");
                    });
                    act::asking(h, visitor, "Delete…", |h| {
                        h.leaf("p", &[], "The message is gone for good.");
                        act::form(h, visitor, "sqs:DeleteMessage", &of, |h| {
                            h.leaf("button", &[("class", "danger")], "Delete the message");
                        });
                    });
                });
            });
        }
        nothing(h, items(answer, "Messages"));
        h.tag("p", &[], |h| {
            h.link(&here, "Back to the queue");
        });
    });
    page
}

pub(super) async fn topic(visitor: &Visitor<'_>, name: &str) -> Result<Page, ApiError> {
    let arn = visitor.api.identity.arn("sns", name);
    let answer = call(visitor, "sns", "ListSubscriptionsByTopic", Map::from_iter([("TopicArn", &*arn)])).await?;
    let here = format!("/console/topic/{}", encode(name));
    let mut page = page(name, false);
    let h = &mut page.body;
    h.tag("p", &[("class", "facts")], |h| {
        h.text("a topic · ").leaf("code", &[("class", "arn")], &arn);
    });
    h.tag("div", &[("class", "actions")], |h| {
        act::asking(h, visitor, "Publish…", |h| {
            act::form(h, visitor, "sns:Publish", &[("TopicArn", &*arn), ("back", &*here)], |h| {
                act::line(h, "Subject (may be empty)", "Subject", "");
                act::text(h, "Message", "Message");
                if name.ends_with(".fifo") {
                    act::line(h, "Group", "MessageGroupId", "console");
                    act::line(h, "Deduplication id (may be empty)", "MessageDeduplicationId", "");
                }
                h.leaf("button", &[("class", "primary")], "Publish the message");
            });
        });
    });
    h.tag("section", &[("class", "card"), ("id", "subscriptions")], |h| {
        h.leaf("h2", &[], "Subscriptions");
        for told in items(&answer, "Subscriptions") {
            one(h, told["Endpoint"].as_str().unwrap_or_default(), told, |_| {});
        }
        nothing(h, items(&answer, "Subscriptions"));
    });
    Ok(page)
}

pub(super) fn function(visitor: &Visitor<'_>, name: &str) -> Result<Page, ApiError> {
    if !visitor.api.engine.function_names().iter().any(|known| known == name) {
        return Err(ApiError::no_resource(name));
    }
    let mut page = page(name, false);
    page.body.tag("section", &[("class", "card")], |h| {
        h.leaf("h2", &[], "Invoke");
        if visitor.console.read_only {
            h.leaf("p", &[("class", "quiet")], "This console only shows.");
        }
        invoke(h, visitor, name, "{}");
    });
    Ok(page)
}

fn invoke(h: &mut Html, visitor: &Visitor<'_>, name: &str, event: &str) {
    act::form(h, visitor, "lambda:Invoke", &[("FunctionName", name)], |h| {
        act::json(h, "Event, JSON", "Payload", event);
        h.leaf("button", &[("class", "primary")], "Invoke the function");
    });
}

async fn invoked(visitor: &Visitor<'_>, name: &str, event: &Value) -> Page {
    let arn = visitor.api.identity.arn("lambda", &format!("function:{name}"));
    let answer = run_task(&visitor.api.engine, &arn, event).await;
    let mut page = page(name, false);
    page.body.tag("section", &[("class", "card"), ("id", "answer")], |h| {
        let (title, text) = match &answer {
            Ok(output) => ("It answered", words::pretty(output)),
            Err(failure) => {
                let cause = words::pretty_text(failure.cause.as_deref().unwrap_or_default());
                ("It failed", format!("{}\n{cause}", failure.error.as_deref().unwrap_or_default()))
            }
        };
        h.leaf("h2", &[], title);
        h.leaf("pre", &[("class", "cause"), ("tabindex", "0"), ("aria-label", title)], &text);
        invoke(h, visitor, name, &words::pretty(event));
    });
    page
}

/// An item with its name, folded, and what can be done to it.
fn one(h: &mut Html, name: &str, item: &Value, acts: impl FnOnce(&mut Html)) {
    h.tag("details", &[("class", "value"), ("open", "")], |h| {
        h.leaf("summary", &[], name);
        h.leaf("pre", &[("tabindex", "0"), ("aria-label", name)], &words::pretty(item));
        acts(h);
    });
}

fn nothing(h: &mut Html, items: &[Value]) {
    if items.is_empty() {
        h.leaf("p", &[("class", "quiet")], "There is none.");
    }
}

fn older(h: &mut Html, visitor: &Visitor<'_>, here: &str, next: Option<&str>) {
    h.tag("nav", &[("class", "pager"), ("aria-label", "Pages")], |h| {
        if visitor.query.get("after").is_some() {
            h.link(here, "first");
        }
        if let Some(next) = next {
            h.link(&format!("{here}{}", visitor.query.with(&[("after", next)])), "next");
        }
    });
}
