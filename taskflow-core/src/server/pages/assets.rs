//! The static files of the pages, in the binary.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

/// A static file. Its address changes with its content, so that browsers may keep it for ever.
pub(crate) struct Asset {
    /// The address below the base path, such as `/static/1f2e3d4c5b6a/app.css`.
    pub(crate) address: String,
    /// The value of `Content-Type`.
    pub(crate) media_type: &'static str,
    pub(crate) content: &'static [u8],
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
/// with these words, and no regular expression with a space or a quotation mark.
fn stripped(script: &str) -> String {
    const SIGNS: &str = "=+-*/<>?:;,(){}[]!&|\n";

    let lines = script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    let text: String = lines.flat_map(|line| [line, "\n"]).collect();
    let mut stripped = String::with_capacity(text.len());
    // What is open: texts by their quotation marks, code in braces.
    let mut open: Vec<char> = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(sign) = rest.next() {
        let quotation = open.last().copied().filter(|open| *open != '{');
        match (quotation, sign) {
            (Some(_), '\\') => {
                stripped.push(sign);
                stripped.extend(rest.next());
                continue;
            }
            (Some('`'), '$') if rest.peek() == Some(&'{') => {
                open.push('{');
                stripped.push(sign);
                stripped.extend(rest.next());
                continue;
            }
            (Some(quotation), _) if quotation == sign => drop(open.pop()),
            (Some(_), _) => {}
            (None, '"' | '`' | '{') => open.push(sign),
            (None, '}') => drop(open.pop()),
            (None, ' ') => {
                let is_sign = |sign: Option<char>| sign.is_some_and(|sign| SIGNS.contains(sign));
                let (before, after) = (stripped.chars().next_back(), rest.peek().copied());
                // `a - -b` is not `a--b`.
                if (is_sign(before) || is_sign(after)) && before != after {
                    continue;
                }
            }
            (None, '\n') if stripped.ends_with([';', '{', ',', '(']) => continue,
            (None, _) => {}
        }
        stripped.push(sign);
    }
    stripped.replace("const ", "let ").replace("const{", "let{").replace("const[", "let[")
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
    Asset { address: format!("/static/{hash}/{name}"), media_type, content }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_stripped_of_what_only_its_readers_need() {
        let script = r#"
            // A comment.
            const words = count => `${count} ${count === 1 ? "a  b" : `c, ${ d }`} = `;
            if (a - -b) { return "\" + "; }
            else call(1, [2, 3]);
        "#;
        let expected = r#"let words=count=>`${count} ${count===1?"a  b":`c, ${d}`} = `;if(a- -b){return "\" + ";}else call(1,[2,3]);"#;
        assert_eq!(stripped(script), expected.replace("}else", "}\nelse"));
    }
}
