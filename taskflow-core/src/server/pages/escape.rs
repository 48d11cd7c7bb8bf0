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
    fn a_segment_cannot_leave_its_place() {
        assert_eq!(segment("fetch[3]/../x?y#z"), "fetch%5B3%5D%2F..%2Fx%3Fy%23z");
        assert_eq!(segment(".."), "%2E%2E");
    }
}
