//! The static files of the pages, in the binary. Each is compressed once, when it is first needed.

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use sha2::{Digest, Sha256};

use super::gzip;
use crate::server::api::is_known;

/// A static file. Its address changes with its content, so that browsers may keep it for ever.
pub(crate) struct Asset {
    /// The address below the base path, such as `/static/1f2e3d4c5b6a/app.css`.
    pub(crate) address: String,
    /// The value of `Content-Type`.
    pub(crate) media_type: &'static str,
    pub(crate) content: &'static [u8],
    /// The content compressed, if that makes it smaller.
    gzip: Option<Vec<u8>>,
    /// The value of `ETag`, of the content and of the compressed content.
    tags: [String; 2],
}

/// The address of a static file changes with its content.
const KEEP: &str = "public, max-age=31536000, immutable";

impl Asset {
    /// The response to a request for it.
    pub(crate) fn answer(&'static self, request: &HeaderMap) -> Response {
        let is_small = gzip::is_accepted(request);
        let (content, tag) = match &self.gzip {
            Some(gzip) if is_small => (&**gzip, &*self.tags[1]),
            _ => (self.content, &*self.tags[0]),
        };
        let headers = [
            (header::CONTENT_TYPE, self.media_type),
            (header::CACHE_CONTROL, KEEP),
            (header::VARY, "Accept-Encoding"),
            (header::ETAG, tag),
        ];
        if is_known(request.get(header::IF_NONE_MATCH), tag) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        let mut response = (headers, content).into_response();
        if is_small && self.gzip.is_some() {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}

/// The style sheet.
pub(crate) static CSS: LazyLock<Asset> =
    LazyLock::new(|| asset("app.css", "text/css; charset=utf-8", include_bytes!("static/app.css")));

/// The style sheet of the graphs in pages.
pub(crate) static GRAPH_CSS: LazyLock<Asset> =
    LazyLock::new(|| asset("graph.css", "text/css; charset=utf-8", crate::render::svg_style_sheet().as_bytes()));

/// The script, without what only its readers need.
pub(crate) static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    static TEXT: LazyLock<String> = LazyLock::new(|| stripped(include_str!("static/app.js")));
    asset("app.js", "text/javascript; charset=utf-8", TEXT.as_bytes())
});

/// A script without the lines that are comments, without indentation, without the spaces beside
/// signs, and with `let` for `const`, which is shorter. The script has no text of several lines or
/// with these words, no regular expression with a space or a quotation mark, and no empty
/// statement.
fn stripped(script: &str) -> String {
    let lines = script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    let text: String = lines.flat_map(|line| [line, "\n"]).collect();
    let mut stripped = String::with_capacity(text.len());
    // What is open: texts by their quotation marks, code in braces.
    let mut open: Vec<char> = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(sign) = rest.next() {
        let quotation = open.last().copied().filter(|open| *open != '{');
        let is_code = quotation == Some('`') && sign == '$' && rest.peek() == Some(&'{');
        match quotation {
            Some(_) if is_code || sign == '\\' => {
                open.extend(is_code.then_some('{'));
                stripped.push(sign);
                stripped.extend(rest.next());
                continue;
            }
            Some(quotation) if quotation == sign => drop(open.pop()),
            None if "\"`{".contains(sign) => open.push(sign),
            None if sign == '}' => drop(open.pop()),
            None if is_needless(sign, stripped.chars().next_back(), rest.peek().copied()) => continue,
            _ => {}
        }
        stripped.push(sign);
    }
    let shorter = [(";}", "}"), ("const ", "let "), ("const{", "let{"), ("const[", "let[")];
    shorter.into_iter().fold(stripped, |text, (long, short)| text.replace(long, short))
}

/// Whether code means the same without a space or the end of a line between these two.
fn is_needless(space: char, before: Option<char>, after: Option<char>) -> bool {
    let is_sign = |sign: Option<char>| sign.is_some_and(|sign| "=+-*/<>?:;,(){}[]!&|\n".contains(sign));
    match space {
        // `a - -b` is not `a--b`.
        ' ' => (is_sign(before) || is_sign(after)) && (before != after || !matches!(before, Some('+' | '-'))),
        '\n' => matches!(before, Some(';' | '{' | ',' | '(')),
        _ => false,
    }
}

/// The icon of the tab.
pub(crate) static ICON: LazyLock<Asset> =
    LazyLock::new(|| asset("icon.svg", "image/svg+xml", include_bytes!("static/icon.svg")));

/// Every static file.
pub(crate) fn assets() -> [&'static Asset; 4] {
    [&CSS, &GRAPH_CSS, &SCRIPT, &ICON]
}

fn asset(name: &str, media_type: &'static str, content: &'static [u8]) -> Asset {
    let hash = Sha256::digest(content);
    let hash: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let gzip = gzip::compressed(content, Compression::best()).filter(|gzip| gzip.len() < content.len());
    let tags = [format!("\"{hash}\""), format!("\"{hash}-gzip\"")];
    Asset { address: format!("/static/{hash}/{name}"), media_type, content, gzip, tags }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_file_is_not_sent_again() {
        let of = |name: header::HeaderName, value: &str| {
            let value = HeaderValue::from_str(value).unwrap();
            CSS.answer(&HeaderMap::from_iter([(name, value)]))
        };
        let small = of(header::ACCEPT_ENCODING, "gzip");
        assert_eq!(small.headers()[header::CONTENT_ENCODING], "gzip");
        assert_eq!(small.headers()[header::VARY], "Accept-Encoding");
        let whole = CSS.answer(&HeaderMap::new());
        assert!(!whole.headers().contains_key(header::CONTENT_ENCODING));
        // They are different bytes.
        assert_ne!(small.headers()[header::ETAG], whole.headers()[header::ETAG]);
        let tag = whole.headers()[header::ETAG].to_str().unwrap();
        assert_eq!(of(header::IF_NONE_MATCH, tag).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(of(header::IF_NONE_MATCH, "\"another\"").status(), StatusCode::OK);
    }

    #[test]
    fn a_script_is_stripped_of_what_only_its_readers_need() {
        let script = r#"
            // A comment.
            const words = count => `${count} ${count === 1 ? "a  b" : `c, ${ d }`} = `;
            if (a - -b) { return "\" + "; } else call(1, [2, 3]);
        "#;
        let expected = r#"let words=count=>`${count} ${count===1?"a  b":`c, ${d}`} = `;if(a- -b){return "\" + "}else call(1,[2,3]);"#;
        assert_eq!(stripped(script), expected);
    }
}
