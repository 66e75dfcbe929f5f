//! Which failures are tried again, and when: the SDKs' standard mode.

use crate::protocol::Fault;
use crate::system::SendErrorKind;
use crate::time::Timestamp;

/// Codes of services that have too much to do.
const THROTTLED: [&str; 13] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottledException",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
    "TransactionInProgressException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "RequestThrottled",
    "SlowDown",
    "PriorRequestNotComplete",
];
/// Codes of failures that pass.
const PASSING: [&str; 2] = ["RequestTimeout", "RequestTimeoutException"];
/// Codes of a clock that is wrong, or of a signature that may be for that reason.
const SKEWED: [&str; 7] = [
    "RequestTimeTooSkewed",
    "RequestExpired",
    "RequestInTheFuture",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "AuthFailure",
    "InvalidSignature",
];
/// Codes of credentials that are over.
const EXPIRED: [&str; 4] = ["ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"];
/// A clock may be off by so much before it is corrected: services allow five minutes.
const TOLERATED_MS: i64 = 4 * 60 * 1000;
const LONGEST_MS: f64 = 20_000.0;

/// Why a call is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// The failure passes.
    Passing,
    /// The service has too much to do.
    Throttled,
}

pub(crate) fn of_fault(fault: &Fault) -> Option<Again> {
    let code = fault.code.as_str();
    if fault.status == 429 || THROTTLED.contains(&code) {
        return Some(Again::Throttled);
    }
    (matches!(fault.status, 500 | 502 | 503 | 504) || PASSING.contains(&code)).then_some(Again::Passing)
}

pub(crate) fn of_send(kind: SendErrorKind) -> Option<Again> {
    (kind != SendErrorKind::TooLong).then_some(Again::Passing)
}

/// How long to wait before attempt number `attempt` (the first that is a repetition is 1).
pub(crate) fn delay_ms(again: Again, attempt: u32, chance: f64) -> u64 {
    let base = if again == Again::Throttled { 1000.0 } else { 100.0 };
    (chance * (base * 2f64.powi(attempt.min(16) as i32)).min(LONGEST_MS)) as u64
}

/// How far the service's clock is ahead, in milliseconds, where that is why it refused.
pub(crate) fn skew_ms(fault: &Fault, date: Option<&str>, now_ms: i64) -> Option<i64> {
    let theirs = Timestamp::parse(date?)?.as_ms();
    let off = theirs - now_ms;
    (SKEWED.contains(&fault.code.as_str()) && off.abs() > TOLERATED_MS).then_some(off)
}

pub(crate) fn expired(fault: &Fault) -> bool {
    EXPIRED.contains(&fault.code.as_str())
}
