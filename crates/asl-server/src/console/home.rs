//! Home: state machines with their last day, executions by status, and a search whose filters are the address.

use super::fields::Fields;
use super::frame::{Live, Page};
use super::html::Html;
use super::{Visitor, execution, machine, words};
use crate::wire::ApiError;
use asl::parts::store::{After, ExecutionId, StateMachineRow};
use asl::{ExecutionRow, Filter, Status, Timestamp, Which};
use std::collections::BTreeMap;

/// Rows of a page.
const ROWS: usize = 50;
/// How many headers a page reads at most while it looks for what the store cannot filter by.
const READ: usize = 5000;
/// How many at once.
const CHUNK: u32 = 500;
/// The newest executions that the figures of the last day are made of.
const RECENT: u32 = 2000;
/// State machines on the page.
const MACHINES: u32 = 100;
const DAY_MS: i64 = 24 * 3600 * 1000;

pub(super) async fn page(visitor: &Visitor<'_>) -> Result<Page, ApiError> {
    let live = Live::new(visitor, 0).await;
    let counts = visitor.api.store().counts().await?;
    let found = find(visitor).await?;
    let mut page = Page::new("Executions");
    page.live = Some(live);
    let h = &mut page.body;
    h.leaf("h1", &[("class", "unseen")], "State machines and executions");
    if visitor.query.iter().all(|(name, _)| name == "status") {
        machines(h, visitor).await?;
    }
    h.tag("section", &[("class", "card"), ("id", "executions"), ("aria-labelledby", "executions-title")], |h| {
        h.leaf("h2", &[("id", "executions-title")], "Executions");
        statuses(h, &visitor.query, &counts);
        filters(h, &visitor.query);
        table(h, visitor, &found.rows);
        let next = found.next.map(|next| next.0.to_string());
        h.tag("nav", &[("class", "pager"), ("aria-label", "Pages of executions")], |h| {
            if visitor.query.get("before").is_some() {
                h.link(&format!("/{}", visitor.query.with(&[("before", "")])), "newest");
            }
            if let Some(next) = &next {
                h.link(&format!("/{}", visitor.query.with(&[("before", next)])), "older");
            }
            if let (Some(looked), Some(_)) = (found.looked, &next) {
                let message = format!("{READ} executions were looked through, back to {looked}; `older` looks further");
                h.leaf("span", &[("class", "quiet")], &message);
            }
        });
    });
    Ok(page)
}

/// What a search found.
#[derive(Default)]
struct Found {
    rows: Vec<ExecutionRow>,
    /// Where the next page begins.
    next: Option<ExecutionId>,
    /// Back to when it looked, where it stopped before the page was full.
    looked: Option<Timestamp>,
}

async fn find(visitor: &Visitor<'_>) -> Result<Found, ApiError> {
    let query = &visitor.query;
    let (api, name) = (visitor.api, query.get("name"));
    if let Some(arn) = name.filter(|name| name.starts_with("arn:")) {
        let row = api.store().execution(arn).await?;
        return Ok(Found { rows: row.into_iter().collect(), ..Found::default() });
    }
    let wanted = Wanted::read(query, api.now())?;
    let status = query.get("status").map(|status| status.parse::<Status>()).transpose();
    let mut filter = Filter {
        status: status.map_err(|error| ApiError::validation(error.to_string()))?,
        state_machine: query.get("machine").map(str::to_owned),
        which: if query.get("children").is_some() { Which::All } else { Which::Parents },
        name_prefix: name.map(str::to_owned),
        before: query.get("before").and_then(|before| before.parse().ok()).map(ExecutionId),
        limit: Some(if wanted.is_any() { ROWS as u32 + 1 } else { CHUNK }),
        ..Filter::default()
    };
    let (mut found, mut read) = (Found::default(), 0);
    loop {
        let rows = api.store().executions(&filter).await?;
        let Some(last) = rows.last().cloned() else { return Ok(found) };
        let is_last = rows.len() < filter.limit.unwrap_or(0) as usize;
        read += rows.len();
        let is_past = wanted.is_before(&last);
        for row in rows.into_iter().filter(|row| wanted.fits(row)) {
            if found.rows.len() == ROWS {
                found.next = found.rows.last().map(|row| row.id);
                return Ok(found);
            }
            found.rows.push(row);
        }
        if is_last || is_past {
            return Ok(found);
        }
        if read >= READ {
            (found.next, found.looked) = (Some(last.id), Some(last.started));
            return Ok(found);
        }
        filter.before = Some(last.id);
    }
}

