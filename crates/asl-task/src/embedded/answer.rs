//! Results in the two dialects: the optimized form carries `SdkHttpMetadata` and `SdkResponseMetadata`, the aws-sdk form does not.

use super::{Dialect, ServiceKind};
use asl_value::{Map, Value};

/// A day in milliseconds.
const DAY_MS: i64 = 86_400_000;

/// The result of a call as Step Functions shows it. `body` is the service's answer.
pub(crate) fn result(service: ServiceKind, dialect: Dialect, mut body: Map, request_id: &str, now_ms: i64) -> Value {
    if dialect == Dialect::Optimized {
        let http = http_metadata(service, &body, request_id, now_ms);
        body.insert("SdkHttpMetadata", http);
        body.insert("SdkResponseMetadata", Value::from_iter([("RequestId", request_id)]));
    }
    Value::from(body)
}

/// The headers of the HTTP response in the orders that recorded answers show.
fn http_metadata(service: ServiceKind, body: &Map, request_id: &str, now_ms: i64) -> Value {
    let text = match service {
        ServiceKind::Topic => publish_xml(body, request_id),
        _ => Value::from(body.clone()).to_string(),
    };
    let kind = if service == ServiceKind::Topic { "text/xml" } else { "application/x-amz-json-1.0" };
    let header = |name: &'static str| {
        let value = match name {
            "Server" => "Server".to_owned(),
            "Connection" | "connection" => "keep-alive".to_owned(),
            "x-amzn-RequestId" => request_id.to_owned(),
            "x-amz-crc32" => crc32(text.as_bytes()).to_string(),
            "Content-Length" => text.len().to_string(),
            "Date" => http_date(now_ms),
            _ => kind.to_owned(),
        };
        (name, value)
    };
    let (all, plain): (&[&str], &[&str]) = match service {
        ServiceKind::Table => (
            &["Server", "Connection", "x-amzn-RequestId", "x-amz-crc32", "Content-Length", "Date", "Content-Type"],
            &["Connection", "Content-Length", "Content-Type", "Date", "Server", "x-amz-crc32", "x-amzn-RequestId"],
        ),
        _ => (
            &["x-amzn-RequestId", "connection", "Content-Length", "Date", "Content-Type"],
            &["connection", "Content-Length", "Content-Type", "Date", "x-amzn-RequestId"],
        ),
    };
    let all = all.iter().map(|name| header(name)).map(|(name, value)| (name, Value::from(vec![value.into()])));
    let plain = plain.iter().map(|name| header(name));
    Value::from_iter([
        ("AllHttpHeaders", Value::from_iter(all)),
        ("HttpHeaders", Value::from_iter(plain)),
        ("HttpStatusCode", Value::from(200)),
    ])
}

/// The body SNS answers with: only its length is ever seen.
fn publish_xml(body: &Map, request_id: &str) -> String {
    let members = body.iter().filter_map(|(name, value)| Some((name, value.as_str()?)));
    let members: String = members.map(|(name, text)| format!("    <{name}>{text}</{name}>\n")).collect();
    format!(
        "<PublishResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\">\n  <PublishResult>\n{members}  </PublishResult>\n  \
         <ResponseMetadata>\n    <RequestId>{request_id}</RequestId>\n  </ResponseMetadata>\n</PublishResponse>\n"
    )
}

/// The checksum of `x-amz-crc32`: CRC-32 as in ISO 3309.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { 0xEDB8_8320 ^ (crc >> 1) } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

/// Year, month (1 to 12) and day of an instant in epoch milliseconds.
fn date(now_ms: i64) -> (i64, i64, i64) {
    // Days since 0000-03-01, in eras of 400 years (Howard Hinnant's `civil_from_days`).
    let days = now_ms.div_euclid(DAY_MS) + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// The date of an HTTP header: `Thu, 18 Apr 2024 06:27:01 GMT`.
pub(crate) fn http_date(now_ms: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (year, month, day) = date(now_ms);
    let weekday = DAYS[now_ms.div_euclid(DAY_MS).rem_euclid(7) as usize];
    let second = now_ms.rem_euclid(DAY_MS) / 1000;
    let (h, m, s) = (second / 3600, second / 60 % 60, second % 60);
    format!("{weekday}, {day:02} {} {year} {h:02}:{m:02}:{s:02} GMT", MONTHS[month as usize - 1])
}

/// The timestamp of a notification: `2024-04-18T06:27:01.123Z`.
pub(crate) fn iso_date(now_ms: i64) -> String {
    let (year, month, day) = date(now_ms);
    let rest = now_ms.rem_euclid(DAY_MS);
    let (h, m, s, ms) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60, rest % 1000);
    format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{ms:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(http_date(1_713_421_621_000), "Thu, 18 Apr 2024 06:27:01 GMT");
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http_date(1_709_164_800_000), "Thu, 29 Feb 2024 00:00:00 GMT");
        assert_eq!(iso_date(1_713_421_621_042), "2024-04-18T06:27:01.042Z");
        assert_eq!(iso_date(-1), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn checksum_and_lengths_are_those_of_recorded_answers() {
        assert_eq!(crc32(b"{}"), 2_745_614_147);
        let id = "00000000-0000-4000-8000-000000000000";
        let body = Map::from_iter([("MessageId", id)]);
        assert_eq!(publish_xml(&body, id).len(), 294);
        let body = Map::from_iter([("MD5OfMessageBody", "0".repeat(32)), ("MessageId", id.to_owned())]);
        assert_eq!(Value::from(body).to_string().len(), 106);
    }
}
