//! `samconfig.toml`, which the SAM CLI keeps beside a template: the stack's name and the values of parameters.
//!
//! Read is the table `[default]`, as `sam deploy` reads it without `--config-env`: `deploy.parameters` over `global.parameters`.

use super::error::{Problem, ProjectError};
use super::stack::StackOptions;
use super::{place, shown};
use std::collections::BTreeMap;
use std::path::Path;
use toml::Value;

/// Its name.
pub(super) const FILE_NAME: &str = "samconfig.toml";

/// What the file beside a template says; nothing where there is none.
///
/// # Errors
/// It is no TOML, or `parameter_overrides` cannot be read.
pub(super) fn read(template: &Path) -> Result<StackOptions, ProjectError> {
    let file = template.with_file_name(FILE_NAME);
    let Ok(text) = std::fs::read_to_string(&file) else { return Ok(StackOptions::default()) };
    options(&text).map_err(|(message, span)| {
        let mut problem = Problem::new(&shown(&file), &text, message);
        problem.span = span;
        problem.help =
            Some("write it as `sam deploy --guided` does: parameter_overrides = \"Name=\\\"value\\\"\"".to_owned());
        problem.into()
    })
}

type Wrong = (String, Option<asl_syntax::Span>);

fn options(text: &str) -> Result<StackOptions, Wrong> {
    let root: toml::Table =
        text.parse().map_err(|error: toml::de::Error| (error.message().to_owned(), error.span().map(place::span)))?;
    let mut options = StackOptions::default();
    for command in ["global", "deploy"] {
        let Some(parameters) = root.get("default").and_then(|t| t.get(command)).and_then(|t| t.get("parameters"))
        else {
            continue;
        };
        if let Some(name) = parameters.get("stack_name").and_then(Value::as_str) {
            options.name = Some(name.to_owned());
        }
        if let Some(overrides) = parameters.get("parameter_overrides") {
            let at = || place::find(text, &format!("default.{command}.parameters.parameter_overrides"));
            options.parameters.extend(pairs(overrides).map_err(|message| (message, at()))?);
        }
    }
    Ok(options)
}

/// `Name=value Other="a value"`, or `ParameterKey=Name,ParameterValue=value`; in one text, or a list of them.
fn pairs(overrides: &Value) -> Result<BTreeMap<String, String>, String> {
    let texts: Vec<&str> = match overrides {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => return Err("parameter_overrides is neither a text nor a list of texts".to_owned()),
    };
    let mut found = BTreeMap::new();
    for word in texts.into_iter().map(words).collect::<Result<Vec<_>, _>>()?.concat() {
        let keyed = word.strip_prefix("ParameterKey=").and_then(|rest| rest.split_once(",ParameterValue="));
        let (name, value) = keyed
            .or_else(|| word.split_once('='))
            .ok_or_else(|| format!("`{word}` in parameter_overrides is no Name=value"))?;
        found.insert(name.to_owned(), value.to_owned());
    }
    Ok(found)
}

/// The words of a text, as a shell splits them: quotes of both kinds hold blanks, and are taken away.
fn words(text: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut letters = text.chars();
    while let Some(c) = letters.next() {
        match (c, quote) {
            ('\\', _) if quote != Some('\'') => word.get_or_insert_default().extend(letters.next()),
            (c, Some(open)) if c == open => quote = None,
            (c, Some(_)) => word.get_or_insert_default().push(c),
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, None) => word.get_or_insert_default().push(c),
        }
    }
    match quote {
        Some(_) => Err("a quote in parameter_overrides does not end".to_owned()),
        None => {
            words.extend(word);
            Ok(words)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stack_and_its_parameters_are_read_as_sam_does() {
        let text = r#"
            version = 0.1
            [default.global.parameters]
            stack_name = "global"
            [default.deploy.parameters]
            stack_name = "fares"
            parameter_overrides = "Stage=\"prod two\" Empty='' ParameterKey=Level,ParameterValue=3"
            [prod.deploy.parameters]
            stack_name = "other"
        "#;
        let read = options(text).unwrap();
        assert_eq!(read.name.as_deref(), Some("fares"));
        let pairs: Vec<_> = read.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("Empty", ""), ("Level", "3"), ("Stage", "prod two")]);
        let list = "[default.deploy.parameters]\nparameter_overrides = ['A=1', 'B=x=y']\n";
        assert_eq!(options(list).unwrap().parameters["B"], "x=y");
        assert!(options("[prod.deploy.parameters]\nstack_name = 'x'").unwrap().name.is_none());
        for wrong in ["'A'", "7", "'A=\"b'"] {
            let text = format!("[default.deploy.parameters]\nparameter_overrides = {wrong}\n");
            assert!(options(&text).unwrap_err().1.is_some(), "{wrong}");
        }
    }
}
