//! Which browser may see the pages, and which page may act.
//!
//! - **Other sites' pages** cannot act: every form carries a token that is made when the server starts, which no page of another
//!   origin can read; and `Origin` and `Sec-Fetch-Site` are looked at where they are sent.
//! - **DNS rebinding**: a name that somebody points at this machine is not answered. Without keys only `localhost` and addresses are.
//! - **Keys**: where requests have to be signed, a browser shows a pair of access key and secret once, and keeps a cookie that is
//!   signed, `HttpOnly` and `SameSite=Strict`.

use super::fields::{Fields, encode};
use super::{frame, respond};
use crate::door::Door;
use crate::http::{Answered, Received};
use asl::Timestamp;
use asl::parts::Secret;
use asl::parts::sign::signature;
use hyper::Method;
use hyper::header::SET_COOKIE;
use std::net::IpAddr;

/// How long a login is good for; milliseconds.
const LOGIN_MS: i64 = 12 * 3600 * 1000;
const COOKIE: &str = "asl-console";

/// What the server made up when it started.
#[derive(Debug)]
pub(super) struct Guard {
    token: String,
    secret: Secret,
    /// What the cookie says of TLS.
    secure: &'static str,
}

impl Guard {
    /// `over_tls`: a browser sends the cookie over TLS alone.
    pub(super) fn new(over_tls: bool) -> Guard {
        let random = || format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
        Guard { token: random(), secret: Secret::from(random()), secure: if over_tls { "; Secure" } else { "" } }
    }

    /// What a form has to carry.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// True for a form of a page of this server.
    pub(super) fn is_own(&self, form: &Fields) -> bool {
        form.get("page").is_some_and(|token| is_same(token, &self.token))
    }

    /// Refuses names that are not this server's, and what pages of other sites send.
    pub(super) fn is_for_us(&self, door: &Door, request: &Received) -> Result<(), String> {
        let header = |name: &str| request.parts.headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        let host = header("host").unwrap_or_default();
        if !door.has_keys() && !is_address(host) {
            return Err(format!(
                "The console is not answered under the name {host}: a page of another site could use it. \
                 Open it as http://localhost or by its address; behind a name, start asl serve with --credentials."
            ));
        }
        let foreign = "This was sent by a page of another site; nothing was done.";
        if request.parts.method == Method::GET {
            return Ok(());
        }
        let own_origin = |origin: &str| origin.split_once("://").is_some_and(|(_, of)| of.eq_ignore_ascii_case(host));
        let is_own = header("origin").is_none_or(own_origin);
        let is_same_site = header("sec-fetch-site").is_none_or(|site| site == "same-origin");
        if is_own && is_same_site { Ok(()) } else { Err(foreign.to_owned()) }
    }

    /// The login, for a browser that has to log in first.
    pub(super) fn login_first(&self, door: &Door, request: &Received, now: Timestamp) -> Option<Answered> {
        if !door.has_keys() || self.has_login(door, request, now) {
            return None;
        }
        let wanted = request.parts.uri.path_and_query().map_or("/", |wanted| wanted.as_str());
        Some(self.ask(401, wanted, None))
    }

    /// The login, and what was entered there.
    pub(super) fn login(&self, door: &Door, request: &Received, now: Timestamp) -> Answered {
        if request.parts.method != Method::POST || !door.has_keys() {
            return respond::see_other("/");
        }
        let form = Fields::read(&String::from_utf8_lossy(&request.body));
        let back = back(form.get("back"));
        if !self.is_own(&form) {
            return self.ask(403, &back, Some("This form is older than the server. Try again."));
        }
        let id = form.get("id").unwrap_or_default();
        if !door.has_pair(id, form.get("secret").unwrap_or_default()) {
            return self.ask(403, &back, Some("This access key and its secret are not among the server's."));
        }
        let until = now.millis() + LOGIN_MS;
        let mut response = respond::see_other(&back);
        let cookie = format!(
            "{COOKIE}={}.{until}.{}; Path=/; HttpOnly; SameSite=Strict{}; Max-Age={}",
            encode(id).replace('.', "%2E"),
            self.seal(id, until),
            self.secure,
            LOGIN_MS / 1000
        );
        respond::set(&mut response, SET_COOKIE, &cookie);
        response
    }

