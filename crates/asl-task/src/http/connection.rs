//! A connection: how requests are authorized, and what is added to them.

use super::request::Outgoing;
use super::transport::Transport;
use super::{answer, form};
use asl_aws::Secret;
use asl_core::Failure;
use asl_value::{Map, Value};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// The longest file of a secret, in bytes.
const MAX_SECRET: u64 = 64 * 1024;
/// A token is not used in its last minute.
const TOKEN_MARGIN: Duration = Duration::from_secs(60);
/// How long a token is used whose server does not say.
const TOKEN_LIFE: u64 = 300;

/// A connection of an HTTP task, as `[connections.NAME]` declares it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct ConnectionSpec {
    /// A key in a header of its own.
    pub api_key: Option<ApiKey>,
    /// A name and a password.
    pub basic: Option<Basic>,
    /// A token that an authorization server gives for client credentials.
    #[serde(rename = "OAuth")]
    pub oauth: Option<OAuth>,
    /// Headers of every request, over those of the task.
    #[serde(default)]
    pub headers: BTreeMap<String, Text>,
    /// Query parameters of every request, over those of the task.
    #[serde(default)]
    pub query: BTreeMap<String, Text>,
    /// Members of the body of every request, over those of the task.
    #[serde(default)]
    pub body: BTreeMap<String, Text>,
}

/// A key in a header of its own.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct ApiKey {
    /// The header: `x-api-key`, `Authorization`.
    pub name: String,
    /// Its value.
    pub value: SecretSource,
}

/// A name and a password.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Basic {
    /// The name.
    pub username: Text,
    /// The password.
    pub password: SecretSource,
}

/// Client credentials of OAuth 2.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct OAuth {
    /// Where tokens are given: `https://auth.example/oauth/token`.
    pub token_url: String,
    /// The client's id.
    pub client_id: Text,
    /// Its secret.
    pub client_secret: SecretSource,
    /// Where the two stand in the request for a token: in a header when absent.
    #[serde(default)]
    pub credentials: Grant,
    /// More fields of the request for a token: `scope`, `audience`.
    #[serde(default)]
    pub body: BTreeMap<String, Text>,
}

/// Where client credentials stand in the request for a token (RFC 6749, 2.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Grant {
    /// In the header `Authorization`.
    #[default]
    Header,
    /// In the body, as `client_id` and `client_secret`.
    Body,
}

/// Where a secret is read when it is needed; it is never part of the project file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub enum SecretSource {
    /// A variable of the environment.
    Env(String),
    /// A file, relative to the project file; a line break at its end is not part of the secret.
    File(PathBuf),
}

/// A text, or a secret.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Text {
    /// The text itself.
    Plain(String),
    /// A secret.
    Secret(SecretSource),
}

impl ConnectionSpec {
    /// What is wrong with it: the place within it, and the problem with what to do about it.
    pub fn problems(&self) -> Vec<(String, String, String)> {
        let mut problems = vec![];
        let ways = [self.api_key.is_some(), self.basic.is_some(), self.oauth.is_some()];
        if ways.iter().filter(|way| **way).count() > 1 {
            let message = "a connection authorizes in one way".to_owned();
            problems.push((String::new(), message, "keep one of ApiKey, Basic and OAuth".to_owned()));
        }
        let own = self.api_key.iter().map(|key| ("ApiKey.Name".to_owned(), &key.name));
        let named = self.headers.keys().map(|name| (format!("Headers.{name}"), name));
        for (place, name) in own.chain(named) {
            if reqwest::header::HeaderName::from_bytes(name.as_bytes()).is_err() {
                problems.push((
                    place,
                    format!("`{name}` is not the name of a header"),
                    "use letters, digits and -".to_owned(),
                ));
            }
        }
        if let Some(oauth) = &self.oauth
            && reqwest::Url::parse(&oauth.token_url).is_err()
        {
            let help = "write it in full: \"https://auth.example/oauth/token\"".to_owned();
            problems.push(("OAuth.TokenUrl".to_owned(), "this is not an address".to_owned(), help));
        }
        problems
    }
}

