//! Finds secrets by their context: `password=..`, `"token": ".."`, `https://user:..@host`.
//!
//! These are heuristics, not a guarantee: a secret without such a context is found only if it was
//! registered with [`mask`](super::mask). When in doubt, they redact too much rather than too
//! little.

use std::ops::Range;

/// Parts of names that mark a secret, in lower case and without `_` and `-`.
const SECRET_NAMES: [&str; 10] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "authorization",
    "privatekey",
    "credential",
    "accesskey",
];

/// Schemes that precede the secret in the value of an `Authorization` header.
const SCHEMES: [&str; 5] = ["bearer", "basic", "digest", "negotiate", "token"];

/// Whether a field of this name holds a secret. Ignores case, `_` and `-`: `DB_PASSWORD`, `apiKey`,
/// `X-Api-Key`.
pub(super) fn is_secret_name(name: &str) -> bool {
    (0..name.len()).any(|start| SECRET_NAMES.iter().any(|secret| starts_with(&name.as_bytes()[start..], secret)))
}

fn starts_with(name: &[u8], secret: &str) -> bool {
    let mut letters = name.iter().filter(|byte| !matches!(byte, b'_' | b'-')).map(u8::to_ascii_lowercase);
    secret.bytes().all(|expected| letters.next() == Some(expected))
}

/// Adds the ranges of the values in `name=value` and `name: value` whose name marks a secret.
pub(super) fn pairs(text: &str, found: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    let mut seen = 0;
    for (at, _) in text.match_indices(['=', ':']) {
        let path = bytes[at] == b':' && (bytes.get(at + 1) == Some(&b':') || (at > 0 && bytes[at - 1] == b':'));
        if at < seen || path || !is_secret_name(name_before(&text[..at])) {
            continue;
        }
        let value = value_after(text, at + 1);
        if !value.is_empty() {
            seen = value.end;
            found.push(value);
        }
    }
}

/// The name that ends there, without surrounding quotes.
fn name_before(text: &str) -> &str {
    let text = text.trim_end_matches([' ', '\t']).trim_end_matches(['"', '\'', '`', '\\', ']']);
    let start = text.rfind(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.')));
    // The character may be several bytes long.
    start.map_or(text, |start| {
        text[start..].trim_start_matches(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))
    })
}

/// The value that starts there, without surrounding quotes; empty if there is none.
fn value_after(text: &str, from: usize) -> Range<usize> {
    let skip = |at: usize, skipped: &[char]| text.len() - text[at..].trim_start_matches(skipped).len();
    let mut start = skip(from, &[' ', '\t', '=', '>']);
    // `Some("..")`, and newtypes around a text.
    while let Some(inside) = after_constructor(&text[start..]) {
        start += inside;
    }
    let rest = &text[start..];
    if let Some(open @ ('[' | '{')) = rest.chars().next() {
        return start..start + matching_bracket(rest, open);
    }
    let quote = rest.trim_start_matches('\\');
    if let Some(mark @ ('"' | '\'' | '`')) = quote.chars().next() {
        let opening = rest.len() - quote.len() + mark.len_utf8();
        let escaped = opening > 1;
        let inside = start + opening;
        return inside..inside + closing_quote(&text[inside..], mark, escaped);
    }
    let mut end = start + word(rest);
    if SCHEMES.iter().any(|scheme| text[start..end].eq_ignore_ascii_case(scheme)) {
        let next = skip(end, &[' ', '\t']);
        if next > end {
            end = next + word(&text[next..]);
        }
    }
    start..end
}

/// The offset after the `Some(` at the beginning of a text.
fn after_constructor(text: &str) -> Option<usize> {
    let name = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))?;
    (name > 0 && text[name..].starts_with('(')).then_some(name + 1)
}

/// The length of the bracket expression at the beginning of a text.
fn matching_bracket(text: &str, open: char) -> usize {
    let close = if open == '[' { ']' } else { '}' };
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        if c == open {
            depth += 1;
        } else if c == close {
            depth -= 1;
            if depth == 0 {
                return at + 1;
            }
        }
    }
    text.len()
}

/// The length of the text before the closing quote. If the quotes are escaped themselves, any quote
/// closes.
fn closing_quote(text: &str, mark: char, escaped: bool) -> usize {
    let mut backslashes = 0;
    for (at, c) in text.char_indices() {
        match c {
            '\\' => backslashes += 1,
            _ if c == mark && (escaped || backslashes % 2 == 0) => {
                return if escaped { at - backslashes.min(at) } else { at };
            }
            _ => backslashes = 0,
        }
    }
    text.len()
}

/// The length of the word at the beginning of a text.
fn word(text: &str) -> usize {
    let ends = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '&' | ')' | ']' | '}' | '"' | '\'' | '`');
    text.find(ends).unwrap_or(text.len())
}

/// Adds the ranges of the passwords in URLs.
pub(super) fn urls(text: &str, found: &mut Vec<Range<usize>>) {
    for (at, separator) in text.match_indices("://") {
        let start = at + separator.len();
        let rest = &text[start..];
        let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>');
        let url = &rest[..rest.find(ends).unwrap_or(rest.len())];
        let authority = &url[..url.find(['/', '?', '#']).unwrap_or(url.len())];
        // A password may contain an unescaped slash, unless what follows the colon is a port.
        let login = authority.rfind('@').or_else(|| url.rfind('@').filter(|_| !has_port(authority)));
        let Some(login) = login else { continue };
        let name = url[..login].find(':').filter(|colon| *colon < authority.len());
        if let Some(colon) = name
            && colon + 1 < login
        {
            found.push(start + colon + 1..start + login);
        }
    }
}

fn has_port(authority: &str) -> bool {
    authority.rsplit_once(':').is_none_or(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
}
