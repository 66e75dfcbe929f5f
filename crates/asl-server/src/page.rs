//! Tokens of pages: opaque, bounded, of one request, and good for a day.
//!
//! A token holds where the next page begins, and a hash over that, the operation, the other parameters and its end. Any server of
//! the same database takes it. It is no secret: it gives nothing that its holder may not ask for.

use crate::wire::ApiError;
use asl::{Map, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// How long a token is good for; milliseconds.
const LIFE_MS: i64 = 24 * 3600 * 1000;
/// How many bytes of the hash it shows.
const SHOWN: usize = 16;
/// How many rows a page has unless the request says so, and at most.
const ROWS: u32 = 100;
const MAX_ROWS: u32 = 1000;

/// What a request asks of a list.
pub(crate) struct Paging {
    /// How many rows at most.
    pub(crate) limit: u32,
    /// Where it begins: what the page before ended with.
    pub(crate) after: Option<String>,
    mark: [u8; SHOWN],
    now: Timestamp,
}

impl Paging {
    /// Reads `maxResults` and `nextToken`.
    pub(crate) fn read(operation: &str, request: &Map, now: Timestamp) -> Result<Paging, ApiError> {
        let asked = request.get("maxResults").and_then(|max| max.as_f64()).unwrap_or(0.0) as u32;
        let limit = if asked == 0 { ROWS } else { asked.min(MAX_ROWS) };
        let mut others: Vec<(&str, String)> = request
            .iter()
            .filter(|(name, _)| !["maxResults", "nextToken"].contains(&&***name))
            .map(|(name, value)| (&**name, value.to_string()))
            .collect();
        others.sort();
        let hash = others.iter().fold(Sha256::new_with_prefix(operation), |hash, (name, value)| {
            hash.chain_update([0]).chain_update(name).chain_update([0]).chain_update(value)
        });
        let mut paging = Paging { limit, after: None, mark: shown(hash), now };
        if let Some(token) = request.get("nextToken").and_then(|token| token.as_str()) {
            let bad = || ApiError::new("InvalidToken", "Invalid Token: 'Invalid token'");
            paging.after = Some(paging.open(token).ok_or_else(bad)?);
        }
        Ok(paging)
    }

    /// The token of the page that begins behind `key`.
    pub(crate) fn token(&self, key: &str) -> String {
        let until = self.now.millis() + LIFE_MS;
        let mut bytes = self.seal(until, key).to_vec();
        bytes.extend(until.to_be_bytes());
        bytes.extend(key.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// A page of rows of which one more than the limit was read: cut, and the token of the next page, if there is one.
    pub(crate) fn cut<T>(&self, rows: &mut Vec<T>, key: impl Fn(&T) -> String) -> Option<String> {
        let more = rows.len() > self.limit as usize;
        rows.truncate(self.limit as usize);
        rows.last().filter(|_| more).map(|last| self.token(&key(last)))
    }

    fn seal(&self, until: i64, key: &str) -> [u8; SHOWN] {
        shown(Sha256::new_with_prefix(self.mark).chain_update(until.to_be_bytes()).chain_update(key))
    }

    fn open(&self, token: &str) -> Option<String> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (seal, rest) = bytes.split_at_checked(SHOWN)?;
        let (until, key) = rest.split_first_chunk::<8>()?;
        let (until, key) = (i64::from_be_bytes(*until), String::from_utf8(key.to_vec()).ok()?);
        let is_good = self.seal(until, &key) == seal && self.now.millis() <= until;
        is_good.then_some(key)
    }
}

fn shown(hash: Sha256) -> [u8; SHOWN] {
    let whole = hash.finalize();
    std::array::from_fn(|at| whole[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> Map {
        text.parse::<asl::Value>().unwrap().as_object().unwrap().clone()
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn a_token_is_good_for_its_request_and_a_day() {
        let first = Paging::read("ListExecutions", &request(r#"{"a": "x", "maxResults": 2}"#), at(0)).unwrap();
        let mut rows = vec![1, 2, 3];
        let token = first.cut(&mut rows, ToString::to_string).unwrap();
        assert_eq!(rows, [1, 2]);
        assert!(token.len() < 1024);
        let with = |operation: &str, more: &str, ms| {
            let request = request(&format!(r#"{{"nextToken": "{token}", {more}}}"#));
            Paging::read(operation, &request, at(ms)).map(|paging| paging.after)
        };
        assert_eq!(with("ListExecutions", r#""maxResults": 9, "a": "x""#, LIFE_MS), Ok(Some("2".to_owned())));
        assert!(with("ListExecutions", r#""a": "x""#, LIFE_MS + 1).is_err());
        assert!(with("ListExecutions", r#""a": "y""#, 0).is_err());
        assert!(with("ListActivities", r#""a": "x""#, 0).is_err());
        for bad in ["x", "", &token[1..], &token.to_uppercase(), "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            let request = request(&format!(r#"{{"nextToken": "{bad}", "a": "x"}}"#));
            assert!(Paging::read("ListExecutions", &request, at(0)).is_err(), "{bad}");
        }
    }
}
