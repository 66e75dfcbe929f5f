//! Access keys and their secrets, in the form of `~/.aws/credentials`.

use asl::parts::Secret;
use std::collections::HashMap;

/// A key's other half.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) secret: Secret,
    /// The token that a request with this key has to bring, if it has to bring one.
    pub(super) token: Option<Secret>,
}

/// The keys that are let in, by their ids.
#[derive(Debug, Default)]
pub(super) struct Keys(HashMap<String, Key>);

#[derive(Default)]
struct Section {
    line: usize,
    id: Option<String>,
    secret: Option<String>,
    token: Option<String>,
}

impl Keys {
    pub(super) fn read(text: &str) -> Result<Keys, String> {
        let (mut keys, mut section) = (Keys::default(), None::<Section>);
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if line.starts_with('[') && line.ends_with(']') {
                keys.add(section.replace(Section { line: number, ..Section::default() }))?;
                continue;
            }
            let (name, value) = line.split_once('=').ok_or_else(|| format!("line {number} is no `name = value`"))?;
            let section = section.get_or_insert_with(|| Section { line: number, ..Section::default() });
            let value = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
            match name.trim() {
                "aws_access_key_id" => section.id = value,
                "aws_secret_access_key" => section.secret = value,
                "aws_session_token" => section.token = value,
                // What else such files have is of no use here.
                _ => {}
            }
        }
        keys.add(section)?;
        if keys.0.is_empty() { Err("there is no access key in it".to_owned()) } else { Ok(keys) }
    }

    fn add(&mut self, section: Option<Section>) -> Result<(), String> {
        let Some(Section { line, id, secret, token }) = section else { return Ok(()) };
        match (id, secret) {
            (Some(id), Some(secret)) => {
                let key = Key { secret: secret.into(), token: token.map(Into::into) };
                match self.0.insert(id, key) {
                    Some(_) => Err(format!("the access key of the section at line {line} is there twice")),
                    None => Ok(()),
                }
            }
            (None, None) => Ok(()),
            _ => Err(format!("the section at line {line} has one half of an access key only")),
        }
    }

    pub(super) fn find(&self, id: &str) -> Option<&Key> {
        self.0.get(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_with_the_place_of_what_is_wrong() {
        let good = "# ours\n[default]\naws_access_key_id = A\naws_secret_access_key=s=1\nregion = x\n\n[b]\naws_access_key_id=B\naws_secret_access_key=t\naws_session_token=u\n";
        let keys = Keys::read(good).unwrap();
        assert_eq!(keys.find("A").unwrap().secret.expose(), "s=1");
        assert!(keys.find("B").unwrap().token.is_some() && keys.find("C").is_none());
        assert!(!format!("{keys:?}").contains("s=1"), "{keys:?}");
        let told = |text: &str| Keys::read(text).unwrap_err();
        assert_eq!(told(""), "there is no access key in it");
        assert_eq!(told("[a]\naws_access_key_id = A\n[b]"), "the section at line 1 has one half of an access key only");
        assert_eq!(told("what"), "line 1 is no `name = value`");
        let twice =
            "[a]\naws_access_key_id=A\naws_secret_access_key=s\n[b]\naws_access_key_id=A\naws_secret_access_key=s";
        assert_eq!(told(twice), "the access key of the section at line 4 is there twice");
    }
}
