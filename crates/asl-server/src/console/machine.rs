//! The page of a state machine: its graph beside its definition with what `asl check` says of it, versions and aliases, its
//! executions, and a start with the inputs that were used last.

use super::fields::encode;
use super::frame::{Live, Page};
use super::html::Html;
use super::{Visitor, act, home, replay, words};
use crate::arn::MachineArn;
use crate::operation::kind_of;
use crate::wire::ApiError;
use asl::parts::store::{After, StateMachineRow};
use asl::parts::syntax::{Diagnostic, Options, Severity, Source, load};
use asl::{Filter, Map, Value, stored_options};
use asl_render::{layout, svg};

/// How many inputs are offered, versions and aliases listed, executions shown.
const INPUTS: usize = 5;
const LISTED: u32 = 20;
const LAST: u32 = 20;

/// The address of a state machine's page; of a Distributed Map's that of its own state machine.
pub(super) fn address(arn: &str) -> String {
    format!("/console/machine/{}", encode(arn.split('/').next().unwrap_or(arn)))
}

pub(super) async fn page(visitor: &Visitor<'_>, arn: &str) -> Result<Page, ApiError> {
    let named = MachineArn::parse(arn)?;
    let live = Live::new(visitor, 0).await;
    let row = visitor.api.catalogue().state_machine(&named.arn).await?;
    let filter = Filter { state_machine: Some(named.arn.clone()), limit: Some(LAST), ..Filter::default() };
    let last = visitor.api.store().executions(&filter).await?;
    let Some(row) = row else { return unlisted(visitor, &named.arn, last) };
    let text = visitor.api.definition_text(&row.definition).await?;
    let mut inputs: Vec<String> = Vec::new();
    for execution in last.iter().take(2 * INPUTS) {
        let told = visitor.api.store().describe(execution.id).await?;
        let input = told.map(|told| words::pretty_text(&told.input)).filter(|input| !inputs.contains(input));
        inputs.extend(input);
    }
    inputs.truncate(INPUTS);
    let mut page = Page::new(&row.name);
    page.live = Some(live);
    let h = &mut page.body;
    head(h, &row);
    h.tag("div", &[("class", "actions")], |h| {
        start(h, visitor, &row, &inputs);
        replay::form(h, visitor, &row, &words::pretty_text(&text));
    });
    h.tag("div", &[("class", "views")], |h| definition(h, &row, &text));
    tags(h, visitor, &row).await?;
    versions(h, visitor, &row).await?;
    h.tag("section", &[("class", "card"), ("id", "executions")], |h| {
        h.leaf("h2", &[], "Last executions");
        home::table(h, visitor, &last);
        h.tag("p", &[], |h| {
            h.link(&format!("/?machine={}", encode(&row.arn)), "All of them, with filters");
        });
    });
    Ok(page)
}

/// One that the catalogue does not have: started by `asl run`, say. It has its executions all the same.
fn unlisted(visitor: &Visitor<'_>, arn: &str, last: Vec<asl::ExecutionRow>) -> Result<Page, ApiError> {
    let Some(first) = last.first() else { return Err(ApiError::no_resource(arn)) };
    let mut page = Page::new(&first.state_machine);
    page.body.leaf("h1", &[], &first.state_machine);
    let message =
        "This server's catalogue does not have this state machine: its executions were started by another command.";
    page.body.leaf("p", &[("class", "quiet")], message);
    home::table(&mut page.body, visitor, &last);
    Ok(page)
}

fn head(h: &mut Html, row: &StateMachineRow) {
    h.tag("section", &[("class", "head")], |h| {
        h.leaf("h1", &[], &row.name);
        h.tag("p", &[("class", "facts")], |h| {
            h.text(&format!("{} · made {}", row.kind, row.created));
            h.text(&row.updated.map(|at| format!(" · changed {at}")).unwrap_or_default()).text(" · ");
            h.leaf("code", &[("class", "arn")], &row.arn);
        });
    });
}

fn start(h: &mut Html, visitor: &Visitor<'_>, row: &StateMachineRow, inputs: &[String]) {
    if row.kind == "EXPRESS" {
        return;
    }
    let wanted = visitor.query.get("input").and_then(|at| at.parse::<usize>().ok()).unwrap_or(0);
    let input = inputs.get(wanted).map_or("{}", String::as_str);
    act::asking(h, visitor, "Start…", |h| {
        act::form(h, visitor, "StartExecution", &[("stateMachineArn", &row.arn)], |h| {
            act::line(h, "Name (may be empty)", "name", "");
            act::json(h, "Input, JSON", "input", input);
            h.leaf("button", &[("class", "primary")], "Start the execution");
        });
        if inputs.len() > 1 {
            h.leaf("h3", &[], "Inputs used last");
            h.tag("ul", &[("class", "inputs")], |h| {
                for (at, input) in inputs.iter().enumerate() {
                    let line: String =
                        input.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(80).collect();
                    h.tag("li", &[], |h| {
                        let to = format!("{}?input={at}", address(&row.arn));
                        h.leaf("a", &[("href", &to), ("data-input", input)], &line);
                    });
                }
            });
        }
    });
}

