//! The places where credentials are found.

use super::profile::Section;
use super::{Credentials, CredentialsError, Role, profiles};
use crate::client::{Core, Signer};
use crate::model::service;
use crate::sign::hex;
use crate::system::{HttpRequest, Limits};
use crate::time::Timestamp;
use asl_value::Value;
use bytes::Bytes;
use sha1::Digest;
use std::path::PathBuf;
use std::pin::Pin;

/// Profiles may lead to others so many times.
const MAX_CHAIN: usize = 5;
/// How long a program that gives credentials may take, in milliseconds.
const PROCESS_MS: u64 = 60_000;
const METADATA: Limits = Limits { connect_timeout_ms: 1000, timeout_ms: 2000, max_response_bytes: 1 << 16 };
/// Where containers of ECS find credentials, and EC2 instances theirs.
const ECS_HOST: &str = "169.254.170.2";
const EC2_HOST: &str = "169.254.169.254";

type Found = Result<Credentials, CredentialsError>;

/// Looks at all places in order.
pub(super) async fn find(core: &Core) -> Found {
    if core.settings.profile.is_none() {
        if let Some(found) = environment(core) {
            return Ok(found);
        }
        if let (Some(file), Some(arn)) = (core.variable("AWS_WEB_IDENTITY_TOKEN_FILE"), core.variable("AWS_ROLE_ARN")) {
            let session = core.variable("AWS_ROLE_SESSION_NAME");
            return web_identity(core, &file, arn, session).await;
        }
    }
    let files = profiles(core).await;
    let name = core.profile_name();
    match files.profile(&name) {
        Some(section) if gives_credentials(section) => return profile(core, &name, 0).await,
        None if core.profile_named() => return Err(CredentialsError::NoProfile(name)),
        _ => {}
    }
    if core.variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI").is_some()
        || core.variable("AWS_CONTAINER_CREDENTIALS_FULL_URI").is_some()
    {
        return container(core).await;
    }
    instance(core).await
}

fn environment(core: &Core) -> Option<Credentials> {
    Some(Credentials {
        access_key: core.variable("AWS_ACCESS_KEY_ID")?,
        secret: core.variable("AWS_SECRET_ACCESS_KEY")?.into(),
        token: core.variable("AWS_SESSION_TOKEN").map(Into::into),
        expires_ms: None,
    })
}

fn gives_credentials(section: &Section) -> bool {
    let keys = ["aws_access_key_id", "role_arn", "sso_session", "sso_start_url", "credential_process"];
    keys.iter().any(|k| section.contains_key(*k))
}

/// The credentials of a profile; it may assume a role with those of another.
fn profile<'a>(core: &'a Core, name: &'a str, depth: usize) -> Pin<Box<dyn Future<Output = Found> + Send + 'a>> {
    Box::pin(async move {
        let files = profiles(core).await;
        let bad = |reason: &str| CredentialsError::Profile { profile: name.to_owned(), reason: reason.to_owned() };
        let section = files.profile(name).ok_or_else(|| CredentialsError::NoProfile(name.to_owned()))?;
        let get = |key: &str| section.get(key).cloned();
        if depth > MAX_CHAIN {
            return Err(bad("profiles lead from one to the other too often"));
        }
        if let Some(arn) = get("role_arn") {
            let session = get("role_session_name");
            if let Some(file) = get("web_identity_token_file") {
                return web_identity(core, &file, arn, session).await;
            }
            if section.contains_key("mfa_serial") {
                return Err(bad("its role asks for a code (mfa_serial); get a session with `aws sts` and use that"));
            }
            let source = match (get("source_profile"), get("credential_source").as_deref()) {
                // A profile may be its own source: then its keys are meant.
                (Some(source), _) if source == name => keys(section).ok_or_else(|| bad("it has no keys of its own"))?,
                (Some(source), _) => profile(core, &source, depth + 1).await?,
                (None, Some("Environment")) => environment(core).ok_or_else(|| bad("the environment has no keys"))?,
                (None, Some("EcsContainer")) => container(core).await?,
                (None, Some("Ec2InstanceMetadata")) => instance(core).await?,
                _ => return Err(bad("it has a role_arn, but neither source_profile nor credential_source")),
            };
            let role =
                Role { arn, session: session.unwrap_or_else(|| "asl".to_owned()), external_id: get("external_id") };
            return assume(core, &source, &role).await;
        }
        if let Some(found) = keys(section) {
            return Ok(found);
        }
        if section.contains_key("sso_session") || section.contains_key("sso_start_url") {
            return sso(core, name, section).await;
        }
        match get("credential_process") {
            Some(command) => process(core, &command).await,
            None => Err(bad("it has neither keys nor a role")),
        }
    })
}

