//! TransactGetItems and TransactWriteItems: all or nothing.

use super::attribute::{size_all, write_all};
use super::expression::parse::Placeholders;
use super::expression::projection::Projection;
use super::write::{Kind, Write};
use super::{Tables, add_capacities, attributes, choice, stored, validation};
use crate::embedded::error::{Fault, Stop, invalid, refused};
use crate::embedded::ids::sha256_hex;
use crate::embedded::params::{Params, Shape};
use crate::embedded::{ServiceCall, Services};
use asl_store::{Dedup, ServiceTx};
use asl_value::{Map, Value};
use std::collections::BTreeMap;

const MAX_ACTIONS: usize = 100;
/// How long the token of a request is remembered, in milliseconds.
const TOKEN_MS: i64 = 600_000;

const GET: Shape = Shape { known: &["TransactItems", "ReturnConsumedCapacity"], refused: &[] };
const GET_ITEM: Shape =
    Shape { known: &["TableName", "Key", "ProjectionExpression", "ExpressionAttributeNames"], refused: &[] };
const WRITE: Shape = Shape {
    known: &["TransactItems", "ClientRequestToken", "ReturnConsumedCapacity", "ReturnItemCollectionMetrics"],
    refused: &[],
};

/// The actions of `TransactItems`: of each the only member.
fn actions<'a>(params: &Params<'a>, known: &[&str]) -> Result<Vec<(&'a str, &'a Value)>, Fault> {
    let items = params.list("TransactItems")?;
    let bound = match items.len() {
        0 => Some("Member must have length greater than or equal to 1".to_owned()),
        1..=MAX_ACTIONS => None,
        _ => Some(format!("Member must have length less than or equal to {MAX_ACTIONS}")),
    };
    if let Some(bound) = bound {
        let shown = if items.is_empty() { "[]" } else { "[...]" };
        return Err(validation(format!("Value '{shown}' at 'transactItems' failed to satisfy constraint: {bound}")));
    }
    let one = |item: &'a Value| {
        let mut members = item.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
        match (members.next(), members.next()) {
            (Some((name, value)), None) if known.contains(&&**name) => Ok((&**name, value)),
            _ => Err(invalid("TransactItems can only contain one of Check, Put, Update or Delete")),
        }
    };
    items.iter().map(one).collect()
}

