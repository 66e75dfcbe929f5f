//! Every rule has a page, and its examples do what they say.

use asl_syntax::{Format, Kind, Options, Rule, Source, explain, load, plain_text};

/// The rules whose example would be too long to print; `laws.rs` breaks them.
const WITHOUT_EXAMPLE: [Rule; 2] = [Rule::TooLarge, Rule::TooDeep];

/// The code block after `title`, with the words after its fence.
fn example<'p>(page: &'p str, title: &str) -> Option<(&'p str, &'p str)> {
    let (_, rest) = page.split_once(&format!("\n{title}\n\n```"))?;
    let (info, rest) = rest.split_once('\n')?;
    rest.split_once("\n```").map(|(text, _)| (info, text))
}

fn rules((info, text): (&str, &str)) -> (Vec<Rule>, String) {
    let words: Vec<&str> = info.split(' ').collect();
    let options = Options {
        kind: if words.contains(&"express") { Kind::Express } else { Kind::Standard },
        format: if words.contains(&"yaml") { Format::Yaml } else { Format::Json },
        lints: true,
    };
    let source = Source::new("example", text);
    let diagnostics = load(&source, &options).diagnostics;
    (diagnostics.iter().map(|d| d.rule).collect(), plain_text(&source, &diagnostics))
}

#[test]
fn every_rule_has_a_page_with_its_name_and_code() {
    for rule in Rule::ALL {
        let page = explain(*rule);
        assert!(page.starts_with(&format!("# {rule}: ")), "{rule}");
        let kind = rule.severity().as_str().to_ascii_lowercase();
        assert!(page.contains(&format!("\n`{}`, {kind}\n", rule.code().as_str())), "{rule}");
        assert_eq!(Rule::find(rule.name()), Some(*rule));
    }
}

#[test]
fn the_wrong_example_breaks_the_rule_and_the_right_one_breaks_none() {
    for rule in Rule::ALL.iter().filter(|rule| !WITHOUT_EXAMPLE.contains(rule)) {
        let page = explain(*rule);
        let (wrong, text) = rules(example(page, "Wrong:").expect("a wrong example"));
        assert!(!wrong.is_empty() && wrong.iter().all(|found| found == rule), "{rule}, wrong: {wrong:?}\n{text}");
        let (right, text) = rules(example(page, "Right:").expect("a right example"));
        assert!(right.is_empty(), "{rule}, right: {right:?}\n{text}");
    }
}
