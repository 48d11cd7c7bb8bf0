//! The other attributes of the function, and the text of its doc comment.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Expr, Lit, Meta};

/// The attributes of a function, grouped by the generated items that repeat them.
#[derive(Default)]
pub(crate) struct Attrs {
    /// Doc comments.
    pub(crate) docs: Vec<Attribute>,
    /// Repeated on every generated item: `allow`, `doc(hidden)`. The compiler has evaluated `cfg`
    /// already.
    pub(crate) shared: Vec<Attribute>,
    /// Repeated on the function that DAGs call: `deprecated`.
    pub(crate) callable: Vec<Attribute>,
    /// Everything else stays on the function with the body: `tracing::instrument`, `inline`,
    /// `expect`, ..
    pub(crate) body: Vec<Attribute>,
}

impl Attrs {
    pub(crate) fn sort(attrs: Vec<Attribute>) -> Self {
        let mut sorted = Attrs::default();
        for attr in attrs {
            let group = match attr.path().get_ident().map(ToString::to_string).as_deref() {
                Some("doc") if matches!(attr.meta, Meta::NameValue(_)) => &mut sorted.docs,
                Some("doc" | "allow") => &mut sorted.shared,
                Some("deprecated") => &mut sorted.callable,
                _ => &mut sorted.body,
            };
            group.push(attr);
        }
        sorted
    }

    /// The doc comment as an expression of type `&'static str`.
    pub(crate) fn doc_text(&self) -> TokenStream {
        let values = self.docs.iter().filter_map(|attr| match &attr.meta {
            Meta::NameValue(pair) => Some(&pair.value),
            Meta::Path(_) | Meta::List(_) => None,
        });
        let lines: Option<Vec<String>> = values
            .clone()
            .map(|value| match value {
                Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
                _ => None,
            })
            .collect();
        match lines {
            Some(lines) => {
                let text = dedent(&lines);
                quote!(#text)
            }
            // `#[doc = include_str!("..")]`: only the compiler knows the text.
            None => quote!(::core::concat!(#(#values, "\n"),*)),
        }
    }
}

/// Removes the space after `///`, the stars of `/** */` and surrounding blank lines. Each text is
/// one attribute.
fn dedent(texts: &[String]) -> String {
    let mut lines: Vec<String> = Vec::new();
    for text in texts {
        // In a block comment every line but the first starts with a star. A line comment has one
        // line.
        let starred = text.contains('\n') && text.lines().skip(1).all(|line| line.trim_start().starts_with('*'));
        for (number, line) in text.lines().map(str::trim_end).enumerate() {
            let line = match line.trim_start().strip_prefix('*') {
                Some(rest) if starred && number > 0 => rest,
                _ => line,
            };
            lines.push(line.strip_prefix(' ').unwrap_or(line).to_owned());
        }
        if text.is_empty() {
            lines.push(String::new());
        }
    }
    lines.join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dedented(texts: &[&str]) -> String {
        dedent(&texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn markup_is_removed_and_indentation_is_kept() {
        assert_eq!(dedented(&[]), "");
        assert_eq!(dedented(&[" One line."]), "One line.");
        assert_eq!(dedented(&[" First.", "", " Second:", "   indented"]), "First.\n\nSecond:\n  indented");
        assert_eq!(dedented(&[" * a list", " * of two"]), "* a list\n* of two");
        assert_eq!(dedented(&[" Starred\n * over\n *\n *   lines. "]), "Starred\nover\n\n  lines.");
        assert_eq!(dedented(&["\n A block\n without stars.\n"]), "A block\nwithout stars.");
    }
}