fn keys(section: &Section) -> Option<Credentials> {
    Some(Credentials {
        access_key: section.get("aws_access_key_id")?.clone(),
        secret: section.get("aws_secret_access_key")?.clone().into(),
        token: section.get("aws_session_token").cloned().map(Into::into),
        expires_ms: None,
    })
}

/// Calls an operation that gives credentials.
async fn call(
    core: &Core,
    name: (&str, &str),
    parameters: Value,
    signer: Signer<'_>,
    region: Option<&str>,
    member: &str,
) -> Found {
    let place = || format!("{}:{}", name.0, name.1);
    let service = service(name.0).ok_or_else(|| CredentialsError::place(place(), "no such service"))?;
    let operation = service.operation(name.1).ok_or_else(|| CredentialsError::place(place(), "no such operation"))?;
    let called = Box::pin(core.call(&service, operation, &parameters, "", signer, region)).await;
    let answer = called.map_err(|e| CredentialsError::place(place(), e.to_string()))?;
    Credentials::read(&answer.result[member]).ok_or_else(|| CredentialsError::place(place(), "the answer has none"))
}

/// Assumes a role.
pub(super) async fn assume(core: &Core, own: &Credentials, role: &Role) -> Found {
    let mut parameters = vec![("RoleArn", Value::from(&role.arn)), ("RoleSessionName", Value::from(&role.session))];
    parameters.extend(role.external_id.as_ref().map(|id| ("ExternalId", Value::from(id))));
    call(core, ("sts", "assumeRole"), Value::from_iter(parameters), Signer::With(own), None, "Credentials").await
}

async fn web_identity(core: &Core, file: &str, arn: String, session: Option<String>) -> Found {
    let read = core.system.read(&PathBuf::from(file)).await;
    let bytes = read.map_err(|e| CredentialsError::place(format!("the token in {file}"), e.to_string()))?;
    let token = String::from_utf8_lossy(&bytes).trim().to_owned();
    let parameters = Value::from_iter([
        ("RoleArn", Value::from(arn)),
        ("RoleSessionName", Value::from(session.unwrap_or_else(|| "asl".to_owned()))),
        ("WebIdentityToken", Value::from(token)),
    ]);
    call(core, ("sts", "assumeRoleWithWebIdentity"), parameters, Signer::Nobody, None, "Credentials").await
}

/// Single sign-on: with the token that `aws sso login` has left.
async fn sso(core: &Core, name: &str, section: &Section) -> Found {
    let bad = |reason: String| CredentialsError::Profile { profile: name.to_owned(), reason };
    let files = profiles(core).await;
    let session = section.get("sso_session");
    let shared = session.and_then(|s| files.session(s));
    let get = |key: &str| {
        let found = section.get(key).or_else(|| shared?.get(key)).cloned();
        found.ok_or_else(|| bad(format!("it has no {key}")))
    };
    let (url, region) = (get("sso_start_url")?, get("sso_region")?);
    let key = hex(&sha1::Sha1::digest(session.unwrap_or(&url).as_bytes()));
    let home = core.system.home().unwrap_or_default();
    let path = home.join(".aws/sso/cache").join(format!("{key}.json"));
    let again = || bad(format!("nobody is signed in: run `aws sso login --profile {name}`"));
    let bytes = core.system.read(&path).await.map_err(|_| again())?;
    let token: Value = String::from_utf8_lossy(&bytes).parse().map_err(|_| again())?;
    let expires = Timestamp::of(&token["expiresAt"]).ok_or_else(again)?;
    let access = token["accessToken"].as_str().filter(|_| expires.as_ms() > core.system.now_ms()).ok_or_else(again)?;
    let parameters = Value::from_iter([
        ("RoleName", Value::from(get("sso_role_name")?)),
        ("AccountId", Value::from(get("sso_account_id")?)),
        ("AccessToken", Value::from(access)),
    ]);
    call(core, ("sso", "getRoleCredentials"), parameters, Signer::Nobody, Some(&region), "RoleCredentials").await.map(
        |mut found| {
            // This operation gives milliseconds.
            found.expires_ms = found.expires_ms.or(Some(expires.as_ms()));
            found
        },
    )
}