/// What the store does not filter by.
struct Wanted<'q> {
    error: Option<&'q str>,
    since: Option<i64>,
    until: Option<i64>,
}

impl<'q> Wanted<'q> {
    fn read(query: &'q Fields, now: Timestamp) -> Result<Wanted<'q>, ApiError> {
        let time = |name: &str| query.get(name).map(|text| time(text, now)).transpose();
        Ok(Wanted { error: query.get("error"), since: time("since")?, until: time("until")? })
    }

    fn is_any(&self) -> bool {
        self.error.is_none() && self.since.is_none() && self.until.is_none()
    }

    fn fits(&self, row: &ExecutionRow) -> bool {
        let started = row.started.millis();
        let has = |text: &Option<String>, wanted: &str| text.as_deref().is_some_and(|text| text.contains(wanted));
        self.error.is_none_or(|wanted| has(&row.error, wanted) || has(&row.cause, wanted))
            && self.since.is_none_or(|since| started >= since)
            && self.until.is_none_or(|until| started < until)
    }

    /// Executions are read newest first: behind this one none is wanted.
    fn is_before(&self, row: &ExecutionRow) -> bool {
        self.since.is_some_and(|since| row.started.millis() < since)
    }
}

/// A time: `2026-12-01`, `2026-12-01T10:00:00Z`, or how long ago: `15m`, `2h`, `7d`.
fn time(text: &str, now: Timestamp) -> Result<i64, ApiError> {
    let ago = || {
        let unit = match text.chars().last()? {
            'm' => 60_000,
            'h' => 3_600_000,
            'd' => DAY_MS,
            _ => return None,
        };
        let number: i64 = text.get(..text.len() - 1)?.parse().ok()?;
        now.millis().checked_sub(number.checked_mul(unit)?)
    };
    let at = |text: &str| Timestamp::parse(text).ok().map(Timestamp::millis);
    let seconds = if text.matches(':').count() == 1 { format!("{text}:00Z") } else { format!("{text}Z") };
    let found = ago().or_else(|| at(text)).or_else(|| at(&seconds)).or_else(|| at(&format!("{text}T00:00:00Z")));
    let message = || format!("`{text}` is no time: 2h (ago), 2026-12-01 or 2026-12-01T10:00:00Z is one");
    found.ok_or_else(|| ApiError::validation(message()))
}

fn statuses(h: &mut Html, query: &Fields, counts: &BTreeMap<Status, u64>) {
    h.tag("nav", &[("class", "tabs"), ("aria-label", "Executions by status")], |h| {
        let mut tab = |name: &str, text: String| {
            let is_this = query.get("status").unwrap_or_default().eq_ignore_ascii_case(name);
            let href = format!("/{}", query.with(&[("status", name), ("before", "")]));
            h.leaf("a", &[("href", &href), ("aria-current", if is_this { "page" } else { "false" })], &text);
        };
        tab("", format!("All {}", counts.values().sum::<u64>()));
        for status in Status::ALL {
            let many = counts.get(&status).copied().unwrap_or(0);
            tab(status.name(), format!("{} {} {many}", words::sign(status), words::status(status)));
        }
    });
}

fn filters(h: &mut Html, query: &Fields) {
    h.tag("form", &[("action", "/"), ("class", "filters"), ("role", "search")], |h| {
        for name in ["status", "machine"] {
            if let Some(value) = query.get(name) {
                h.void("input", &[("type", "hidden"), ("name", name), ("value", value)]);
            }
        }
        let fields = [
            ("name", "Name begins with", "order-"),
            ("error", "Error or cause has", "States.Timeout"),
            ("since", "Started since", "2h, 2026-12-01"),
            ("until", "Started before", "15m"),
        ];
        for (name, label, hint) in fields {
            h.tag("label", &[], |h| {
                let value = query.get(name).unwrap_or_default();
                h.text(label).void("input", &[("name", name), ("value", value), ("placeholder", hint)]);
            });
        }
        h.tag("label", &[("class", "check")], |h| {
            let with: &[(&'static str, &str)] = match query.get("children") {
                Some(_) => &[("type", "checkbox"), ("name", "children"), ("value", "1"), ("checked", "")],
                None => &[("type", "checkbox"), ("name", "children"), ("value", "1")],
            };
            h.void("input", with).text("children of maps too");
        });
        h.leaf("button", &[], "Search");
        h.link("/", "Clear");
    });
    if let Some(machine) = query.get("machine") {
        h.tag("p", &[("class", "quiet")], |h| {
            h.text("Only those of ").leaf("code", &[], machine).text(".");
        });
    }
}

/// Executions, a row each.
pub(super) fn table(h: &mut Html, visitor: &Visitor<'_>, rows: &[ExecutionRow]) {
    if rows.is_empty() {
        h.leaf("p", &[("class", "quiet")], "There is none.");
        return;
    }
    let now = visitor.api.now();
    h.tag("div", &[("class", "scroll"), ("tabindex", "0"), ("role", "group"), ("aria-label", "Executions")], |h| {
        h.tag("table", &[], |h| {
            h.tag("thead", &[], |h| {
                h.tag("tr", &[], |h| {
                    for name in ["Status", "Name", "State machine", "Started", "Took", "Error"] {
                        h.leaf("th", &[("scope", "col")], name);
                    }
                });
            });
            h.tag("tbody", &[], |h| rows.iter().for_each(|row| execution_row(h, row, now)));
        });
    });
}

fn execution_row(h: &mut Html, row: &ExecutionRow, now: Timestamp) {
    h.tag("tr", &[], |h| {
        h.tag("td", &[], |h| {
            h.leaf(
                "span",
                &[("class", words::class(row.status))],
                &format!("{} {}", words::sign(row.status), words::status(row.status)),
            );
        });
        h.tag("td", &[("class", "name")], |h| {
            h.link(&execution::address(&row.arn), &row.name);
        });
        h.tag("td", &[], |h| {
            h.link(&machine::address(&row.state_machine_arn), &row.state_machine);
        });
        let ago = format!("{} ago", words::span(now.millis() - row.started.millis()));
        h.tag("td", &[("class", "time")], |h| {
            h.leaf("time", &[("datetime", &row.started.to_string()), ("title", &row.started.to_string())], &ago);
        });
        let took = row.stopped.unwrap_or(now).millis() - row.started.millis();
        h.leaf("td", &[("class", "number")], &words::span(took));
        let short: String = row.error.as_deref().unwrap_or_default().chars().take(80).collect();
        h.tag("td", &[], |h| {
            if !short.is_empty() {
                h.leaf(
                    "a",
                    &[
                        ("href", &format!("/{}", Fields::default().with(&[("error", &short)]))),
                        ("title", "All that fail like this"),
                    ],
                    &short,
                );
            }
        });
    });
}

/// What the last day's newest executions tell of a state machine.
#[derive(Default)]
struct Tally {
    hours: [u32; 24],
    failed_in: [u32; 24],
    started: u32,
    failed: u32,
    running: u32,
    took_ms: Vec<i64>,
}

async fn machines(h: &mut Html, visitor: &Visitor<'_>) -> Result<(), ApiError> {
    let rows = visitor.api.catalogue().state_machines(After { key: None, limit: MACHINES }).await?;
    let filter = Filter { limit: Some(RECENT), which: Which::Parents, ..Filter::default() };
    let recent = visitor.api.store().executions(&filter).await?;
    let now = visitor.api.now();
    let is_cut = recent.len() == RECENT as usize
        && recent.last().is_some_and(|row| now.millis() - row.started.millis() < DAY_MS);
    let mut tallies: BTreeMap<&str, Tally> = BTreeMap::new();
    for row in &recent {
        tallies.entry(&row.state_machine_arn).or_default().count(row, now);
    }
    h.tag("section", &[("class", "card"), ("id", "machines"), ("aria-labelledby", "machines-title")], |h| {
        h.leaf("h2", &[("id", "machines-title")], "State machines");
        if rows.is_empty() {
            let message =
                "There is none yet: create one through the API, or start `asl serve` in a folder with definitions.";
            h.leaf("p", &[("class", "quiet")], message);
            return;
        }
        let of = if is_cut { format!("the newest {RECENT} executions") } else { "the last day".to_owned() };
        h.tag("table", &[("class", "machines")], |h| {
            h.tag("thead", &[], |h| {
                h.tag("tr", &[], |h| {
                    for name in ["Name", &of, "Started", "Failed", "Running", "Median"] {
                        h.leaf("th", &[("scope", "col")], name);
                    }
                });
            });
            h.tag("tbody", &[], |h| {
                for row in &rows {
                    machine_row(h, row, tallies.entry(&row.arn).or_default());
                }
            });
        });
    });
    Ok(())
}

impl Tally {
    fn count(&mut self, row: &ExecutionRow, now: Timestamp) {
        let ago = now.millis() - row.started.millis();
        if ago >= DAY_MS {
            return;
        }
        let hour = 23 - usize::try_from(ago.max(0) / 3_600_000).unwrap_or(23).min(23);
        self.hours[hour] += 1;
        self.started += 1;
        self.running += u32::from(row.status == Status::Running);
        if matches!(row.status, Status::Failed | Status::TimedOut) {
            self.failed += 1;
            self.failed_in[hour] += 1;
        }
        self.took_ms.extend(row.stopped.map(|stopped| stopped.millis() - row.started.millis()));
    }

    fn median(&mut self) -> Option<i64> {
        self.took_ms.sort_unstable();
        self.took_ms.get(self.took_ms.len() / 2).copied()
    }
}

fn machine_row(h: &mut Html, row: &StateMachineRow, tally: &mut Tally) {
    h.tag("tr", &[], |h| {
        h.tag("td", &[("class", "name")], |h| {
            h.link(&machine::address(&row.arn), &row.name);
        });
        h.tag("td", &[], |h| spark(h, tally));
        let mut number = |text: String, query: &[(&str, &str)]| {
            let all: Vec<(&str, &str)> = [("machine", &*row.arn)].into_iter().chain(query.iter().copied()).collect();
            h.tag("td", &[("class", "number")], |h| {
                h.link(&format!("/{}", Fields::default().with(&all)), &text);
            });
        };
        number(tally.started.to_string(), &[("since", "24h")]);
        number(tally.failed.to_string(), &[("status", "FAILED"), ("since", "24h")]);
        number(tally.running.to_string(), &[("status", "RUNNING")]);
        h.leaf("td", &[("class", "number")], &tally.median().map(words::span).unwrap_or_default());
    });
}

/// 24 columns, an hour each: how many started, and of those how many failed.
fn spark(h: &mut Html, tally: &Tally) {
    let most = tally.hours.iter().copied().max().unwrap_or(0).max(1);
    let label = format!("{} started, {} failed", tally.started, tally.failed);
    h.tag("svg", &[("class", "spark"), ("viewBox", "0 0 120 20"), ("role", "img"), ("aria-label", &label)], |h| {
        for (at, (started, failed)) in tally.hours.iter().zip(tally.failed_in).enumerate() {
            let height = |many: u32| if many == 0 { 0 } else { (many * 18 / most).max(2) };
            let mut column = |class: &'static str, many: u32| {
                let (x, y, tall) = ((at * 5).to_string(), (20 - height(many)).to_string(), height(many).to_string());
                h.leaf("rect", &[("class", class), ("x", &x), ("y", &y), ("width", "4"), ("height", &tall)], "");
            };
            column("bar good", *started);
            column("bar failed", failed);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let now = Timestamp::from_millis(10 * DAY_MS);
        let read = |text: &str| time(text, now).ok();
        assert_eq!(read("2h"), Some(10 * DAY_MS - 7_200_000));
        assert_eq!(read("1970-01-02"), Some(DAY_MS));
        assert_eq!(read("1970-01-01T01:00"), Some(3_600_000));
        assert_eq!(read("1970-01-01T01:00:00Z"), Some(3_600_000));
        for bad in ["", "h", "x", "99999999999999999999d", "1970-13-01", "ä", "1é"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
