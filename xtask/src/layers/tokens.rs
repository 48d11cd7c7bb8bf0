//! Finds the paths inside macro calls and attributes, whose syntax only the macro knows.

use proc_macro2::{TokenStream, TokenTree};
use syn::LitStr;

/// A path as it is written, `$crate` as `crate`, and the line of its first name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) line: usize,
    pub(super) names: Vec<String>,
}

/// Every path of at least two names in `tokens`, and in strings: attributes such as serde's contain
/// paths in strings.
pub(super) fn paths(tokens: &TokenStream) -> Vec<Written> {
    let mut found = Vec::new();
    collect(tokens.clone(), &mut found);
    found
}

fn collect(tokens: TokenStream, found: &mut Vec<Written>) {
    let mut tokens = tokens.into_iter();
    // Whether the next name continues something: a path that is known, a field or a method.
    let mut continues = false;
    let mut colons = 0;
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(name) if !continues => {
                let mut path = Written { line: name.span().start().line, names: vec![name.to_string()] };
                let mut rest = tokens.clone();
                while is_colon(rest.next()) && is_colon(rest.next()) {
                    let Some(TokenTree::Ident(name)) = rest.next() else { break };
                    path.names.push(name.to_string());
                    tokens = rest.clone();
                }
                if path.names.len() > 1 {
                    found.push(path);
                }
                (continues, colons) = (false, 0);
            }
            TokenTree::Ident(_) => (continues, colons) = (false, 0),
            TokenTree::Punct(mark) => {
                colons = if mark.as_char() == ':' { colons + 1 } else { 0 };
                // After `..`, which is a range, a path may begin.
                continues = colons == 2 || (mark.as_char() == '.' && !continues);
            }
            TokenTree::Group(group) => {
                collect(group.stream(), found);
                (continues, colons) = (false, 0);
            }
            TokenTree::Literal(literal) => {
                (continues, colons) = (false, 0);
                let line = literal.span().start().line;
                if let Ok(text) = syn::parse_str::<LitStr>(&literal.to_string()) {
                    found.extend(path_in_string(&text.value()).map(|names| Written { line, names }));
                }
            }
        }
    }
}

fn is_colon(token: Option<TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Punct(mark)) if mark.as_char() == ':')
}

fn path_in_string(text: &str) -> Option<Vec<String>> {
    let names: Vec<String> = text.split("::").map(str::to_owned).collect();
    let is_name = |name: &String| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    (matches!(names[0].as_str(), "crate" | "super" | "self") && names.len() > 1 && names.iter().all(is_name))
        .then_some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        paths(&text.parse().expect("the text has tokens")).into_iter().map(|path| path.names.join("::")).collect()
    }

    #[test]
    fn paths_are_found_wherever_they_are() {
        assert_eq!(found("x, crate::a::B { y: super::c() }, 0..self::d::E"), ["crate::a::B", "super::c", "self::d::E"]);
        assert_eq!(found("$crate::a::b!($x) f::<crate::c::D>()"), ["crate::a::b", "crate::c::D"]);
    }

    #[test]
    fn fields_and_absolute_paths_are_ignored() {
        assert_eq!(found("x.a::<u8>() ::std::fmt x . b"), [""; 0]);
    }

    #[test]
    fn a_string_may_name_a_function() {
        assert_eq!(found(r#"with = "crate::a::b", rename = "crate", text = "crate::a is good""#), ["crate::a::b"]);
    }
}
