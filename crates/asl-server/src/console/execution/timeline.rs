//! The timeline: a bar for each visit of a state, and within it one for each attempt; what lies before an attempt started is drawn
//! as queueing, what lies between attempts as waiting.

use super::Shown;
use crate::console::html::Html;
use crate::console::story::{End, Visit};
use crate::console::words;

/// How many bars a page has: those around the selection.
const BARS: usize = 150;
/// The width of the scale.
const SCALE: i64 = 1000;

pub(super) fn view(h: &mut Html, shown: &Shown<'_>) {
    let story = &shown.story;
    let all = story.visits.len();
    let around = shown.chosen.visit.unwrap_or(0);
    let first = around.saturating_sub(BARS / 2).min(all.saturating_sub(BARS));
    let last = (first + BARS).min(all);
    h.tag("section", &[("class", "card timeline"), ("id", "timeline"), ("aria-labelledby", "timeline-title")], |h| {
        h.leaf("h2", &[("id", "timeline-title")], "Timeline");
        if all == 0 {
            h.leaf("p", &[("class", "quiet")], "No state was entered yet.");
            return;
        }
        if last - first < all {
            h.leaf(
                "p",
                &[("class", "quiet")],
                &format!("Visits {} to {last} of {all}, those around the selection.", first + 1),
            );
        }
        let scale = Scale::of(shown, first..last);
        h.tag("ol", &[("class", "bars")], |h| {
            (first..last).for_each(|visit| bar(h, shown, visit, &scale));
        });
    });
}

/// From time to place.
struct Scale {
    from: i64,
    span: i64,
    now: i64,
}

impl Scale {
    fn of(shown: &Shown<'_>, visits: std::ops::Range<usize>) -> Scale {
        let story = &shown.story;
        let now = if shown.is_open() { shown.now.millis() } else { shown.row.stopped.unwrap_or(shown.now).millis() };
        let from = story.at(story.visits[visits.start].entered).millis();
        let ends = story.visits[visits].iter().map(|visit| until(shown, visit, now));
        let to = ends.max().unwrap_or(now);
        Scale { from, span: (to - from).max(1), now }
    }

    fn x(&self, ms: i64) -> i64 {
        ((ms - self.from) * SCALE / self.span).clamp(0, SCALE)
    }
}

fn until(shown: &Shown<'_>, visit: &Visit, now: i64) -> i64 {
    match (visit.exited, visit.end) {
        (Some(exited), _) => shown.story.at(exited).millis(),
        (None, End::Open) => now,
        (None, _) => shown.story.at(visit.last).millis(),
    }
}

fn class(end: End) -> &'static str {
    match end {
        End::Open => "bar open",
        End::Succeeded => "bar good",
        End::Caught => "bar caught",
        End::Failed => "bar failed",
        End::Aborted => "bar aborted",
    }
}

fn told(end: End) -> &'static str {
    match end {
        End::Open => "at work",
        End::Succeeded => "succeeded",
        End::Caught => "caught",
        End::Failed => "failed",
        End::Aborted => "aborted",
    }
}

fn bar(h: &mut Html, shown: &Shown<'_>, at: usize, scale: &Scale) {
    let visit = &shown.story.visits[at];
    let (from, to) = (shown.story.at(visit.entered).millis(), until(shown, visit, scale.now));
    let tries = visit.attempts.len();
    let retries = if tries > 1 { format!(", {tries} attempts") } else { String::new() };
    let href = shown.at_event(visit.entered);
    let depth = ["d0", "d1", "d2", "d3", "d4"][visit.depth.min(4)];
    let is_chosen = shown.chosen.visit == Some(at);
    h.tag("li", &[], |h| {
        let current = if is_chosen { "true" } else { "false" };
        h.tag("a", &[("href", &href), ("class", "row"), ("aria-current", current)], |h| {
            h.tag("span", &[("class", depth)], |h| {
                let index = visit.iteration.map(|index| format!("[{index}]")).unwrap_or_default();
                h.text(&format!("{}{index}", visit.state));
            });
            h.leaf("span", &[("class", "took")], &format!("{} {}{retries}", words::span(to - from), told(visit.end)));
            picture(h, shown, visit, (scale.x(from), scale.x(to)), scale);
        });
    });
}

fn picture(h: &mut Html, shown: &Shown<'_>, visit: &Visit, (from, to): (i64, i64), scale: &Scale) {
    let rect = |h: &mut Html, class: &'static str, from: i64, to: i64, y: &'static str, height: &'static str| {
        let (x, width) = (from.to_string(), (to - from).max(3).to_string());
        h.leaf("rect", &[("class", class), ("x", &x), ("y", y), ("width", &width), ("height", height)], "");
    };
    let box_of = [("viewBox", "0 0 1003 16"), ("preserveAspectRatio", "none"), ("aria-hidden", "true")];
    h.tag("svg", &box_of, |h| {
        let has_attempts = !visit.attempts.is_empty();
        let whole = if has_attempts { "bar wait" } else { class(visit.end) };
        rect(h, whole, from, to, if has_attempts { "6" } else { "2" }, if has_attempts { "4" } else { "12" });
        let last = visit.attempts.len().saturating_sub(1);
        for (number, attempt) in visit.attempts.iter().enumerate() {
            let time = |event: usize| scale.x(shown.story.at(event).millis());
            let scheduled = time(attempt.scheduled);
            let started = attempt.started.map_or(scheduled, time);
            let ended = attempt.ended.map_or(to, time);
            if started > scheduled {
                rect(h, "bar queue", scheduled, started, "5", "6");
            }
            let is_last = number == last;
            let kind = match (attempt.failed, attempt.ended, is_last) {
                (true, ..) => "bar failed",
                (false, None, true) => class(visit.end),
                _ => "bar good",
            };
            rect(h, kind, started, ended, "2", "12");
        }
    });
}
