//! Signatures, version 4 (AWS4-HMAC-SHA256).

use crate::credentials::Credentials;
use crate::secret::Secret;
use crate::system::HttpRequest;
use crate::time::Timestamp;
use crate::uri;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

/// What a signature is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The region.
    pub region: String,
    /// The service's name in signatures.
    pub service: String,
    /// The time, to the second.
    pub at: Timestamp,
    /// How a request of this service is made canonical.
    pub style: Style,
}

/// How services differ in what they sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// The path is encoded once more.
    Usual,
    /// S3: the path as it is sent, and the body's hash in a header.
    S3,
    /// The body is not part of the signature.
    UnsignedBody,
}

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// Headers that what carries a request may change.
const NOT_SIGNED: [&str; 9] = [
    "authorization",
    "connection",
    "content-length",
    "expect",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}

fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn keyed(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length is good");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Signs a request: adds the date, the session token, for S3 the body's hash, and `Authorization`.
pub fn sign(request: &mut HttpRequest, credentials: &Credentials, scope: &Scope) {
    let date = scope.at.basic();
    let body = if scope.style == Style::UnsignedBody { "UNSIGNED-PAYLOAD".to_owned() } else { sha256(&request.body) };
    request.headers.push(("X-Amz-Date".to_owned(), date.clone()));
    if let Some(token) = &credentials.token {
        request.headers.push(("X-Amz-Security-Token".to_owned(), token.expose().to_owned()));
    }
    if scope.style != Style::Usual {
        request.headers.push(("X-Amz-Content-SHA256".to_owned(), body.clone()));
    }
    let headers = signed_headers(request);
    let names = headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";");
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let path = if scope.style == Style::S3 { request.path.clone() } else { canonical_path(&request.path) };
    let canonical = [request.method, &path, &canonical_query(&request.query), &lines, &names, &body].join("\n");

    let range = format!("{}/{}/{}/aws4_request", &date[..8], scope.region, scope.service);
    let signature = signature(&credentials.secret, &date, &range, &canonical);
    let value = format!(
        "{ALGORITHM} Credential={}/{range}, SignedHeaders={names}, Signature={signature}",
        credentials.access_key
    );
    request.headers.push(("Authorization".to_owned(), value));
}

/// The signature of a canonical request, hexadecimal: `date` is `20150830T123600Z`, `range` `20150830/us-east-1/iam/aws4_request`.
/// A client signs with it, and a server verifies with it.
pub fn signature(secret: &Secret, date: &str, range: &str, canonical: &str) -> String {
    signature_of(secret, range, &[ALGORITHM, date, range, &sha256(canonical.as_bytes())].join("\n"))
}

/// The signature of a text that stands for what is signed: a canonical request's, or that of a chunk of a body.
pub fn signature_of(secret: &Secret, range: &str, text: &str) -> String {
    let secret = format!("AWS4{}", secret.expose());
    let key = range.split('/').fold(secret.into_bytes(), |key, part| keyed(&key, part));
    hex(&keyed(&key, text))
}

/// A path as most services have it in a canonical request: what is sent, encoded once more.
pub fn canonical_path(path: &str) -> String {
    uri::encode(path, b"/")
}

/// The headers in the signature: names in lower case, sorted, blanks folded.
fn signed_headers(request: &HttpRequest) -> Vec<(String, String)> {
    let folded = |value: &str| value.split_whitespace().collect::<Vec<_>>().join(" ");
    let all = request.headers.iter().map(|(n, v)| (n.to_ascii_lowercase(), folded(v)));
    let mut headers: Vec<_> = all.filter(|(n, _)| !NOT_SIGNED.contains(&n.as_str())).collect();
    headers.push(("host".to_owned(), request.host.clone()));
    headers.sort();
    headers
}

/// The fields of a query in the order of a canonical request.
pub fn canonical_query(query: &str) -> String {
    let fields = query.split('&').filter(|f| !f.is_empty());
    let mut fields: Vec<_> = fields.map(|f| f.split_once('=').unwrap_or((f, ""))).collect();
    fields.sort_unstable();
    fields.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of AWS's documentation of signatures: `GET` of a list of users.
    #[test]
    fn the_documented_example_has_the_documented_signature() {
        let mut request = HttpRequest {
            method: "GET",
            secure: true,
            host: "iam.amazonaws.com".to_owned(),
            path: "/".to_owned(),
            query: "Action=ListUsers&Version=2010-05-08".to_owned(),
            headers: vec![("Content-Type".to_owned(), "application/x-www-form-urlencoded; charset=utf-8".to_owned())],
            body: vec![].into(),
        };
        let credentials = Credentials {
            access_key: "AKIDEXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
            token: None,
            expires_ms: None,
        };
        let scope = Scope {
            region: "us-east-1".to_owned(),
            service: "iam".to_owned(),
            at: Timestamp::parse("2015-08-30T12:36:00Z").unwrap(),
            style: Style::Usual,
        };
        sign(&mut request, &credentials, &scope);
        let (_, value) = request.headers.last().unwrap();
        assert!(value.ends_with("5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"), "{value}");
        assert!(value.contains("SignedHeaders=content-type;host;x-amz-date,"), "{value}");
    }
}
