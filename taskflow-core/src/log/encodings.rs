//! Finds registered secrets in a text that contains them encoded: percent-encoded as in a URL or a
//! form, escaped as in JSON, also JSON inside JSON.
//!
//! The text is decoded instead of the secrets being encoded, because an encoder may choose which
//! characters it encodes, and in which case. Each byte of a decoded text knows where it comes from.

use std::ops::Range;

/// How often a text is decoded: JSON inside JSON that is printed as JSON is three times escaped.
const DEPTH: usize = 3;
/// The most decoded texts of one text.
const MOST: usize = 12;
/// A longer text is decoded in parts of this size, which bounds the memory.
const PART: usize = 64 << 10;

/// A decoded text.
struct Decoded {
    bytes: Vec<u8>,
    /// For each byte, and for the end: its offset in the original text.
    origins: Vec<usize>,
}

/// Adds the ranges of the text that contain a secret in an encoded form.
pub(super) fn encoded(text: &str, secrets: &[String], found: &mut Vec<Range<usize>>) {
    let signs: &[char] = match secrets.iter().any(|secret| secret.contains(' ')) {
        true => &['%', '\\', '+'],
        false => &['%', '\\'],
    };
    if !text.contains(signs) {
        return;
    }
    // An encoded character has at most six bytes for each of its own: no secret is lost between two
    // parts.
    let overlap = 6 * secrets.iter().map(String::len).max().unwrap_or(0);
    let mut start = 0;
    loop {
        let end = text.ceil_char_boundary((start + PART + overlap).min(text.len()));
        let part = &text[start..end];
        if part.contains(signs) {
            search(part, start, secrets, found);
        }
        if end == text.len() {
            return;
        }
        start = text.floor_char_boundary(end - overlap);
    }
}

/// The same for a part of a text that begins at this offset.
fn search(part: &str, offset: usize, secrets: &[String], found: &mut Vec<Range<usize>>) {
    let original = Decoded { bytes: part.as_bytes().to_vec(), origins: (offset..=offset + part.len()).collect() };
    let (mut from, mut texts) = (0, vec![original]);
    for _ in 0..DEPTH {
        let level = from..texts.len();
        from = texts.len();
        for place in level {
            let decoders: [fn(&Decoded) -> Option<Decoded>; 3] = [percent, form, unescaped];
            for decode in decoders {
                if texts.len() < MOST
                    && let Some(decoded) = decode(&texts[place])
                    && texts.iter().all(|known| known.bytes != decoded.bytes)
                {
                    texts.push(decoded);
                }
            }
        }
    }
    for decoded in &texts[1..] {
        for secret in secrets {
            decoded.find(secret.as_bytes(), found);
        }
    }
}

impl Decoded {
    /// Adds the original ranges of a secret.
    fn find(&self, secret: &[u8], found: &mut Vec<Range<usize>>) {
        let Some(&first) = secret.first() else { return };
        let mut from = 0;
        while let Some(at) = self.bytes[from..].iter().position(|&byte| byte == first) {
            let start = from + at;
            if self.bytes[start..].starts_with(secret) {
                found.push(self.origins[start]..self.origins[start + secret.len()]);
            }
            from = start + 1;
        }
    }

    /// Decodes what `decode` recognises at the beginning of a slice: the decoded bytes, and how
    /// many bytes they replace. `None` if nothing changes.
    fn with(&self, decode: impl Fn(&[u8]) -> Option<(Vec<u8>, usize)>) -> Option<Decoded> {
        let mut decoded = Decoded { bytes: Vec::new(), origins: Vec::new() };
        let (mut at, mut changed) = (0, false);
        while at < self.bytes.len() {
            let (bytes, length) = match decode(&self.bytes[at..]) {
                Some(found) => {
                    changed = true;
                    found
                }
                None => (vec![self.bytes[at]], 1),
            };
            decoded.origins.extend(std::iter::repeat_n(self.origins[at], bytes.len()));
            decoded.bytes.extend(bytes);
            at += length;
        }
        decoded.origins.push(self.origins[at]);
        changed.then_some(decoded)
    }
}

/// Decodes `%40`.
fn percent(text: &Decoded) -> Option<Decoded> {
    text.with(|rest| match rest {
        [b'%', high, low, ..] => Some((vec![hex(*high)? << 4 | hex(*low)?], 3)),
        _ => None,
    })
}

/// Decodes `%40` and `+`.
fn form(text: &Decoded) -> Option<Decoded> {
    text.with(|rest| match rest {
        [b'%', high, low, ..] => Some((vec![hex(*high)? << 4 | hex(*low)?], 3)),
        [b'+', ..] => Some((vec![b' '], 1)),
        _ => None,
    })
}