/// The name in `arn:aws:events:REGION:ACCOUNT:connection/NAME/ID`, or a name alone.
pub(super) fn name_of(arn: &str) -> &str {
    let rest = arn.split_once(":connection/").map_or(arn, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

/// A connection that requests are authorized by.
pub(super) struct Connection {
    name: String,
    spec: ConnectionSpec,
    root: PathBuf,
    token: Mutex<Option<(Secret, Instant)>>,
}

/// What a connection adds to a request.
pub(super) struct Authorized {
    pub(super) headers: Vec<(String, String)>,
    pub(super) query: Vec<(String, String)>,
    pub(super) body: Map,
    /// It is authorized by a token, which may be withdrawn.
    pub(super) by_token: bool,
    /// What must not be seen: the secrets, and what was made of them.
    secrets: Vec<Secret>,
}

impl Authorized {
    /// A text without the secrets in it.
    pub(super) fn hide(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in self.secrets.iter().map(Secret::expose).filter(|s| !s.is_empty()) {
            if text.contains(secret) {
                text = text.replace(secret, "[secret]");
            }
        }
        text
    }

    pub(super) fn hide_failure(&self, failure: Failure) -> Failure {
        let hidden = |text: std::sync::Arc<str>| self.hide(&text).into();
        Failure { error: failure.error.map(hidden), cause: failure.cause.map(hidden) }
    }
}

impl Connection {
    pub(super) fn new(name: &str, spec: ConnectionSpec, root: &Path) -> Connection {
        Connection { name: name.to_owned(), spec, root: root.to_owned(), token: Mutex::new(None) }
    }

    /// Forgets the token: the next request asks for another.
    pub(super) async fn forget(&self) {
        *self.token.lock().await = None;
    }

    /// Reads the secrets, and asks for a token where that is the way.
    ///
    /// # Errors
    /// `Events.ConnectionResource.InvalidConnectionState`: what is missing, by its name.
    pub(super) async fn authorize(&self, transport: &Transport) -> Result<Authorized, Failure> {
        let mut made =
            Authorized { headers: vec![], query: vec![], body: Map::new(), by_token: false, secrets: vec![] };
        if let Some(key) = &self.spec.api_key {
            let value = self.secret(&key.value, &mut made).await?;
            made.headers.push((key.name.clone(), value));
        }
        if let Some(basic) = &self.spec.basic {
            let (name, password) =
                (self.text(&basic.username, &mut made).await?, self.secret(&basic.password, &mut made).await?);
            made.headers.push(basic_header(&name, &password, &mut made.secrets));
        }
        if let Some(oauth) = &self.spec.oauth {
            let token = self.token(oauth, transport, &mut made).await?;
            made.headers.push(("Authorization".to_owned(), format!("Bearer {}", token.expose())));
            made.secrets.push(token);
            made.by_token = true;
        }
        for (name, text) in &self.spec.headers {
            let value = self.text(text, &mut made).await?;
            made.headers.push((name.clone(), value));
        }
        for (name, text) in &self.spec.query {
            let value = self.text(text, &mut made).await?;
            made.query.push((name.clone(), value));
        }
        for (name, text) in &self.spec.body {
            let value = self.text(text, &mut made).await?;
            made.body.insert(name.as_str(), value);
        }
        // A longer secret may hold a shorter one.
        made.secrets.sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
        Ok(made)
    }

    async fn text(&self, text: &Text, made: &mut Authorized) -> Result<String, Failure> {
        match text {
            Text::Plain(text) => Ok(text.clone()),
            Text::Secret(source) => self.secret(source, made).await,
        }
    }

    async fn secret(&self, source: &SecretSource, made: &mut Authorized) -> Result<String, Failure> {
        let text = match source {
            SecretSource::Env(name) => {
                std::env::var(name).map_err(|_| self.invalid(&format!("the variable {name} is not set")))?
            }
            SecretSource::File(file) => {
                let unread = |why: String| self.invalid(&format!("the file {} cannot be read: {why}", file.display()));
                let path = self.root.join(file);
                let length = tokio::fs::metadata(&path).await.map_err(|e| unread(e.to_string()))?.len();
                if length > MAX_SECRET {
                    return Err(unread(format!("it is longer than {MAX_SECRET} bytes")));
                }
                let text = tokio::fs::read_to_string(&path).await.map_err(|e| unread(e.to_string()))?;
                text.trim_end_matches(['\r', '\n']).to_owned()
            }
        };
        if text.is_empty() {
            return Err(self.invalid("a secret is empty"));
        }
        made.secrets.push(Secret::from(text.as_str()));
        Ok(text)
    }

    fn invalid(&self, why: &str) -> Failure {
        let cause = format!("The connection '{}' cannot be used: {why}", self.name);
        Failure::new("Events.ConnectionResource.InvalidConnectionState", cause)
    }

    /// The token that is still good, or a new one. Requests that need one at the same time ask for one together.
    async fn token(&self, oauth: &OAuth, transport: &Transport, made: &mut Authorized) -> Result<Secret, Failure> {
        let (id, secret) = (self.text(&oauth.client_id, made).await?, self.secret(&oauth.client_secret, made).await?);
        let mut fields = vec![("grant_type".to_owned(), "client_credentials".to_owned())];
        for (name, text) in &oauth.body {
            let value = self.text(text, made).await?;
            fields.retain(|(n, _)| n != name);
            fields.push((name.clone(), value));
        }
        let mut headers = vec![
            ("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned()),
            ("Accept".to_owned(), "application/json".to_owned()),
        ];
        match oauth.credentials {
            Grant::Header => headers.push(basic_header(&id, &secret, &mut made.secrets)),
            Grant::Body => {
                fields.push(("client_id".to_owned(), id));
                fields.push(("client_secret".to_owned(), secret));
            }
        }
        let mut kept = self.token.lock().await;
        if let Some((token, until)) = &*kept
            && Instant::now() < *until
        {
            return Ok(token.clone());
        }
        let url = transport.url(&oauth.token_url).map_err(|refused| self.invalid(&refused.to_string()))?;
        let request = Outgoing { method: reqwest::Method::POST, url, headers, body: Some(form::pairs(&fields)) };
        let unanswered = |f: Failure| self.invalid(&made.hide(f.cause.as_deref().unwrap_or_default()));
        let answered = transport.send(&request).await.map_err(unanswered)?;
        let status = answered.status;
        let body: Value = answer::text(&answered).parse().unwrap_or_default();
        let Some(token) = body["access_token"].as_str().filter(|_| (200..300).contains(&status)) else {
            let why = body["error"].as_str().map(|e| format!(", {}", made.hide(e))).unwrap_or_default();
            return Err(self.invalid(&format!("the authorization server gave no token (status {status}{why})")));
        };
        let life = body["expires_in"].as_i64().and_then(|s| u64::try_from(s).ok()).unwrap_or(TOKEN_LIFE);
        let life = Duration::from_secs(life.min(86_400)).saturating_sub(TOKEN_MARGIN);
        let token = Secret::from(token);
        *kept = Some((token.clone(), Instant::now() + life));
        Ok(token)
    }
}

/// The header of a name and a password; what it holds is a secret too.
fn basic_header(name: &str, password: &str, secrets: &mut Vec<Secret>) -> (String, String) {
    let encoded = STANDARD.encode(format!("{name}:{password}"));
    secrets.push(Secret::from(encoded.as_str()));
    ("Authorization".to_owned(), format!("Basic {encoded}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_found_by_its_arn() {
        let arn = "arn:aws:events:us-east-1:123456789012:connection/Stripe/81210c42-8af1-456b-9c4a-6ff02fc664ac";
        assert_eq!((name_of(arn), name_of("Stripe")), ("Stripe", "Stripe"));
    }
}
