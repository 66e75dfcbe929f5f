//! HTML, written so that nothing from an execution can be markup: names of elements and attributes are texts of the program, and
//! every other text is escaped, with its control characters shown.

use asl_render::visible;

/// Attributes of an element.
pub(super) type Attributes<'a> = &'a [(&'static str, &'a str)];

/// A piece of a page.
#[derive(Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// A text.
    pub(super) fn text(&mut self, text: &str) -> &mut Html {
        escape(&mut self.0, text);
        self
    }

    /// An element with what `inside` writes.
    pub(super) fn tag(
        &mut self,
        name: &'static str,
        with: Attributes<'_>,
        inside: impl FnOnce(&mut Html),
    ) -> &mut Html {
        self.open(name, with);
        inside(self);
        self.0.extend(["</", name, ">"]);
        self
    }

    /// An element with a text.
    pub(super) fn leaf(&mut self, name: &'static str, with: Attributes<'_>, text: &str) -> &mut Html {
        self.tag(name, with, |h| {
            h.text(text);
        })
    }

    /// An element without content: `input`, `meta`.
    pub(super) fn void(&mut self, name: &'static str, with: Attributes<'_>) -> &mut Html {
        self.open(name, with);
        self
    }

    /// A link.
    pub(super) fn link(&mut self, href: &str, text: &str) -> &mut Html {
        self.leaf("a", &[("href", href)], text)
    }

    /// Another piece.
    pub(super) fn put(&mut self, piece: &Html) -> &mut Html {
        self.0.push_str(&piece.0);
        self
    }

    /// A picture of `asl-render`, which escapes as this does.
    pub(super) fn svg(&mut self, picture: &str) -> &mut Html {
        self.0.push_str(picture);
        self
    }

    /// A document.
    pub(super) fn document(self) -> String {
        format!("<!doctype html>\n{}", self.0)
    }

    fn open(&mut self, name: &'static str, with: Attributes<'_>) {
        self.0.extend(["<", name]);
        for (attribute, value) in with {
            self.0.extend([" ", attribute, "=\""]);
            escape(&mut self.0, value);
            self.0.push('"');
        }
        self.0.push('>');
    }
}

/// Writes a text as HTML's text and attribute value alike.
fn escape(out: &mut String, text: &str) {
    for c in visible(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_elsewhere_is_markup() {
        let mut html = Html::default();
        html.leaf("a", &[("title", "\"'><script>")], "</a><b>\u{1b}[31m\u{202e}&");
        let expected = "<!doctype html>\n<a title=\"&quot;&#39;&gt;&lt;script&gt;\">&lt;/a&gt;&lt;b&gt;\\u001b[31m\\u202e&amp;</a>";
        assert_eq!(html.document(), expected);
    }
}