/// Decodes the escape sequences of JSON and of Rust's `{:?}`.
fn unescaped(text: &Decoded) -> Option<Decoded> {
    text.with(|rest| {
        let [b'\\', sign, behind @ ..] = rest else { return None };
        let plain = |byte| Some((vec![byte], 2));
        match sign {
            b'n' => plain(b'\n'),
            b'r' => plain(b'\r'),
            b't' => plain(b'\t'),
            b'b' => plain(8),
            b'f' => plain(12),
            b'0' => plain(0),
            b'"' | b'\'' | b'\\' | b'/' => plain(*sign),
            b'x' => Some((vec![hex(*behind.first()?)? << 4 | hex(*behind.get(1)?)?], 4)),
            b'u' => unicode(behind).map(|(c, length)| (c.to_string().into_bytes(), 2 + length)),
            _ => None,
        }
    })
}

/// The character that `1f600`, `{1f600}` or a pair of surrogates stands for, and their length.
fn unicode(text: &[u8]) -> Option<(char, usize)> {
    let number = |digits: &[u8]| digits.iter().try_fold(0_u32, |sum, digit| Some(sum << 4 | u32::from(hex(*digit)?)));
    if let [b'{', inside @ ..] = text {
        let length = inside.iter().take(7).position(|&byte| byte == b'}')?;
        return Some((char::from_u32(number(&inside[..length])?)?, length + 2));
    }
    let first = number(text.get(..4)?)?;
    if let 0xd800..0xdc00 = first
        && let Some([b'\\', b'u', digits @ ..]) = text.get(4..10)
        && let Some(second @ 0xdc00..0xe000) = number(digits)
    {
        return Some((char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))?, 10));
    }
    Some((char::from_u32(first)?, 4))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// The whole secret in base64: with the usual alphabet and that of URLs, without padding.
pub(crate) fn base64(secret: &[u8]) -> [String; 2] {
    let encode = |last: &[u8; 2]| {
        let letter = |bits: u32| match (bits & 63) as u8 {
            value @ 0..26 => char::from(b'A' + value),
            value @ 26..52 => char::from(b'a' + value - 26),
            value @ 52..62 => char::from(b'0' + value - 52),
            value => char::from(last[usize::from(value - 62)]),
        };
        let mut text = String::with_capacity(secret.len().div_ceil(3) * 4);
        for chunk in secret.chunks(3) {
            let bits = (0..3).fold(0, |bits, place| bits << 8 | u32::from(chunk.get(place).copied().unwrap_or(0)));
            text.extend((0..=chunk.len()).map(|place| letter(bits >> (18 - 6 * place))));
        }
        text
    };
    [encode(b"+/"), encode(b"-_")]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str, secret: &str) -> String {
        let mut found = Vec::new();
        encoded(text, &[secret.to_owned()], &mut found);
        super::super::redact::replace(text, found)
    }

    #[test]
    fn percent_encoding_is_read_in_either_case_and_of_any_characters() {
        for text in ["p!ss%40w0rd%2F", "p%21ss%40w0rd%2f", "%70%21%73s@w0rd/", "p!ss%2540w0rd%252F"] {
            assert_eq!(masked(&format!("at {text}."), "p!ss@w0rd/"), "at ***.");
        }
        assert_eq!(masked("q=correct+horse%2B&n=1", "correct horse+"), "q=***&n=1");
    }

    #[test]
    fn escapes_are_read_to_any_usual_depth() {
        let secret = "say \"frïend\"\n👍";
        let mut text = secret.to_owned();
        for _ in 0..3 {
            text = serde_json::to_string(&text).unwrap();
            let quotes = text.len() - text.trim_start_matches(['\\', '"']).len();
            let shown = masked(&text, secret);
            assert!(shown.contains("***") && !shown.contains("say"), "{quotes} {text}: {shown}");
        }
        assert_eq!(masked(r"s\u0061y \u0022fr\u00efend\u0022\n\ud83d\udc4d!", secret), "***!");
        assert_eq!(masked(&format!("{:?}", secret.escape_debug().to_string()), secret), "\"***\"");
    }

    #[test]
    fn text_that_only_looks_encoded_stays() {
        for text in ["100 %", r"C:\new\u12", "a+b", "%zz%4", r"\", r"\ud83d\u0041", r"\u{123456789}"] {
            assert_eq!(masked(text, "secret"), text);
        }
    }

    #[test]
    fn a_secret_is_found_wherever_a_long_text_is_divided() {
        for before in (PART - 40..PART + 40).chain([0, 1, 3 * PART]) {
            let text = format!("{}p%21ss%40w%C3%B6rd{}", "ü".repeat(before / 2), "x".repeat(PART));
            let shown = masked(&text, "p!ss@wörd");
            assert_eq!(shown.len(), text.len() - "p%21ss%40w%C3%B6rd".len() + 3, "{before}");
        }
    }

    #[test]
    fn base64_has_no_padding() {
        assert_eq!(base64(b"login:p?ss>"), ["bG9naW46cD9zcz4", "bG9naW46cD9zcz4"]);
        assert_eq!(base64(&[0xfb, 0xff, 0xfe, 0xff]), ["+//+/w", "-__-_w"]);
        assert_eq!(base64(b""), ["", ""]);
    }
}
