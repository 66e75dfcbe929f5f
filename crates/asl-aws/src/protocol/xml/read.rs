//! A reader of XML as AWS's services write it: elements, attributes, text. No document types, so no entities but the five
//! of XML itself, and nothing that grows.

use super::super::Broken;

/// Elements may be nested so deep.
const MAX_DEPTH: usize = 128;
/// A document may have so many elements.
const MAX_ELEMENTS: usize = 2_000_000;

/// An element, without its name space.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Its name, without a prefix.
    pub name: String,
    /// Its attributes, with their prefixes.
    pub attributes: Vec<(String, String)>,
    /// The elements in it.
    pub children: Vec<Element>,
    /// The text in it, outside of its children.
    pub text: String,
}

impl Element {
    /// The first child with a name.
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|c| c.name == name)
    }

    /// The text of the first child with a name.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|c| c.text.trim())
    }
}

struct Reader<'a> {
    rest: &'a str,
    elements: usize,
}

/// Reads a document to its root element.
///
/// # Errors
/// What is not XML, is nested deeper than 128 elements, or has more than two million.
pub fn read(text: &str) -> Result<Element, Broken> {
    let mut reader = Reader { rest: text.trim_start_matches('\u{feff}'), elements: 0 };
    let mut open: Vec<Element> = vec![];
    loop {
        let Some(at) = reader.rest.find('<') else {
            return Err(Broken::new("the XML ends inside of an element"));
        };
        let text = &reader.rest[..at];
        match open.last_mut() {
            Some(element) => unescape(text, &mut element.text)?,
            None if text.trim().is_empty() => {}
            None => return Err(Broken::new("the body is not XML")),
        }
        reader.rest = &reader.rest[at + 1..];
        if let Some(closed) = reader.markup(&mut open)? {
            match open.last_mut() {
                Some(parent) => parent.children.push(closed),
                // What follows the root is of no interest.
                None => return Ok(closed),
            }
        }
    }
}

impl<'a> Reader<'a> {
    fn until(&mut self, end: &str) -> Result<&'a str, Broken> {
        let at = self.rest.find(end).ok_or_else(|| Broken::new(format!("the XML ends before '{end}'")))?;
        let before = &self.rest[..at];
        self.rest = &self.rest[at + end.len()..];
        Ok(before)
    }

    /// What stands between `<` and `>`; an element that it closes.
    fn markup(&mut self, open: &mut Vec<Element>) -> Result<Option<Element>, Broken> {
        if let Some(rest) = self.rest.strip_prefix("!--") {
            self.rest = rest;
            self.until("-->")?;
            return Ok(None);
        }
        if let Some(rest) = self.rest.strip_prefix("![CDATA[") {
            self.rest = rest;
            let text = self.until("]]>")?;
            let element = open.last_mut().ok_or_else(|| Broken::new("the body is not XML"))?;
            element.text.push_str(text);
            return Ok(None);
        }
        match self.rest.as_bytes().first() {
            Some(b'?') => self.until("?>").map(|_| None),
            Some(b'!') => Err(Broken::new("the XML has a document type")),
            Some(b'/') => {
                let name = self.until(">")?[1..].trim();
                let closed = open.pop().filter(|e| e.name == local(name));
                closed.map(Some).ok_or_else(|| Broken::new(format!("</{}> closes nothing", head(name))))
            }
            _ => self.start(open),
        }
    }

    fn start(&mut self, open: &mut Vec<Element>) -> Result<Option<Element>, Broken> {
        self.elements += 1;
        if open.len() >= MAX_DEPTH || self.elements > MAX_ELEMENTS {
            return Err(Broken::new("the XML is nested too deep, or has too many elements"));
        }
        let name = self.name()?;
        let mut element = Element { name: local(name).to_owned(), ..Element::default() };
        loop {
            self.rest = self.rest.trim_start();
            if let Some(rest) = self.rest.strip_prefix("/>") {
                self.rest = rest;
                return Ok(Some(element));
            }
            if let Some(rest) = self.rest.strip_prefix('>') {
                self.rest = rest;
                open.push(element);
                return Ok(None);
            }
            let attribute = self.attribute()?;
            element.attributes.push(attribute);
        }
    }

    fn name(&mut self) -> Result<&'a str, Broken> {
        let end = self.rest.find(|c: char| c.is_whitespace() || matches!(c, '>' | '/' | '=' | '<'));
        let end = end.filter(|end| *end > 0).ok_or_else(|| Broken::new("an element of the XML has no name"))?;
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(name)
    }

    fn attribute(&mut self) -> Result<(String, String), Broken> {
        let name = self.name()?.to_owned();
        let bad = || Broken::new(format!("the attribute {} has no value", head(&name)));
        let rest = self.rest.trim_start().strip_prefix('=').ok_or_else(bad)?.trim_start();
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\'')).ok_or_else(bad)?;
        self.rest = &rest[1..];
        let mut value = String::new();
        unescape(self.until(if quote == '"' { "\"" } else { "'" })?, &mut value)?;
        Ok((name, value))
    }
}

fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

/// The beginning of a text, for a message.
fn head(text: &str) -> String {
    text.chars().take(40).collect()
}

fn unescape(text: &str, out: &mut String) -> Result<(), Broken> {
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        // No entity of ours is longer than &#x10FFFF;
        let end = rest.find(';').filter(|end| *end <= 10);
        let end = end.ok_or_else(|| Broken::new("an & of the XML begins no entity"))?;
        out.push(entity(&rest[..end]).ok_or_else(|| Broken::new(format!("&{}; is no entity", &rest[..end])))?);
        rest = &rest[end + 1..];
    }
    out.push_str(rest);
    Ok(())
}

fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn elements_attributes_and_texts_are_read() {
        let text = "<?xml version=\"1.0\"?>\n<!-- x --><a:R xmlns:a='u'><Q n=\"1&amp;2\"/>t&lt;<![CDATA[<&]]><Q>&#xe4;</Q></a:R>\n";
        let root = read(text).unwrap();
        assert_eq!((root.name.as_str(), root.text.as_str()), ("R", "t<<&"));
        assert_eq!(root.children[0].attributes, [("n".to_owned(), "1&2".to_owned())]);
        assert_eq!(root.children[1].text, "ä");
    }

    #[test]
    fn what_is_not_xml_is_refused() {
        let deep = "<a>".repeat(1000);
        let bomb = "<!DOCTYPE x [<!ENTITY a \"aa\">]><x>&a;</x>";
        for bad in
            ["", "text", "<a>", "<a></b>", "<a b></a>", "<a>&x;</a>", "<a>&", "</a>", "<>", "<a b='", bomb, &deep]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[<>/&;a:'\"= !\\[\\]\\-?#xä]{0,60}") {
            let _ = read(&text);
        }
    }
}
