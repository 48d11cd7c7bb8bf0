//! Syntactic queries about types.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{GenericArgument, PathArguments, PathSegment, Type};

/// The type inside parentheses and the invisible groups that a `macro_rules!` macro leaves around
/// its fragments.
pub(crate) fn ungroup(mut ty: &Type) -> &Type {
    loop {
        ty = match ty {
            Type::Group(group) => &group.elem,
            Type::Paren(paren) => &paren.elem,
            _ => return ty,
        };
    }
}

/// The last segment of a path: `Result<T>` for `std::io::Result<T>`.
pub(crate) fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ungroup(ty) {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    }
}

/// Whether the type is a path whose last segment is `name`.
pub(crate) fn is_named(ty: &Type, name: &str) -> bool {
    last_segment(ty).is_some_and(|segment| segment.ident == name)
}

/// The types between the angle brackets.
pub(crate) fn type_arguments(segment: &PathSegment) -> Vec<&Type> {
    match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => arguments
            .args
            .iter()
            .filter_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// A part of a type that data passed between tasks cannot have.
pub(crate) enum Unsupported {
    /// `&`
    Reference(TokenStream),
    /// A lifetime other than `'static`.
    Lifetime(TokenStream),
    /// `impl`
    Impl(TokenStream),
    /// `_`
    Infer(TokenStream),
    /// A generic parameter of the function.
    Generic,
}

/// The first unsupported part of `ty`.
pub(crate) fn find_unsupported(ty: &Type, generics: &[Ident]) -> Option<Unsupported> {
    scan(ty.to_token_stream(), generics)
}

fn scan(tokens: TokenStream, generics: &[Ident]) -> Option<Unsupported> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (position, token) in tokens.iter().enumerate() {
        let rest = || operand(&tokens[position..]);
        match token {
            TokenTree::Group(group) => {
                if let Some(unsupported) = scan(group.stream(), generics) {
                    return Some(unsupported);
                }
            }
            TokenTree::Punct(punct) if punct.as_char() == '&' => return Some(Unsupported::Reference(rest())),
            TokenTree::Punct(punct) if punct.as_char() == '\'' => {
                if let Some(TokenTree::Ident(name)) = tokens.get(position + 1)
                    && name != "static"
                {
                    let declared = generics.contains(name);
                    return Some(if declared {
                        Unsupported::Generic
                    } else {
                        Unsupported::Lifetime(quote!(#token #name))
                    });
                }
            }
            TokenTree::Ident(ident) if ident == "impl" => return Some(Unsupported::Impl(rest())),
            TokenTree::Ident(ident) if ident == "_" => return Some(Unsupported::Infer(ident.to_token_stream())),
            TokenTree::Ident(ident) if generics.contains(ident) => return Some(Unsupported::Generic),
            TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
    None
}

/// The tokens up to the end of this part of the type: a comma, or the `>` of an enclosing `<`.
fn operand(tokens: &[TokenTree]) -> TokenStream {
    let mut depth = 0i32;
    let mut last_was_minus = false;
    tokens
        .iter()
        .take_while(|token| {
            let TokenTree::Punct(punct) = token else { return true };
            match punct.as_char() {
                '<' => depth += 1,
                // But not the arrow of `Fn() -> T`.
                '>' if !last_was_minus => depth -= 1,
                _ => {}
            }
            last_was_minus = punct.as_char() == '-';
            depth >= 0 && !(depth == 0 && punct.as_char() == ',')
        })
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    fn kind(ty: &Type) -> String {
        match find_unsupported(ty, &[parse_quote!(T), parse_quote!(a)]) {
            Some(Unsupported::Reference(tokens)) => format!("reference {tokens}"),
            Some(Unsupported::Lifetime(tokens)) => format!("lifetime {tokens}"),
            Some(Unsupported::Impl(tokens)) => format!("impl {tokens}"),
            Some(Unsupported::Infer(_)) => "infer".to_owned(),
            Some(Unsupported::Generic) => "generic".to_owned(),
            None => "data".to_owned(),
        }
    }

    #[test]
    fn unsupported_parts_are_found_at_any_depth() {
        assert_eq!(kind(&parse_quote!(HashMap<String, Vec<(u32, [u8; 4])>>)), "data");
        assert_eq!(kind(&parse_quote!(Cow<'static, str>)), "data");
        assert_eq!(kind(&parse_quote!(Option<&str>)), "reference & str");
        assert_eq!(kind(&parse_quote!(Map<&Vec<u8>, u8>)), "reference & Vec < u8 >");
        assert_eq!(kind(&parse_quote!((u8, &[u8], u8))), "reference & [u8]");
        assert_eq!(kind(&parse_quote!(Cow<'_, str>)), "lifetime '_");
        assert_eq!(kind(&parse_quote!(Cow<'a, str>)), "generic");
        assert_eq!(kind(&parse_quote!(Vec<T>)), "generic");
        assert_eq!(kind(&parse_quote!(Vec<impl Fn(u8) -> u8>)), "impl impl Fn (u8) -> u8");
        assert_eq!(kind(&parse_quote!(Vec<_>)), "infer");
    }
}
