//! What is around every page: its head, the way home, the search, and what the top says.

use super::Visitor;
use super::html::Html;
use super::respond;
use crate::http::Answered;

/// What a page's event stream is about, and what the page has seen of it: taken before the page was made.
pub(super) struct Live {
    pub(super) of: i64,
    pub(super) mark: String,
}

impl Live {
    pub(super) async fn new(visitor: &Visitor<'_>, of: i64) -> Live {
        Live { of, mark: super::live::mark(visitor, of).await }
    }
}

/// A page without its surroundings.
pub(super) struct Page {
    pub(super) title: String,
    /// (address, text) of what is above this page.
    pub(super) above: Vec<(String, String)>,
    pub(super) body: Html,
    /// Nothing for a page that stays as it is.
    pub(super) live: Option<Live>,
}

impl Page {
    pub(super) fn new(title: &str) -> Page {
        Page { title: title.to_owned(), above: Vec::new(), body: Html::default(), live: None }
    }

    pub(super) fn document(self, visitor: &Visitor<'_>) -> Html {
        let of = self.live.as_ref().map(|live| live.of.to_string()).unwrap_or_default();
        let seen = self.live.as_ref().map_or("", |live| &live.mark);
        let main: &[(&'static str, &str)] = &[("id", "main"), ("data-live", &of), ("data-seen", seen)];
        let mut html = Html::default();
        html.tag("html", &[("lang", "en")], |h| {
            head(h, &self.title);
            h.tag("body", &[], |h| {
                h.leaf("a", &[("class", "skip"), ("href", "#main")], "To the content");
                h.tag("header", &[("class", "top")], |h| {
                    h.tag("nav", &[("aria-label", "Place")], |h| {
                        h.leaf("a", &[("class", "home"), ("href", "/")], "asl");
                        for (address, text) in &self.above {
                            h.leaf("span", &[("aria-hidden", "true")], "/").link(address, text);
                        }
                    });
                    h.tag("nav", &[("aria-label", "Services")], |h| {
                        h.link("/console/services", "Tables, queues, topics, functions");
                    });
                    search(h, visitor);
                });
                h.leaf("p", &[("id", "gone"), ("role", "status"), ("aria-live", "polite")], "");
                h.tag("main", main, |h| {
                    h.put(&self.body);
                });
                footer(h, visitor);
            });
        });
        html
    }
}

fn head(h: &mut Html, title: &str) {
    h.tag("head", &[], |h| {
        h.void("meta", &[("charset", "utf-8")]);
        h.void("meta", &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")]);
        h.void("meta", &[("name", "color-scheme"), ("content", "light dark")]);
        h.leaf("title", &[], &format!("{title} · asl"));
        h.void("link", &[("rel", "icon"), ("href", respond::asset_address("icon.svg"))]);
        h.void("link", &[("rel", "stylesheet"), ("href", respond::asset_address("console.css"))]);
        h.leaf("script", &[("type", "module"), ("src", respond::asset_address("console.js"))], "");
    });
}

fn search(h: &mut Html, visitor: &Visitor<'_>) {
    h.tag("form", &[("action", "/"), ("role", "search"), ("class", "search")], |h| {
        let value = visitor.query.get("name").unwrap_or_default();
        let label = ("aria-label", "Find executions whose name begins so, or an ARN");
        let hint = ("placeholder", "Name of an execution, or ARN  ( / )");
        h.void("input", &[("type", "search"), ("name", "name"), ("id", "search"), ("value", value), label, hint]);
    });
}

fn footer(h: &mut Html, visitor: &Visitor<'_>) {
    h.tag("footer", &[], |h| {
        h.text("Clients: ");
        h.leaf("code", &[], &format!("export AWS_ENDPOINT_URL={}://{}", visitor.console.scheme, visitor.host));
        if visitor.console.read_only {
            h.text(" · this console only shows (--read-only)");
        }
        h.text(" · keys: ").leaf("kbd", &[], "?");
    });
}

/// A page for a browser that may not see the others.
pub(super) fn refused(status: u16, why: &str) -> Answered {
    bare(status, "Not answered", |h| {
        h.leaf("p", &[("role", "alert")], why);
    })
}

/// A page with nothing around it.
pub(super) fn bare(status: u16, title: &str, inside: impl FnOnce(&mut Html)) -> Answered {
    let mut html = Html::default();
    html.tag("html", &[("lang", "en")], |h| {
        head(h, title);
        h.tag("body", &[], |h| {
            h.tag("main", &[("id", "main"), ("class", "bare card")], |h| {
                h.leaf("h1", &[], title);
                inside(h);
            });
        });
    });
    respond::page(status, html)
}
