//! Where the function's other attributes go, and what its doc comment says.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Expr, Lit, Meta};

/// The attributes of a function, by where generated code repeats them.
#[derive(Default)]
pub(crate) struct Attrs {
    /// Doc comments.
    pub(crate) docs: Vec<Attribute>,
    /// What concerns every generated item: `allow`, `doc(hidden)`. The compiler has dealt with `cfg` before.
    pub(crate) shared: Vec<Attribute>,
    /// What concerns the callers in a DAG: `deprecated`.
    pub(crate) face: Vec<Attribute>,
    /// Everything else belongs to the function with the body: `tracing::instrument`, `inline`, `expect`, ..
    pub(crate) body: Vec<Attribute>,
}

impl Attrs {
    pub(crate) fn sort(attrs: Vec<Attribute>) -> Self {
        let mut sorted = Attrs::default();
        for attr in attrs {
            let place = match attr.path().get_ident().map(ToString::to_string).as_deref() {
                Some("doc") if matches!(attr.meta, Meta::NameValue(_)) => &mut sorted.docs,
                Some("doc" | "allow") => &mut sorted.shared,
                Some("deprecated") => &mut sorted.face,
                _ => &mut sorted.body,
            };
            place.push(attr);
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
                let text = dedent(&lines.join("\n"));
                quote!(#text)
            }
            // `#[doc = include_str!("..")]`: its text is known to the compiler only.
            None => quote!(::core::concat!(#(#values, "\n"),*)),
        }
    }
}

/// Takes off the one space after `///`, the stars of `/** */` and the blank lines around.
fn dedent(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let starred = lines.iter().skip(1).all(|line| line.trim_start().starts_with('*')) && lines.len() > 1;
    let strip = |line: &&str| -> String {
        let line = if starred { line.trim_start().trim_start_matches('*') } else { line };
        line.strip_prefix(' ').unwrap_or(line).to_owned()
    };
    lines.iter().map(strip).collect::<Vec<_>>().join("\n").trim().to_owned()
}