    fn has_login(&self, door: &Door, request: &Received, now: Timestamp) -> bool {
        let cookies = request.parts.headers.get_all("cookie").iter().filter_map(|cookies| cookies.to_str().ok());
        let ours = |cookie: &str| {
            let value = cookie.trim().strip_prefix(COOKIE)?.strip_prefix('=')?;
            let mut parts = value.splitn(3, '.');
            let (id, until, seal) = (parts.next()?, parts.next()?, parts.next()?);
            let (id, until) = (super::fields::decode(id, false), until.parse::<i64>().ok()?);
            Some(is_same(seal, &self.seal(&id, until)) && now.millis() < until && door.has_key(&id))
        };
        cookies.flat_map(|cookies| cookies.split(';')).filter_map(ours).any(|good| good)
    }

    /// A keyed hash (HMAC-SHA256, as signatures are made) over a login.
    fn seal(&self, id: &str, until: i64) -> String {
        signature(&self.secret, "19700101T000000Z", "19700101/console/login/aws4_request", &format!("{until}\n{id}"))
    }

    fn ask(&self, status: u16, back: &str, why: Option<&str>) -> Answered {
        frame::bare(status, "Log in", |h| {
            if let Some(why) = why {
                h.leaf("p", &[("role", "alert")], why);
            }
            h.leaf("p", &[], "Requests to this server are signed. Enter one of its access keys.");
            h.tag("form", &[("method", "post"), ("action", "/console/login"), ("class", "fields")], |h| {
                h.void("input", &[("type", "hidden"), ("name", "page"), ("value", &self.token)]);
                h.void("input", &[("type", "hidden"), ("name", "back"), ("value", back)]);
                h.tag("label", &[], |h| {
                    h.text("Access key id");
                    h.void("input", &[("name", "id"), ("autocomplete", "username"), ("required", "")]);
                });
                h.tag("label", &[], |h| {
                    h.text("Secret access key");
                    let kind = [("type", "password"), ("name", "secret"), ("required", "")];
                    h.void("input", &kind);
                });
                h.leaf("button", &[("class", "primary")], "Log in");
            });
        })
    }
}

/// Where a form leads back to: a page of the console, and nowhere else.
pub(super) fn back(asked: Option<&str>) -> String {
    let is_ours = |to: &&str| (*to == "/" || to.starts_with("/?") || to.starts_with("/console/")) && to.is_ascii();
    asked.filter(is_ours).unwrap_or("/").to_owned()
}

/// `localhost` or an address, with a port or without: no name that somebody else may point here.
fn is_address(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

/// Compares without telling by the time it takes where two texts differ.
fn is_same(one: &str, other: &str) -> bool {
    one.len() == other.len() && one.bytes().zip(other.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_localhost_and_addresses_are_ours() {
        for own in ["localhost", "LocalHost:8083", "127.0.0.1:1", "[::1]:8083", "192.168.1.2"] {
            assert!(is_address(own), "{own}");
        }
        for other in ["", "example.com", "localhost.example.com:80", "127.0.0.1.nip.io", "[evil]:1", "1"] {
            assert!(!is_address(other), "{other}");
        }
    }

    #[test]
    fn forms_lead_back_into_the_console_only() {
        assert_eq!(back(Some("/console/execution/a?b=c")), "/console/execution/a?b=c");
        for other in ["https://example.com/", "//example.com/console/", "/\\example.com", "javascript:alert(1)", ""] {
            assert_eq!(back(Some(other)), "/", "{other}");
        }
    }
}
