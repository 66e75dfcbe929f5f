//! Places in files, drawn with a caret.

use super::look::Look;
use crate::terminal::drawn;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use asl::parts::syntax::{Diagnostic, Severity, Source};
use asl::project::Problem;
use asl_render::visible;
use std::ops::Range;
use std::sync::Arc;

/// Something to say about a place in a file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    /// The name of the rule, if there is one.
    pub(crate) rule: Option<&'static str>,
    pub(crate) message: String,
    pub(crate) file: String,
    pub(crate) text: Arc<str>,
    pub(crate) span: Option<Range<usize>>,
    pub(crate) labels: Vec<(Range<usize>, String)>,
    pub(crate) help: Option<String>,
}

impl From<&Problem> for Finding {
    fn from(problem: &Problem) -> Finding {
        Finding {
            severity: Severity::Error,
            rule: None,
            message: problem.message.clone(),
            file: problem.file.clone(),
            text: problem.text.clone(),
            span: problem.span.map(|span| span.start..span.end),
            labels: problem.labels.iter().map(|(span, label)| (span.start..span.end, label.clone())).collect(),
            help: problem.help.clone(),
        }
    }
}

impl Finding {
    /// The line and the column of the place, both from 1; columns count characters.
    pub(crate) fn line_column(&self) -> Option<(usize, usize)> {
        let before = self.text.get(..self.span.as_ref()?.start)?;
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Some((before.matches('\n').count() + 1, before[line_start..].chars().count() + 1))
    }

    /// A diagnostic of a definition.
    pub(crate) fn of(source: &Source, diagnostic: &Diagnostic) -> Finding {
        Finding {
            severity: diagnostic.severity,
            rule: Some(diagnostic.rule.name()),
            message: diagnostic.headline().to_owned(),
            file: source.name().to_owned(),
            text: source.original().clone(),
            span: diagnostic.span.map(|span| span.start..span.end),
            labels: diagnostic.labels.iter().map(|(span, label)| (span.start..span.end, label.clone())).collect(),
            help: diagnostic.help.clone(),
        }
    }
}

/// All of them, a blank line after each.
pub(crate) fn draw(findings: &[Finding], look: Look) -> String {
    let renderer = if look.color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.term_width(look.width.unwrap_or(140));
    let all: String = findings.iter().map(|finding| one(finding, &renderer) + "\n\n").collect();
    // In colour the renderer's own sequences are let through; it shows those in the text of a file as signs itself.
    if look.color { drawn(&all) } else { all }
}

fn one(finding: &Finding, renderer: &Renderer) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut title = level.primary_title(visible(finding.message.trim_end()));
    if let Some(rule) = finding.rule {
        title = title.id(rule);
    }
    let mut group = Group::with_title(title);
    match &finding.span {
        Some(span) => {
            let text = &*finding.text;
            let labels = finding.labels.iter();
            let labels =
                labels.map(|(span, label)| AnnotationKind::Context.span(inside(text, span)).label(visible(label)));
            let snippet = Snippet::source(text)
                .path(visible(&finding.file))
                .annotation(AnnotationKind::Primary.span(inside(text, span)))
                .annotations(labels);
            group = group.element(snippet);
        }
        None => group = group.element(annotate_snippets::Origin::path(visible(&finding.file))),
    }
    if let Some(help) = &finding.help {
        group = group.element(Level::HELP.message(visible(help)));
    }
    renderer.render(&[group])
}

/// The span within the text, on whole characters, and no longer than its first line: a caret says where a thing begins.
fn inside(text: &str, span: &Range<usize>) -> Range<usize> {
    let floor = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let (start, end) = (floor(span.start), floor(span.end));
    let line_end = text[start..].find(['\n', '\r']).map_or(text.len(), |length| start + length);
    start..end.clamp(start, line_end)
}
