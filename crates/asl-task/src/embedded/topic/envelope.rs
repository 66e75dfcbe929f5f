//! The forms in which SNS delivers a message: the JSON envelope for queues and the Lambda event for functions.

use crate::embedded::answer::iso_date;
use asl_value::{Map, Value};

/// A published message with what every delivery of it says.
pub(super) struct Notification<'a> {
    pub(super) message_id: String,
    pub(super) topic_arn: String,
    pub(super) region: &'a str,
    pub(super) subject: Option<&'a str>,
    pub(super) attributes: &'a Value,
    pub(super) now_ms: i64,
    /// The sequence number of a FIFO topic.
    pub(super) sequence: Option<i64>,
}

impl Notification<'_> {
    /// The envelope that is the body of a queue's message. Nothing signs messages here; the signature is a placeholder.
    pub(super) fn envelope(&self, text: &str, subscription_arn: &str) -> Value {
        let mut out = Map::from_iter([("Type", "Notification"), ("MessageId", self.message_id.as_str())]);
        if let Some(sequence) = self.sequence {
            out.insert("SequenceNumber", format!("{sequence:020}"));
        }
        out.insert("TopicArn", &self.topic_arn);
        if let Some(subject) = self.subject {
            out.insert("Subject", subject);
        }
        out.insert("Message", text);
        self.finish(&mut out, subscription_arn, ("SigningCertURL", "UnsubscribeURL"));
        let attributes = self.attributes();
        if attributes.as_object().is_some_and(|attributes| !attributes.is_empty()) {
            out.insert("MessageAttributes", attributes);
        }
        Value::from(out)
    }

    /// The event a function gets.
    pub(super) fn event(&self, text: &str, subscription_arn: &str) -> Value {
        let mut sns = Map::from_iter([
            ("Type", Value::from("Notification")),
            ("MessageId", Value::from(&self.message_id)),
            ("TopicArn", Value::from(&self.topic_arn)),
            ("Subject", Value::from(self.subject)),
            ("Message", Value::from(text)),
        ]);
        self.finish(&mut sns, subscription_arn, ("SigningCertUrl", "UnsubscribeUrl"));
        sns.insert("MessageAttributes", self.attributes());
        let record = Value::from_iter([
            ("EventSource", Value::from("aws:sns")),
            ("EventVersion", Value::from("1.0")),
            ("EventSubscriptionArn", Value::from(subscription_arn)),
            ("Sns", Value::from(sns)),
        ]);
        Value::from_iter([("Records", Value::from(vec![record]))])
    }

    fn finish(&self, out: &mut Map, subscription_arn: &str, (cert, unsubscribe): (&str, &str)) {
        let host = format!("https://sns.{}.amazonaws.com", self.region);
        out.insert("Timestamp", iso_date(self.now_ms));
        out.insert("SignatureVersion", "1");
        out.insert("Signature", "EXAMPLE");
        out.insert(cert, format!("{host}/SimpleNotificationService-00000000000000000000000000000000.pem"));
        out.insert(unsubscribe, format!("{host}/?Action=Unsubscribe&SubscriptionArn={subscription_arn}"));
    }

    /// `{NAME: {"Type", "Value"}}`
    fn attributes(&self) -> Value {
        let members = self.attributes.as_object().into_iter().flatten();
        let typed = members.map(|(name, value)| {
            let body = value.get("StringValue").or(value.get("BinaryValue")).cloned().unwrap_or_default();
            (name.clone(), Value::from_iter([("Type", value["DataType"].clone()), ("Value", body)]))
        });
        typed.collect()
    }
}
