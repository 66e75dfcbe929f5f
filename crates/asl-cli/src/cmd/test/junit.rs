//! JUnit XML, as CI servers read it.

use asl::testing::{CaseResult, Report, SuiteReport};
use std::fmt::Write;

/// The report as a document.
pub(super) fn document(report: &Report) -> String {
    let suites: Vec<String> = report.suites.iter().map(suite).collect();
    let results = report.suites.iter().flat_map(|suite| &suite.cases);
    let counts = counts(results.map(|(_, result)| result));
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"asl\" {counts}>\n{}</testsuites>\n",
        suites.concat()
    )
}

fn suite(suite: &SuiteReport) -> String {
    let name = escape(&suite.name);
    let counts = counts(suite.cases.iter().map(|(_, result)| result));
    let mut out = format!("  <testsuite name=\"{name}\" {counts} errors=\"0\" skipped=\"0\">\n");
    for (case, result) in &suite.cases {
        // Writing into a String cannot fail.
        let _ = write!(
            out,
            "    <testcase classname=\"{name}\" name=\"{}\" file=\"{}\" line=\"{}\" time=\"{:.3}\"",
            escape(&case.name),
            escape(&suite.file),
            case.line,
            result.took.as_secs_f64()
        );
        out += &match result.passed() {
            true => "/>\n".to_owned(),
            false => format!(">\n{}    </testcase>\n", failure(result)),
        };
    }
    out + "  </testsuite>\n"
}

fn counts<'r>(results: impl Iterator<Item = &'r CaseResult>) -> String {
    let (mut all, mut failed, mut seconds) = (0, 0, 0.0);
    for result in results {
        all += 1;
        failed += usize::from(!result.passed());
        seconds += result.took.as_secs_f64();
    }
    format!("tests=\"{all}\" failures=\"{failed}\" time=\"{seconds:.3}\"")
}

fn failure(result: &CaseResult) -> String {
    let what: Vec<&str> = result.mismatches.iter().map(|mismatch| &*mismatch.what).collect();
    let mut text = String::new();
    for mismatch in &result.mismatches {
        text += &format!("{}\n", mismatch.what);
        text.extend(mismatch.details.iter().map(|line| format!("  {line}\n")));
    }
    format!("      <failure type=\"mismatch\" message=\"{}\">{}</failure>\n", escape(&what.join("; ")), escape(&text))
}

/// Text for XML 1.0: what would be markup is escaped, what it does not know is replaced.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\n' | '\t' => out.push(c),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_can_break_out_of_the_text() {
        assert_eq!(escape("a<b>&\"c\"\u{1b}\u{0}\n"), "a&lt;b&gt;&amp;&quot;c&quot;\u{fffd}\u{fffd}\n");
    }
}
