//! Answers that have been damaged on the way, in each protocol: an error or a result, never a panic. The golden answers, with
//! bytes changed, left out, repeated and swapped. (A fuzz target, `aws_response`, looks for more.)

use asl_aws::protocol::{Fault, Response, read_cbor, read_xml, result};
use asl_aws::{blob, dialect, model};
use asl_value::Value;

/// Damaged copies of each answer.
const COPIES: u64 = 200;

/// Numbers that are the same in each run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

fn damaged(body: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut body = body.to_vec();
    for _ in 0..=chance.below(4) {
        let (from, to) = (chance.below(body.len()), chance.below(body.len()));
        let (from, to) = (from.min(to), from.max(to));
        match chance.below(6) {
            0 => body.truncate(to),
            1 => drop(body.drain(from..to)),
            2 => body.splice(to..to, body[from..to].to_vec()).for_each(drop),
            3 if to < body.len() => body[to] = chance.below(256) as u8,
            4 if to < body.len() => body.swap(from, to),
            _ => body.insert(to.min(body.len()), b"<>&\"'{}[]:,0-\xff\x9f\xbf"[chance.below(16)]),
        }
    }
    body
}

#[test]
fn a_damaged_answer_never_makes_it_panic() {
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    for line in include_str!("golden.jsonl").lines() {
        let case: Value = line.parse().unwrap();
        let service = model::resource_of(case["service"].as_str().unwrap()).and_then(model::service).unwrap();
        let operation = service.operation(case["operation"].as_str().unwrap()).unwrap();
        let golden = &case["response"];
        let body = &golden["body"];
        let text = body["text"].as_str().map(|t| t.as_bytes().to_vec());
        let whole = text.unwrap_or_else(|| blob::from_base64(body["base64"].as_str().unwrap()).unwrap());
        let headers = golden["headers"].as_array().unwrap().iter();
        let headers: Vec<_> = headers.map(|h| (h[0].as_str().unwrap(), h[1].as_str().unwrap())).collect();
        for _ in 0..COPIES {
            let mut header = |text: &str| String::from_utf8_lossy(&damaged(text.as_bytes(), &mut chance)).into_owned();
            let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), header(v))).collect();
            let body = damaged(&whole, &mut chance);
            let response = Response { status: golden["status"].as_i64().unwrap() as u16, headers, body };
            if let Ok(value) = result(&service, operation, &response) {
                assert!(value.measure().bytes <= response.body.len() * 64 + 8192, "{line}");
            }
            let fault = Fault::read(&service, &response);
            assert!(dialect::error_name(&service, &fault).starts_with(&*service.prefix));
            let _ = (dialect::cause(&service, &fault), read_cbor(&response.body));
            let _ = std::str::from_utf8(&response.body).map(read_xml);
        }
    }
}
