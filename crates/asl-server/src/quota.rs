//! Quotas of requests: a bucket of tokens for each operation, that fills again at a steady rate. AWS has them for each account and
//! region; here they are for those who want to see how their clients take a ThrottlingException.

use crate::wire;
use asl::parts::syntax::nearest;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// How many requests of an operation are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// At once, after a rest.
    pub bucket: u32,
    /// Each second, for long.
    pub per_second: u32,
}

/// The quotas of operations; what has none is answered always.
#[derive(Clone, Debug, Default)]
pub struct Quotas(BTreeMap<String, Quota>);

/// AWS's in the regions that have the most (N. Virginia, Oregon, Ireland). StartExecution is that of Standard state machines, which
/// is less than that of Express ones; StartSyncExecution and TestState are not bounded by requests.
const AWS: [(&str, Quota); 19] = {
    const fn of(bucket: u32, per_second: u32) -> Quota {
        Quota { bucket, per_second }
    }
    [
        ("StartExecution", of(1300, 300)),
        ("RedriveExecution", of(1300, 300)),
        ("StopExecution", of(1000, 200)),
        ("GetActivityTask", of(3000, 500)),
        ("SendTaskSuccess", of(3000, 500)),
        ("SendTaskFailure", of(3000, 500)),
        ("SendTaskHeartbeat", of(3000, 500)),
        ("DescribeExecution", of(300, 15)),
        ("GetExecutionHistory", of(400, 20)),
        ("DescribeStateMachine", of(200, 20)),
        ("ListExecutions", of(200, 5)),
        ("ListActivities", of(100, 10)),
        ("ListStateMachines", of(100, 5)),
        ("DescribeActivity", of(200, 1)),
        ("DescribeMapRun", of(200, 1)),
        ("DescribeStateMachineAlias", of(200, 1)),
        ("DescribeStateMachineForExecution", of(200, 1)),
        ("TagResource", of(200, 1)),
        ("UntagResource", of(200, 1)),
    ]
};
/// What AWS has for every other operation.
const OTHERS: Quota = Quota { bucket: 100, per_second: 1 };
const UNBOUND: [&str; 2] = ["StartSyncExecution", "TestState"];

impl Quotas {
    /// AWS's own.
    pub fn aws() -> Quotas {
        let known = |name: &str| AWS.iter().find(|(of, _)| *of == name).map(|(_, quota)| *quota);
        let bound = wire::table().operations.keys().filter(|name| !UNBOUND.contains(name));
        Quotas(bound.map(|name| ((*name).to_owned(), known(name).unwrap_or(OTHERS))).collect())
    }

    /// These, and another one for an operation.
    ///
    /// # Errors
    /// No operation has the name: the nearest that one has, where it is near.
    pub fn with(mut self, operation: &str, quota: Quota) -> Result<Quotas, Option<&'static str>> {
        let names = || [wire::table(), wire::own()].into_iter().flat_map(|table| table.operations.keys().copied());
        if !names().any(|name| name == operation) {
            return Err(nearest(operation, names()));
        }
        self.0.insert(operation.to_owned(), quota);
        Ok(self)
    }

    /// The quota of an operation.
    pub fn get(&self, operation: &str) -> Option<Quota> {
        self.0.get(operation).copied()
    }
}

/// The buckets of a server.
#[derive(Debug)]
pub(crate) struct Buckets(BTreeMap<String, Mutex<Bucket>>);

#[derive(Debug)]
struct Bucket {
    quota: Quota,
    tokens: f64,
    /// When it had so many.
    at: Instant,
}

impl Buckets {
    pub(crate) fn full(quotas: &Quotas, now: Instant) -> Buckets {
        let full = |(name, quota): (&String, &Quota)| {
            (name.clone(), Mutex::new(Bucket { quota: *quota, tokens: f64::from(quota.bucket), at: now }))
        };
        Buckets(quotas.0.iter().map(full).collect())
    }

    /// Takes a token; false where there is none.
    pub(crate) fn take(&self, operation: &str, now: Instant) -> bool {
        let Some(bucket) = self.0.get(operation) else { return true };
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let came = now.saturating_duration_since(bucket.at).as_secs_f64() * f64::from(bucket.quota.per_second);
        bucket.tokens = (bucket.tokens + came).min(f64::from(bucket.quota.bucket));
        bucket.at = now;
        let has_one = bucket.tokens >= 1.0;
        if has_one {
            bucket.tokens -= 1.0;
        }
        has_one
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let start = Instant::now();
        let quotas = Quotas::default().with("ListExecutions", Quota { bucket: 3, per_second: 2 }).unwrap();
        let buckets = Buckets::full(&quotas, start);
        let took = |ms: u64, times: usize| {
            let now = start + Duration::from_millis(ms);
            (0..times).filter(|_| buckets.take("ListExecutions", now)).count()
        };
        assert_eq!(took(0, 10), 3, "what it holds");
        assert_eq!(took(499, 10), 0);
        assert_eq!(took(500, 10), 1, "two in each second");
        assert_eq!(took(100_000, 10), 3, "it holds no more");
        assert!(buckets.take("StartExecution", start), "what has no quota is answered");
    }

    #[test]
    fn every_operation_of_aws_has_its_quota_but_two() {
        let quotas = Quotas::aws();
        let unbound = wire::table().operations.keys().filter(|name| quotas.get(name).is_none());
        let unbound: Vec<&str> = unbound.copied().collect();
        assert_eq!(unbound, UNBOUND);
        assert_eq!(quotas.get("StartExecution"), Some(Quota { bucket: 1300, per_second: 300 }));
        assert_eq!(quotas.get("CreateActivity"), Some(OTHERS));
        assert_eq!(AWS.iter().filter(|(name, _)| quotas.get(name).is_none()).count(), 0, "no name is misspelt");
        assert_eq!(Quotas::default().with("StartExecutions", OTHERS).unwrap_err(), Some("StartExecution"));
    }
}
