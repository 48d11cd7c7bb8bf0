//! Doc comments as text for people who do not read the source.

use regex_lite::Regex;
use syn::{Attribute, Expr, ExprLit, Lit, Meta};

/// The first paragraph of a doc comment in one line, with the texts of its links.
pub(super) fn about(attrs: &[Attribute]) -> String {
    let lines = attrs.iter().filter(|attr| attr.path().is_ident("doc")).map_while(|attr| match &attr.meta {
        Meta::NameValue(pair) => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value().trim().to_owned()),
            _ => None,
        },
        Meta::Path(_) | Meta::List(_) => None,
    });
    without_links(&lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" "))
}

/// `[text](target)` and `` [`name`] `` become what is in the brackets.
fn without_links(text: &str) -> String {
    let replaced = |text: &str, pattern| match Regex::new(pattern) {
        Ok(pattern) => pattern.replace_all(text, "$1").into_owned(),
        Err(_) => text.to_owned(),
    };
    replaced(&replaced(text, r"\[([^\]]*)\]\((?:[^()]|\([^()]*\))*\)"), r"\[(`[^`\]]*`)\]")
}

/// `UpForRetry` as `up_for_retry`, as serde does it.
pub(super) fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for (at, letter) in name.char_indices() {
        if letter.is_uppercase() && at > 0 {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_become_their_texts() {
        assert_eq!(without_links("see [`runs`](super::runs()), [`Run`] and [a](b)."), "see `runs`, `Run` and a.");
    }

    #[test]
    fn names_are_those_of_serde() {
        assert_eq!(snake_case("UpForRetry"), "up_for_retry");
        assert_eq!(snake_case("None"), "none");
    }
}
