//! Signatures of requests, version 4, in the header or in the query.

use super::keys::Keys;
use crate::http::Received;
use crate::wire::ApiError;
use asl::Timestamp;
use asl::parts::sign::{canonical_path, canonical_query, signature};
use sha2::{Digest, Sha256};
use std::borrow::Cow;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How far a request's clock may be off; milliseconds.
const SKEW_MS: i64 = 5 * 60 * 1000;
/// How long a presigned request may be good for; seconds.
const LONGEST: i64 = 7 * 24 * 3600;

/// What a request says of its signature.
#[derive(Default)]
pub(super) struct Claim<'r> {
    pub(super) access_key: Cow<'r, str>,
    /// `20150830/us-east-1/states/aws4_request`
    pub(super) range: Cow<'r, str>,
    /// The names of the headers that are signed, separated by semicolons.
    headers: Cow<'r, str>,
    pub(super) signature: Cow<'r, str>,
    pub(super) date: Cow<'r, str>,
    /// Of a presigned request: for how many seconds it is good.
    expires: Option<i64>,
    token: Option<Cow<'r, str>>,
}

pub(super) fn refuse(code: &str, message: impl Into<String>) -> ApiError {
    ApiError::framework(code, message)
}

/// Verifies a request's signature, its time and its token.
pub(super) fn verify(request: &Received, keys: &Keys, now: Timestamp) -> Result<(), ApiError> {
    let claim = claim(request)?;
    let key = keys.find(&claim.access_key).ok_or_else(unknown)?;
    let token_fits = match (&key.token, &claim.token) {
        (None, None) => true,
        (Some(token), Some(given)) => same(token.expose(), given),
        _ => false,
    };
    if !token_fits {
        return Err(unknown());
    }
    in_time(&claim, now)?;
    let made = signature(&key.secret, &claim.date, &claim.range, &canonical(request, &claim)?);
    match same(&made, &claim.signature) {
        true => Ok(()),
        false => Err(not_ours()),
    }
}

/// What a request says of its signature.
pub(super) fn claim(request: &Received) -> Result<Claim<'_>, ApiError> {
    match header(request, "authorization") {
        Some(text) => in_header(request, text),
        None => in_query(request),
    }
}

pub(super) fn unknown() -> ApiError {
    refuse("UnrecognizedClientException", "The security token included in the request is invalid.")
}

pub(super) fn not_ours() -> ApiError {
    refuse(
        "InvalidSignatureException",
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
    )
}

fn header<'r>(request: &'r Received, name: &str) -> Option<&'r str> {
    request.parts.headers.get(name)?.to_str().ok()
}

/// `AWS4-HMAC-SHA256 Credential=KEY/RANGE, SignedHeaders=a;b, Signature=0123...`
fn in_header<'r>(request: &'r Received, text: &'r str) -> Result<Claim<'r>, ApiError> {
    let incomplete = |what: &str| {
        refuse("IncompleteSignatureException", format!("Authorization header requires '{what}' parameter."))
    };
    let Some(fields) = text.strip_prefix(ALGORITHM) else {
        return Err(refuse(
            "IncompleteSignatureException",
            format!("Unsupported AWS 'algorithm': it has to be {ALGORITHM}"),
        ));
    };
    let field = |name: &str| {
        let found = fields.split(',').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='));
        found.ok_or_else(|| incomplete(name))
    };
    let (access_key, range) = field("Credential")?.split_once('/').ok_or_else(|| incomplete("Credential"))?;
    let date = header(request, "x-amz-date").ok_or_else(|| incomplete("X-Amz-Date"))?;
    Ok(Claim {
        access_key: access_key.into(),
        range: range.into(),
        headers: field("SignedHeaders")?.into(),
        signature: field("Signature")?.into(),
        date: date.into(),
        expires: None,
        token: header(request, "x-amz-security-token").map(Into::into),
    })
}