/// A program that writes credentials.
async fn process(core: &Core, command: &str) -> Found {
    let place = "the profile's credential_process";
    let output = core.system.run(command, PROCESS_MS).await;
    let output = output.map_err(|e| CredentialsError::place(place, e.to_string()))?;
    let value: Option<Value> = String::from_utf8_lossy(&output).parse().ok();
    let found = value.filter(|v| v["Version"].as_i64() == Some(1)).and_then(|v| Credentials::read(&v));
    found.ok_or_else(|| CredentialsError::place(place, "it does not write version 1 of AWS's format"))
}

async fn get(core: &Core, method: &'static str, url: &str, headers: Vec<(String, String)>) -> Result<String, String> {
    let url = reqwest::Url::parse(url).map_err(|_| "no address".to_owned())?;
    let host = url.host_str().unwrap_or("").to_owned();
    let request = HttpRequest {
        method,
        secure: url.scheme() == "https",
        host: url.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}")),
        path: url.path().to_owned(),
        query: url.query().unwrap_or("").to_owned(),
        headers,
        body: Bytes::new(),
    };
    let response = core.system.send(&request, &METADATA).await.map_err(|e| e.to_string())?;
    if response.status != 200 {
        return Err(format!("status {}", response.status));
    }
    String::from_utf8(response.body).map_err(|_| "no text".to_owned())
}

/// The credentials of a container of ECS or EKS.
async fn container(core: &Core) -> Found {
    let bad = |reason: String| CredentialsError::place("the container's endpoint", reason);
    let url = match core.variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
        Some(path) => format!("http://{ECS_HOST}/{}", path.trim_start_matches('/')),
        None => core.variable("AWS_CONTAINER_CREDENTIALS_FULL_URI").unwrap_or_default(),
    };
    let host = reqwest::Url::parse(&url).ok().and_then(|u| u.host_str().map(str::to_owned)).unwrap_or_default();
    let local =
        [ECS_HOST, "169.254.170.23", "127.0.0.1", "localhost", "[::1]", "[fd00:ec2::23]"].contains(&host.as_str());
    if !url.starts_with("https://") && !local {
        return Err(bad(format!("'{host}' is neither this machine nor spoken to by https")));
    }
    let mut token = core.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    if let Some(file) = core.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
        let bytes = core.system.read(&PathBuf::from(file)).await.map_err(|e| bad(e.to_string()))?;
        token = Some(String::from_utf8_lossy(&bytes).trim().to_owned());
    }
    let headers = token.map(|t| ("Authorization".to_owned(), t)).into_iter().collect();
    let text = get(core, "GET", &url, headers).await.map_err(bad)?;
    let value: Option<Value> = text.parse().ok();
    value.and_then(|v| Credentials::read(&v)).ok_or_else(|| bad("the answer has none".to_owned()))
}

/// The credentials of the role of an EC2 instance, by the metadata service's version 2.
async fn instance(core: &Core) -> Found {
    if core.variable("AWS_EC2_METADATA_DISABLED").is_some_and(|v| v.eq_ignore_ascii_case("true")) {
        return Err(CredentialsError::None);
    }
    let base = core.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT").unwrap_or_else(|| format!("http://{EC2_HOST}"));
    let base = base.trim_end_matches('/');
    let ttl = vec![("x-aws-ec2-metadata-token-ttl-seconds".to_owned(), "21600".to_owned())];
    // Elsewhere than on EC2 nobody answers: there are no credentials at all, and that is what to say.
    let token = get(core, "PUT", &format!("{base}/latest/api/token"), ttl).await.map_err(|_| CredentialsError::None)?;
    let bad = |reason: String| CredentialsError::place("the instance's metadata", reason);
    let header = || vec![("x-aws-ec2-metadata-token".to_owned(), token.clone())];
    let list = format!("{base}/latest/meta-data/iam/security-credentials/");
    let names = get(core, "GET", &list, header()).await.map_err(bad)?;
    let name = names
        .lines()
        .next()
        .map(str::trim)
        .filter(|n| !n.is_empty())
        .ok_or_else(|| bad("the instance has no role".to_owned()))?;
    let text = get(core, "GET", &format!("{list}{name}"), header()).await.map_err(bad)?;
    let value: Option<Value> = text.parse().ok();
    value.and_then(|v| Credentials::read(&v)).ok_or_else(|| bad("the answer has none".to_owned()))
}
