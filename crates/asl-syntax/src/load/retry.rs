//! `Retry` and `Catch`.

use super::Loader;
use super::flow::Scope;
use super::jsonata::Sees;
use super::read::Range;
use crate::diagnostic::Rule;
use crate::fields::{CATCHER, RETRIER};
use crate::model::{Catcher, Retrier, StateId};
use crate::tree::Item;
use std::sync::Arc;

/// The largest number of seconds and attempts (AWS).
const MAX_COUNT: u32 = 99_999_999;
/// The largest `MaxDelaySeconds`: a year and a day.
const MAX_DELAY_SECONDS: u32 = 31_622_400;

impl Loader<'_> {
    pub(crate) fn retry(&mut self, item: &Item<'_>) -> Vec<Retrier> {
        let Some(field) = item.get("Retry") else { return Vec::new() };
        if field.node.as_array().is_none() {
            self.wrong_type(&field, "ARRAY");
        }
        let retriers = field.elements().filter_map(|retrier| self.retrier(&retrier)).collect();
        self.check_errors(&field, "retried");
        retriers
    }

    fn retrier(&mut self, item: &Item<'_>) -> Option<Retrier> {
        if !self.object_of(item, RETRIER) {
            return None;
        }
        let error_equals = self.error_equals(item);
        let interval = item.get("IntervalSeconds").and_then(|i| self.integer(&i, Range::integer(1, MAX_COUNT)));
        let attempts = item.get("MaxAttempts").and_then(|i| self.integer(&i, Range::integer(0, MAX_COUNT)));
        let rate = Range { min: 1.0, max: f64::MAX, integer: false };
        let backoff = item.get("BackoffRate").and_then(|i| self.number(&i, rate));
        let delay = Range::integer(1, MAX_DELAY_SECONDS);
        let max_delay_seconds = item.get("MaxDelaySeconds").and_then(|i| self.integer(&i, delay));
        let jitter = item.get("JitterStrategy").and_then(|i| self.choice_of(&i, &["FULL", "NONE"]));
        Some(Retrier {
            error_equals: error_equals?,
            interval_seconds: interval.unwrap_or(1),
            max_attempts: attempts.unwrap_or(3),
            backoff_rate: backoff.unwrap_or(2.0),
            max_delay_seconds,
            full_jitter: jitter == Some("FULL"),
        })
    }

    pub(crate) fn catch(&mut self, item: &Item<'_>, from: StateId, scope: &mut Scope) -> Vec<Catcher> {
        let Some(field) = item.get("Catch") else { return Vec::new() };
        if field.node.as_array().is_none() {
            self.wrong_type(&field, "ARRAY");
        }
        let catchers = field.elements().filter_map(|catcher| self.catcher(&catcher, from, scope)).collect();
        self.check_errors(&field, "caught");
        catchers
    }

    fn catcher(&mut self, item: &Item<'_>, from: StateId, scope: &mut Scope) -> Option<Catcher> {
        if !self.object_of(item, CATCHER) {
            scope.uncertain = true;
            return None;
        }
        let error_equals = self.error_equals(item);
        if !item.has("Next") {
            scope.uncertain = true;
            self.require(item, &["Next"]);
        }
        let next = item.get("Next").and_then(|next| self.target(&next, from, scope));
        let result_path = self.result_path(item);
        let (output, assign) = self.seeing(Sees::ErrorOutput, |loader| (loader.output(item), loader.assign(item)));
        Some(Catcher { error_equals: error_equals?, result_path, output, assign, next: next? })
    }

    fn error_equals(&mut self, item: &Item<'_>) -> Option<Vec<Arc<str>>> {
        if !self.require(item, &["ErrorEquals"]) {
            return None;
        }
        let field = item.get("ErrorEquals")?;
        if !self.full_array(&field) {
            return None;
        }
        let names: Vec<Arc<str>> = field.elements().filter_map(|name| self.string(&name)).collect();
        if names.len() > 1 && names.iter().any(|name| &**name == "States.ALL") {
            self.error(Rule::AllNotLast, &field, "States.ALL must appear alone in ErrorEquals").help(
                "States.ALL matches every error: remove the other names, or give them a rule of their own before it",
            );
        }
        Some(names)
    }
}
