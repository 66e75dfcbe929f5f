//! Bodies that a client sends in signed chunks (`aws-chunked`), as S3's clients do with what they stream:
//! `SIZE;chunk-signature=...`, the bytes, and so on to a chunk of none, then trailers such as checksums.

use super::signature::{Claim, not_ours, refuse, same};
use crate::http::Received;
use crate::wire::ApiError;
use asl::parts::Secret;
use asl::parts::sign::signature_of;
use bytes::Bytes;
use sha2::{Digest, Sha256};

/// What `x-amz-content-sha256` begins with when a body is cut.
const CUT: &str = "STREAMING-";

fn told(request: &Received) -> &str {
    let header = request.parts.headers.get("x-amz-content-sha256");
    header.and_then(|header| header.to_str().ok()).unwrap_or_default()
}

/// True where a body is cut into chunks. What names a target is sent whole.
pub(super) fn is(request: &Received) -> bool {
    told(request).starts_with(CUT) && !request.parts.headers.contains_key("x-amz-target")
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The signatures of a body's chunks, each of which covers the one before.
struct Chain<'c> {
    secret: &'c Secret,
    claim: &'c Claim<'c>,
    last: String,
}

impl Chain<'_> {
    /// Verifies the next signature: of a chunk (`PAYLOAD`), or of the trailers (`TRAILER`).
    fn next(&mut self, kind: &str, covered: &[&str], given: Option<&str>) -> Result<(), ApiError> {
        let Claim { date, range, .. } = self.claim;
        let text = format!("AWS4-HMAC-SHA256-{kind}\n{date}\n{range}\n{}\n{}", self.last, covered.join("\n"));
        let made = signature_of(self.secret, range, &text);
        if !given.is_some_and(|given| same(&made, given)) {
            return Err(not_ours());
        }
        self.last = made;
        Ok(())
    }
}

/// The body without its frame; with a secret, its chunks and trailers have to be signed where the request says that they are.
pub(super) fn read(request: &Received, signed: Option<(&Secret, &Claim<'_>)>) -> Result<Bytes, ApiError> {
    let bad = || refuse("InvalidRequest", "The body is not cut as aws-chunked has it");
    let unsigned = told(request).starts_with("STREAMING-UNSIGNED-");
    let mut chain = signed.filter(|_| !unsigned).map(|(secret, claim)| {
        let last = claim.signature.clone().into_owned();
        Chain { secret, claim, last }
    });
    let (mut rest, mut body) = (&request.body[..], Vec::new());
    loop {
        let (head, behind) = line(rest).ok_or_else(bad)?;
        let (size, extension) = head.split_once(';').unwrap_or((head, ""));
        let size = usize::from_str_radix(size.trim(), 16).map_err(|_| bad())?;
        let data = behind.get(..size).ok_or_else(bad)?;
        if let Some(chain) = &mut chain {
            chain.next("PAYLOAD", &[&hash(b""), &hash(data)], extension.strip_prefix("chunk-signature="))?;
        }
        rest = &behind[size..];
        if size == 0 {
            break;
        }
        body.extend_from_slice(data);
        rest = rest.strip_prefix(b"\r\n").ok_or_else(bad)?;
    }
    if let Some(chain) = chain.as_mut().filter(|_| told(request).ends_with("-TRAILER")) {
        trailers(rest, chain)?;
    }
    Ok(body.into())
}

/// The trailers: their signature covers them, each `name:value` and a line's end.
fn trailers(mut rest: &[u8], chain: &mut Chain<'_>) -> Result<(), ApiError> {
    let mut covered = String::new();
    while let Some((head, behind)) = line(rest) {
        rest = behind;
        let Some((name, value)) = head.split_once(':') else { continue };
        if name == "x-amz-trailer-signature" {
            return chain.next("TRAILER", &[&hash(covered.as_bytes())], Some(value.trim()));
        }
        covered.push_str(&format!("{}:{}\n", name.to_ascii_lowercase(), value.trim()));
    }
    Err(not_ours())
}

fn line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.windows(2).position(|two| two == b"\r\n")?;
    Some((std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 2..]))
}