impl Tables {
    pub(crate) async fn transact_get(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &GET)?;
        let (mut responses, mut capacities) = (Vec::new(), BTreeMap::new());
        for (_, get) in actions(&params, &["Get"])? {
            let get = Params::new(get, call.dialect, &GET_ITEM)?;
            let key = attributes(&get, "Key")?;
            let mut placeholders = Placeholders::read(&get, &["ProjectionExpression"])?;
            let projection = get.text("ProjectionExpression")?;
            let projection = projection.map(|text| Projection::parse(text, &mut placeholders)).transpose()?;
            placeholders.check_used()?;
            let table = self.table(tx, &get).await?;
            let item = tx.item(&table.name, &table.schema().key(&key)?).await?.as_ref().map(stored).transpose()?;
            // A transaction takes twice the units of a read that is consistent.
            let units = item.as_ref().map_or(0, size_all).div_ceil(4096).max(1) as f64 * 2.0;
            *capacities.entry(table.name.to_string()).or_insert(0.0) += units;
            let shown = item.map(|item| projection.as_ref().map_or_else(|| item.clone(), |p| p.apply(&item)));
            let shown = shown.map(|item| ("Item", write_all(&item, call.dialect)));
            responses.push(Value::from(Map::from_iter(shown)));
        }
        let mut answer = Map::from_iter([("Responses", responses)]);
        add_capacities(&mut answer, &params, &capacities)?;
        Ok(answer)
    }

    pub(crate) async fn transact_write(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &WRITE)?;
        choice(&params, "ReturnItemCollectionMetrics", &["SIZE", "NONE"])?;
        let mut writes: Vec<Write<'_>> = Vec::new();
        for (name, entry) in actions(&params, &["Put", "Update", "Delete", "ConditionCheck"])? {
            let kind = match name {
                "Put" => Kind::Put,
                "Update" => Kind::Update,
                "Delete" => Kind::Delete,
                _ if entry["ConditionExpression"].as_str().is_none() => {
                    return Err(validation(
                        "Value null at 'transactItems.1.member.conditionCheck.conditionExpression' failed to satisfy \
                         constraint: Member must not be null"
                            .to_owned(),
                    )
                    .into());
                }
                _ => Kind::Check,
            };
            let write = self.prepare_entry(tx, kind, entry, call.dialect).await?;
            if writes.iter().any(|other| other.table.name == write.table.name && other.key == write.key) {
                return Err(invalid("Transaction request cannot include multiple operations on one item").into());
            }
            writes.push(write);
        }
        if let Some(token) = params.text("ClientRequestToken")?
            && self.is_repeated(tx, call, token).await?
        {
            return Ok(Map::new());
        }
        let mut reasons = Vec::new();
        for write in &mut writes {
            match write.evaluate(tx).await {
                Ok(()) => reasons.push(None),
                Err(Stop::Fault(Fault::Refused { code, message, members, .. })) => {
                    reasons.push(Some((code, message, members)));
                }
                Err(other) => return Err(other),
            }
        }
        if reasons.iter().any(Option::is_some) {
            return Err(cancelled(reasons).into());
        }
        let mut capacities = BTreeMap::new();
        for write in &writes {
            self.settle(tx, &write.table).await?;
            write.apply(tx).await?;
            *capacities.entry(write.table.name.to_string()).or_insert(0.0) += write.units() * 2.0;
        }
        let mut answer = Map::new();
        add_capacities(&mut answer, &params, &capacities)?;
        Ok(answer)
    }

    /// Whether the same request with this token was done within ten minutes; if not, it is remembered.
    async fn is_repeated(&self, tx: &mut dyn ServiceTx, call: &ServiceCall<'_>, token: &str) -> Result<bool, Stop> {
        if !(1..=36).contains(&token.len()) {
            return Err(validation(format!(
                "Value '{token}' at 'clientRequestToken' failed to satisfy constraint: Member must have length less than or equal to 36"
            ))
            .into());
        }
        let scope = "dynamodb:transact";
        let request = sha256_hex(call.parameters.to_string().as_bytes());
        let since = call.now_ms - TOKEN_MS;
        if let Some(first) = tx.deduplicated(scope, token, since).await? {
            return match first.message_id == request {
                true => Ok(true),
                false => {
                    let text = "A request with the same client token and different parameters was made before";
                    Err(refused("IdempotentParameterMismatchException", text).into())
                }
            };
        }
        let (scope, id) = (scope.to_owned(), token.to_owned());
        let dedup = Dedup { scope, id, message_id: request, sequence: 0, sent_at_ms: call.now_ms };
        tx.remember(&dedup, since).await?;
        Ok(false)
    }
}

/// DynamoDB's error for a transaction that is not done, with a reason for each action.
fn cancelled(reasons: Vec<Option<(&'static str, String, Map)>>) -> Fault {
    let code = |code: &str| match code {
        "ValidationException" => "ValidationError".to_owned(),
        other => other.trim_end_matches("Exception").to_owned(),
    };
    let codes = reasons.iter().map(|reason| reason.as_ref().map_or("None".to_owned(), |(name, ..)| code(name)));
    let codes = codes.collect::<Vec<_>>().join(", ");
    let reason = |reason: Option<(&str, String, Map)>| match reason {
        None => Value::from_iter([("Code", "None")]),
        Some((name, message, mut members)) => {
            members.insert("Code", code(name));
            members.insert("Message", message);
            members.into()
        }
    };
    let reasons: Value = reasons.into_iter().map(reason).collect();
    Fault::Refused {
        code: "TransactionCanceledException",
        status: 400,
        message: format!("Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"),
        members: Map::from_iter([("CancellationReasons", reasons)]),
    }
}