fn in_query(request: &Received) -> Result<Claim<'_>, ApiError> {
    let query = request.parts.uri.query().unwrap_or_default();
    let field = |name: &str| query.split('&').find_map(|field| field.strip_prefix(name)?.strip_prefix('=')).map(decode);
    let missing = || refuse("MissingAuthenticationTokenException", "Missing Authentication Token");
    if field("X-Amz-Algorithm").as_deref() != Some(ALGORITHM) {
        return Err(missing());
    }
    let credential = field("X-Amz-Credential").ok_or_else(missing)?;
    let (access_key, range) = credential.split_once('/').ok_or_else(missing)?;
    Ok(Claim {
        access_key: access_key.to_owned().into(),
        range: range.to_owned().into(),
        headers: field("X-Amz-SignedHeaders").ok_or_else(missing)?,
        signature: field("X-Amz-Signature").ok_or_else(missing)?,
        date: field("X-Amz-Date").ok_or_else(missing)?,
        expires: Some(field("X-Amz-Expires").and_then(|seconds| seconds.parse().ok()).unwrap_or(0)),
        token: field("X-Amz-Security-Token"),
    })
}

fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return text.into();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let hex = behind.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned().into()
}

fn in_time(claim: &Claim<'_>, now: Timestamp) -> Result<(), ApiError> {
    let bad = || refuse("IncompleteSignatureException", "Date must be in ISO-8601 'basic format': 20150830T123600Z");
    let day = claim.range.split('/').next().unwrap_or_default();
    let at = Some(&*claim.date)
        .filter(|date| date.is_ascii() && date.len() == 16 && date.starts_with(day))
        .ok_or_else(bad)?;
    let (d, t) = (&at[..8], &at[9..15]);
    let iso = format!("{}-{}-{}T{}:{}:{}Z", &d[..4], &d[4..6], &d[6..], &t[..2], &t[2..4], &t[4..]);
    let at = Timestamp::parse(&iso).map_err(|_| bad())?.millis();
    let life_ms = claim.expires.map_or(0, |seconds| seconds.clamp(0, LONGEST) * 1000);
    if at - now.millis() > SKEW_MS {
        return Err(refuse(
            "InvalidSignatureException",
            format!("Signature not yet current: {} is later than this server's time", claim.date),
        ));
    }
    if now.millis() - at > life_ms.max(SKEW_MS) || (claim.expires.is_some() && now.millis() - at > life_ms) {
        return Err(refuse(
            "InvalidSignatureException",
            format!("Signature expired: {} is now earlier than this server's time allows", claim.date),
        ));
    }
    Ok(())
}

/// The request as the client has signed it.
fn canonical(request: &Received, claim: &Claim<'_>) -> Result<String, ApiError> {
    let folded = |value: &str| value.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut lines = String::new();
    for name in claim.headers.split(';') {
        let mut values = request.parts.headers.get_all(name).iter();
        let mut value = values.next().and_then(|value| value.to_str().ok()).map(folded).unwrap_or_default();
        for further in values {
            value.push(',');
            value.push_str(&folded(further.to_str().unwrap_or_default()));
        }
        if name == "host" && value.is_empty() {
            // HTTP/2 has it elsewhere.
            value = request.parts.uri.authority().map(ToString::to_string).unwrap_or_default();
        }
        lines.push_str(&format!("{name}:{value}\n"));
    }
    if !claim.headers.split(';').any(|name| name == "host") {
        return Err(refuse("InvalidSignatureException", "'Host' must be a 'SignedHeader' in the AWS Authorization."));
    }
    let is_s3 = claim.range.split('/').nth(2) == Some("s3");
    let path = request.parts.uri.path();
    let path = if is_s3 { path.to_owned() } else { canonical_path(path) };
    let query = request.parts.uri.query().unwrap_or_default();
    let signed: Vec<&str> = query.split('&').filter(|field| !field.starts_with("X-Amz-Signature=")).collect();
    let query = canonical_query(&signed.join("&"));
    let told = header(request, "x-amz-content-sha256");
    let body = match told {
        // S3 and some others may leave the body out.
        Some("UNSIGNED-PAYLOAD") => "UNSIGNED-PAYLOAD".to_owned(),
        // The chunks are signed one by one: `chunked` looks at those.
        Some(cut) if is_s3 && super::chunked::is(request) => cut.to_owned(),
        None if claim.expires.is_some() && is_s3 => "UNSIGNED-PAYLOAD".to_owned(),
        _ => Sha256::digest(&request.body).iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    Ok([request.parts.method.as_str(), &path, &query, &lines, &claim.headers, &body].join("\n"))
}

/// Whether two texts are the same. How long that takes does not tell where they differ.
pub(super) fn same(one: &str, other: &str) -> bool {
    let differs = one.bytes().zip(other.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b));
    one.len() == other.len() && std::hint::black_box(differs) == 0
}
