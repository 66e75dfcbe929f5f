//! The door: signatures in the header and in the query, the clock, the keys.

mod common;

use asl::Timestamp;
use asl::parts::Secret;
use asl::parts::sign::signature;
use asl_server::Limits;
use asl_server::door::Door;
use common::Place;
use std::time::{SystemTime, UNIX_EPOCH};

const KEYS: &str = "[a]\naws_access_key_id = AKIDA\naws_secret_access_key = secretA\n";
/// SHA-256 of `{}`.
const BODY_HASH: &str = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

fn place() -> Place {
    Place::with(Limits::default(), Door::with_keys(KEYS).unwrap(), |builder| builder)
}

/// `20150830T123600Z`, so many seconds from now.
fn date(seconds: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let text = Timestamp::from_millis((now + seconds) * 1000).to_string();
    let text: String = text.chars().filter(|c| c.is_ascii_digit() || *c == 'T').take(15).collect();
    text + "Z"
}

struct Signed {
    key: &'static str,
    secret: &'static str,
    date: String,
    body: &'static str,
    more: &'static str,
}

impl Signed {
    fn new() -> Signed {
        Signed { key: "AKIDA", secret: "secretA", date: date(0), body: "{}", more: "" }
    }

    fn send(&self, place: &Place) -> String {
        let range = format!("{}/us-east-1/states/aws4_request", &self.date[..8]);
        let target = "AWSStepFunctions.ListStateMachines";
        let lines = format!("host:localhost:1\nx-amz-date:{}\nx-amz-target:{target}\n", self.date);
        let canonical = format!("POST\n/\n\n{lines}\nhost;x-amz-date;x-amz-target\n{BODY_HASH}");
        let signed = signature(&Secret::from(self.secret), &self.date, &range, &canonical);
        let head = format!(
            "POST / HTTP/1.1\r\nHost: localhost:1\r\nX-Amz-Date: {}\r\nX-Amz-Target: {target}\r\n{}\
             Authorization: AWS4-HMAC-SHA256 Credential={}/{range}, SignedHeaders=host;x-amz-date;x-amz-target, \
             Signature={signed}\r\nContent-Length: {}\r\n\r\n{}",
            self.date,
            self.more,
            self.key,
            self.body.len(),
            self.body
        );
        let mut client = place.client();
        client.send(head.as_bytes());
        let reply = client.reply().unwrap();
        if reply.status == 200 { "in".to_owned() } else { reply.refusal().split(':').next().unwrap().to_owned() }
    }
}

#[test]
fn only_what_is_signed_comes_in() {
    let place = place();
    assert_eq!(Signed::new().send(&place), "in");
    assert_eq!(Signed { date: date(-280), ..Signed::new() }.send(&place), "in");
    let table = [
        (Signed { key: "AKIDB", ..Signed::new() }, "UnrecognizedClientException"),
        (Signed { secret: "secretB", ..Signed::new() }, "InvalidSignatureException"),
        (Signed { body: "[]", ..Signed::new() }, "InvalidSignatureException"),
        (Signed { date: date(-400), ..Signed::new() }, "InvalidSignatureException"),
        (Signed { date: date(400), ..Signed::new() }, "InvalidSignatureException"),
        (Signed { more: "X-Amz-Security-Token: t\r\n", ..Signed::new() }, "UnrecognizedClientException"),
    ];
    for (signed, code) in table {
        assert_eq!(signed.send(&place), code, "{} {} {}", signed.key, signed.date, signed.body);
    }
    let told = place.client().refused("ListStateMachines", "{}");
    assert_eq!(told, "MissingAuthenticationTokenException: Missing Authentication Token");
    for bad in ["Bearer x", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=A, SignedHeaders=host, Signature=0"] {
        let mut client = place.client();
        client.send(
            format!("POST / HTTP/1.1\r\nHost: a\r\nAuthorization: {bad}\r\nContent-Length: 0\r\n\r\n").as_bytes(),
        );
        assert!(client.reply().unwrap().refusal().starts_with("IncompleteSignatureException"), "{bad}");
    }
}

#[test]
fn a_presigned_request_is_good_for_its_time() {
    let place = place();
    let send = |at: &str, expires: &str, forged: bool| {
        let range = format!("{}/us-east-1/sts/aws4_request", &at[..8]);
        let credential = format!("AKIDA/{range}").replace('/', "%2F");
        let query = format!(
            "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}\
             &X-Amz-Date={at}&X-Amz-Expires={expires}&X-Amz-SignedHeaders=host"
        );
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let canonical = format!("GET\n/\n{query}\nhost:localhost\n\nhost\n{empty}");
        let mut signed = signature(&Secret::from("secretA"), at, &range, &canonical);
        if forged {
            signed.replace_range(..1, if signed.starts_with('0') { "1" } else { "0" });
        }
        let mut client = place.client();
        client.send(format!("GET /?{query}&X-Amz-Signature={signed} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
        client.reply().unwrap().refusal().split(':').next().unwrap().to_owned()
    };
    // It is let in: what is asked for in a query is not answered, and that is told.
    assert_eq!(send(&date(-50), "60", false), "UnknownOperationException");
    assert_eq!(send(&date(-70), "60", false), "InvalidSignatureException");
    assert_eq!(send(&date(0), "60", true), "InvalidSignatureException");
}
