//! Makes text safe for a page.

use std::fmt::{self, Write};

use askama::filters::Escaper;

use crate::base::text::visible;

/// The escaper of every template: see `askama.toml`. A template cannot forget it.
///
/// It escapes HTML, and makes characters visible that control a terminal, turn the writing
/// direction or take no space.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PageText;

impl Escaper for PageText {
    fn write_escaped_str<W: Write>(&self, mut out: W, text: &str) -> fmt::Result {
        let text = visible(text);
        let mut rest = &*text;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            out.write_str(&rest[..at])?;
            out.write_str(match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&#34;",
                _ => "&#39;",
            })?;
            rest = &rest[at + 1..];
        }
        out.write_str(rest)
    }
}

/// A template as text. Writing to a string does not fail, and no template calls what can.
pub(crate) fn html(template: &impl askama::Template) -> String {
    let mut out = String::with_capacity(16 * 1024);
    let _ = template.render_into(&mut out);
    out
}

/// A sentence with code between backticks, as HTML: for the filter `safe` of templates.
#[derive(Clone, Debug)]
pub(crate) struct Sentence(String);

impl Sentence {
    pub(crate) fn new(text: &str) -> Sentence {
        let mut escaped = String::with_capacity(text.len());
        // Writing to a string does not fail.
        let _ = PageText.write_escaped_str(&mut escaped, text);
        if escaped.matches('`').count() % 2 == 1 {
            // One of them is a backtick of a message.
            return Sentence(escaped);
        }
        let parts = escaped.split('`').enumerate();
        Sentence(
            parts.map(|(at, part)| if at % 2 == 1 { format!("<code>{part}</code>") } else { part.into() }).collect(),
        )
    }
}

impl fmt::Display for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text as a segment of a path in an address.
pub(crate) fn segment(text: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~').remove(b'.');
    match text {
        // A browser would resolve them.
        "." => "%2E".to_owned(),
        ".." => "%2E%2E".to_owned(),
        text => utf8_percent_encode(text, KEPT).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str) -> String {
        let mut out = String::new();
        PageText.write_escaped_str(&mut out, text).unwrap();
        out
    }

    #[test]
    fn html_and_misleading_characters_are_escaped() {
        assert_eq!(escaped(r#"<a b="c" d='e'>&"#), "&lt;a b=&#34;c&#34; d=&#39;e&#39;&gt;&amp;");
        assert_eq!(escaped("a\u{202e}b\u{1b}[1m"), r"a\u{202e}b\u{1b}[1m");
        assert_eq!(escaped("größe 日本語"), "größe 日本語");
    }

    #[test]
    fn code_of_a_sentence_is_an_element_and_the_rest_is_text() {
        let html = |text: &str| Sentence::new(text).to_string();
        assert_eq!(html("`a<b>` failed, `c` did not"), "<code>a&lt;b&gt;</code> failed, <code>c</code> did not");
        assert_eq!(html("it said `<i>"), "it said `&lt;i&gt;");
    }

    #[test]
    fn a_segment_cannot_leave_its_place() {
        assert_eq!(segment("fetch[3]/../x?y#z"), "fetch%5B3%5D%2F..%2Fx%3Fy%23z");
        assert_eq!(segment(".."), "%2E%2E");
    }
}
