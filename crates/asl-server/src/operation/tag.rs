//! Tags of state machines and activities.

use super::{Answer, Api, Params, list};
use crate::arn::Arn;
use crate::wire::ApiError;
use asl::{Map, Value};

/// How many tags a resource may have.
const MAX_TAGS: usize = 50;

/// A list of tags in a request; of a key that repeats the last one counts.
pub(super) fn read(p: Params<'_>, member: &str) -> Result<Vec<(String, String)>, ApiError> {
    let items = p.0.get(member).and_then(Value::as_array).unwrap_or_default();
    let text = |item: &Value, name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut tags: Vec<(String, String)> = Vec::new();
    for item in items {
        let (key, value) = (text(item, "key"), text(item, "value"));
        if key.is_empty() {
            return Err(ApiError::validation("The key of a tag must not be empty"));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(ApiError::validation(format!("The tag key '{key}' begins with aws:, which is reserved")));
        }
        tags.retain(|(known, _)| *known != key);
        tags.push((key, value));
    }
    if tags.len() > MAX_TAGS { Err(too_many("")) } else { Ok(tags) }
}

fn too_many(resource: &str) -> ApiError {
    ApiError::new("TooManyTags", format!("A resource can have at most {MAX_TAGS} tags.")).naming(resource)
}

impl Api {
    /// The resource of a request, which has to be there.
    async fn tagged<'a>(&self, p: Params<'a>) -> Result<&'a str, ApiError> {
        let text = p.required("resourceArn");
        let arn = Arn::of(text, &["stateMachine", "activity"])?;
        let is_there = match arn.kind {
            "activity" => self.catalogue().activity(text).await?.is_some(),
            _ => self.catalogue().state_machine(text).await?.is_some(),
        };
        let message = format!("Resource not found: '{text}'");
        if is_there { Ok(text) } else { Err(ApiError::new("ResourceNotFound", message).naming(text)) }
    }

    pub(super) async fn tag_resource(&self, p: Params<'_>) -> Answer {
        let resource = self.tagged(p).await?;
        let tags = read(p, "tags")?;
        let _changing = self.changing.lock().await;
        let there = self.catalogue().tags(resource).await?;
        let new = tags.iter().filter(|(key, _)| !there.iter().any(|(known, _)| known == key)).count();
        if there.len() + new > MAX_TAGS {
            return Err(too_many(resource));
        }
        self.catalogue().tag(resource, &tags, &[]).await?;
        Ok(Map::new())
    }

    pub(super) async fn untag_resource(&self, p: Params<'_>) -> Answer {
        let resource = self.tagged(p).await?;
        let keys = p.0.get("tagKeys").and_then(Value::as_array).unwrap_or_default();
        let keys: Vec<String> = keys.iter().filter_map(|key| key.as_str().map(str::to_owned)).collect();
        self.catalogue().tag(resource, &[], &keys).await?;
        Ok(Map::new())
    }

    pub(super) async fn list_tags(&self, p: Params<'_>) -> Answer {
        let tags = self.catalogue().tags(self.tagged(p).await?).await?;
        let items = tags.iter().map(|(key, value)| Map::from_iter([("key", key), ("value", value)]));
        Ok(Map::from_iter([("tags", list(items))]))
    }
}
