//! The first line: what the execution does or waits for, or how it ended, with what helps.

use super::{Shown, address};
use crate::console::act;
use crate::console::html::Html;
use crate::console::words;
use asl::{Doing, Pending, Status};

/// How many pending states are told one by one.
const TOLD: usize = 5;

pub(super) fn view(h: &mut Html, shown: &Shown<'_>) {
    h.tag("div", &[("class", "now"), ("id", "now"), ("role", "status"), ("aria-live", "polite")], |h| {
        match shown.row.status {
            Status::Running => running(h, shown),
            Status::Succeeded => {
                let took = shown.row.stopped.unwrap_or(shown.now).millis() - shown.row.started.millis();
                h.leaf("p", &[], &format!("It succeeded in {}.", words::span(took)));
            }
            status => unsuccessful(h, shown, status),
        }
    });
    actions(h, shown);
}

fn running(h: &mut Html, shown: &Shown<'_>) {
    if let Some(why) = &shown.row.set_aside {
        h.leaf("p", &[("class", "bad")], &format!("It is set aside, nobody runs it: {why}"));
    }
    let pending = match &shown.pending {
        Ok(pending) => pending,
        Err(why) => {
            h.leaf("p", &[("class", "bad")], &format!("What it is at cannot be told: {why}"));
            return;
        }
    };
    pending.iter().take(TOLD).for_each(|pending| one(h, shown, pending));
    if pending.len() > TOLD {
        h.leaf("p", &[], &format!("… and {} more states are at work.", pending.len() - TOLD));
    }
}

fn one(h: &mut Html, shown: &Shown<'_>, pending: &Pending) {
    h.tag("p", &[], |h| {
        h.tag("strong", &[], |h| {
            let at = shown.at(&[("state", &pending.state), ("event", ""), ("page", ""), ("of", "")]);
            h.link(&at, &words::label(pending));
        });
        h.text(" ").text(&words::doing(&pending.doing, shown.now));
        let since = shown.now.millis() - pending.since.millis();
        h.leaf("span", &[("class", "quiet")], &format!(" · since {}", words::span(since)));
    });
    let what = match &pending.doing {
        Doing::Waiting { .. } => Some("Go on now…"),
        Doing::Retrying { .. } => Some("Retry now…"),
        _ => None,
    };
    if let Some(what) = what {
        h.tag("div", &[("class", "actions")], |h| {
            act::asking(h, shown.visitor, what, |h| {
                h.leaf("p", &[], "It does not wait for its time; the rest of the execution is as it would have been.");
                let (back, event) = (address(&shown.row.arn), pending.entered.to_string());
                let of = [("executionArn", &*shown.row.arn), ("eventId", &*event), ("back", &*back)];
                act::form(h, shown.visitor, "SkipWait", &of, |h| {
                    h.leaf("button", &[("class", "primary")], "Now");
                });
            });
        });
    }
    if let Doing::Awaiting { token, .. } = &pending.doing {
        answers(h, shown, token);
    }
}

/// What answers a task token.
fn answers(h: &mut Html, shown: &Shown<'_>, token: &str) {
    let back = address(&shown.row.arn);
    h.tag("div", &[("class", "actions")], |h| {
        act::asking(h, shown.visitor, "Send success…", |h| {
            act::form(h, shown.visitor, "SendTaskSuccess", &[("taskToken", token), ("back", &back)], |h| {
                act::json(h, "Output of the task, JSON", "output", "{}");
                h.leaf("button", &[("class", "primary")], "Send success");
            });
        });
        act::asking(h, shown.visitor, "Send failure…", |h| {
            act::form(h, shown.visitor, "SendTaskFailure", &[("taskToken", token), ("back", &back)], |h| {
                act::line(h, "Error", "error", "");
                act::line(h, "Cause", "cause", "");
                h.leaf("button", &[("class", "danger")], "Send failure");
            });
        });
        h.tag("details", &[("class", "act")], |h| {
            h.leaf("summary", &[("class", "button")], "Token");
            h.tag("div", &[("class", "sheet")], |h| {
                h.leaf("code", &[("class", "token")], token);
            });
        });
    });
}

fn unsuccessful(h: &mut Html, shown: &Shown<'_>, status: Status) {
    let row = &shown.told.row;
    h.tag("p", &[("class", "bad")], |h| {
        h.text(match status {
            Status::TimedOut => "Its time ran out",
            Status::Aborted => "It was stopped",
            _ => "It failed",
        });
        if let Some(visit) = shown.story.failing().filter(|_| status == Status::Failed) {
            h.text(" in ");
            h.tag("strong", &[], |h| {
                let visit = &shown.story.visits[visit];
                h.link(&shown.at_event(visit.entered), &visit.state);
            });
        }
        if let Some(error) = &row.error {
            h.text(": ").leaf("code", &[], error);
        }
    });
    if let Some(cause) = row.cause.as_deref().filter(|cause| !cause.is_empty()) {
        h.leaf("pre", &[("class", "cause"), ("tabindex", "0"), ("aria-label", "Cause")], &words::pretty_text(cause));
    }
}

fn actions(h: &mut Html, shown: &Shown<'_>) {
    let (arn, back) = (shown.row.arn.as_str(), address(&shown.row.arn));
    let of = [("executionArn", arn), ("back", &*back)];
    h.tag("div", &[("class", "actions")], |h| match shown.row.status {
        Status::Running => act::asking(h, shown.visitor, "Stop…", |h| {
            h.leaf("p", &[], "It ends as ABORTED at once; what its tasks have done is not undone.");
            act::form(h, shown.visitor, "StopExecution", &of, |h| {
                act::line(h, "Error (may be empty)", "error", "");
                act::line(h, "Cause (may be empty)", "cause", "");
                h.leaf("button", &[("class", "danger")], "Stop the execution");
            });
        }),
        status => {
            if status != Status::Succeeded && !shown.row.is_child() {
                act::asking(h, shown.visitor, "Redrive…", |h| {
                    h.leaf("p", &[], "It goes on from what did not succeed, with the definition that it began with.");
                    act::form(h, shown.visitor, "RedriveExecution", &of, |h| {
                        h.leaf("button", &[("class", "primary")], "Redrive");
                    });
                });
            }
            if !shown.row.is_child() {
                act::asking(h, shown.visitor, "Start again…", |h| {
                    let of = [("stateMachineArn", shown.row.state_machine_arn.as_str())];
                    act::form(h, shown.visitor, "StartExecution", &of, |h| {
                        act::json(h, "Input, JSON", "input", &words::pretty_text(&shown.told.input));
                        h.leaf("button", &[("class", "primary")], "Start a new execution");
                    });
                });
            }
        }
    });
}