fn definition(h: &mut Html, row: &StateMachineRow, text: &str) {
    let options = Options { kind: kind_of(Some(&row.kind)), lints: true, format: stored_options(text).format };
    // What came on one line, as programs send it, is shown with a member a line.
    let apart = if text.contains('\n') { text.to_owned() } else { words::pretty_text(text) };
    let text = apart.as_str();
    let source = Source::new(&*row.name, text);
    let loaded = load(&source, &options);
    h.tag("section", &[("class", "card graph"), ("id", "graph")], |h| {
        h.leaf("h2", &[], "Graph");
        if let Some(definition) = &loaded.definition {
            h.tag(
                "div",
                &[("class", "scroll"), ("tabindex", "0"), ("role", "group"), ("aria-label", "Graph of the states")],
                |h| {
                    h.svg(&svg(&layout(definition), None));
                },
            );
        }
    });
    h.tag("section", &[("class", "card data"), ("id", "definition")], |h| {
        h.leaf("h2", &[], "Definition");
        if loaded.diagnostics.is_empty() {
            h.leaf("p", &[("class", "quiet")], "asl check finds nothing wrong with it.");
        }
        self::source(h, &source, &loaded.diagnostics, text);
    });
}

/// The text of a definition, each finding below its line.
pub(super) fn source(h: &mut Html, source: &Source, found: &[Diagnostic], text: &str) {
    let line_of = |found: &Diagnostic| found.span.map_or(1, |span| source.line_column(span.start).0);
    let found: Vec<(usize, &Diagnostic)> = found.iter().map(|found| (line_of(found), found)).collect();
    h.tag("pre", &[("class", "source"), ("tabindex", "0"), ("aria-label", "Definition")], |h| {
        for (number, line) in (1..).zip(text.lines()) {
            h.leaf("span", &[("class", "line-number"), ("aria-hidden", "true")], &format!("{number:>4}  "));
            h.text(line).text("\n");
            for (_, found) in found.iter().filter(|(at, _)| *at == number) {
                let class = if found.severity == Severity::Error { "finding bad" } else { "finding" };
                let message = format!("      {}: {}\n", found.severity.as_str(), found.message);
                h.leaf("strong", &[("class", class)], &message);
            }
        }
    });
}

/// Its tags, and the forms that change them.
async fn tags(h: &mut Html, visitor: &Visitor<'_>, row: &StateMachineRow) -> Result<(), ApiError> {
    let told = visitor.api.call("ListTagsForResource", &Map::from_iter([("resourceArn", &*row.arn)])).await?;
    let tags = told.get("tags").and_then(Value::as_array).unwrap_or_default();
    let here = address(&row.arn);
    h.tag("section", &[("class", "card"), ("id", "tags")], |h| {
        h.leaf("h2", &[], "Tags");
        h.tag("ul", &[], |h| {
            for tag in tags {
                let text = |name: &str| tag[name].as_str().unwrap_or_default();
                h.tag("li", &[], |h| {
                    h.text(&format!("{} = {}", text("key"), text("value")));
                    let of = [("resourceArn", &*row.arn), ("tagKeys", text("key")), ("back", &*here)];
                    act::asking(h, visitor, "Remove…", |h| {
                        act::form(h, visitor, "UntagResource", &of, |h| {
                            h.leaf("button", &[("class", "danger")], "Remove the tag");
                        });
                    });
                });
            }
        });
        act::asking(h, visitor, "Set a tag…", |h| {
            act::form(h, visitor, "TagResource", &[("resourceArn", &*row.arn), ("back", &*here)], |h| {
                act::line(h, "Key", "key", "");
                act::line(h, "Value", "value", "");
                h.leaf("button", &[("class", "primary")], "Set the tag");
            });
        });
    });
    Ok(())
}

async fn versions(h: &mut Html, visitor: &Visitor<'_>, row: &StateMachineRow) -> Result<(), ApiError> {
    let catalogue = visitor.api.catalogue();
    let versions = catalogue.versions(&row.arn, None, LISTED).await?;
    let aliases = catalogue.aliases(&row.arn, After { key: None, limit: LISTED }).await?;
    if versions.is_empty() && aliases.is_empty() {
        return Ok(());
    }
    h.tag("section", &[("class", "card"), ("id", "versions")], |h| {
        h.leaf("h2", &[], "Versions and aliases");
        h.tag("ul", &[], |h| {
            for alias in &aliases {
                let routes: Vec<String> =
                    alias.routing.iter().map(|(version, weight)| format!("{weight} % to version {version}")).collect();
                h.leaf("li", &[], &format!("alias {}: {}", alias.name, routes.join(", ")));
            }
            for version in &versions {
                let same = if version.definition == row.definition { " · as the state machine is now" } else { "" };
                let told = version.description.as_deref().unwrap_or_default();
                h.leaf("li", &[], &format!("version {} · {} · {told}{same}", version.number, version.created));
            }
        });
    });
    Ok(())
}
