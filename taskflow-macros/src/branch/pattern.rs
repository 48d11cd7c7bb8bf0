//! The pattern of an arm: its bindings, its label, and the rules for it.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::punctuated::Punctuated;
use syn::token::Underscore;
use syn::{Ident, Pat, PatIdent, PatWild, Path, Token};

use crate::errors::Errors;

/// Returns the pattern without its invalid parts, which are reported, and the names that it binds,
/// in order.
pub(super) fn validate(pattern: Pat, errors: &mut Errors) -> (Pat, Vec<Ident>) {
    let mut pattern = match pattern {
        Pat::Guard(guarded) => {
            errors.on(
                &guarded.guard,
                "an arm of `branch!` cannot have a guard, because the variant that the task returned selects the arm; decide \
                 in the task, and return another variant for this case",
            );
            *guarded.pat
        }
        pattern => pattern,
    };
    let mut bindings = Vec::new();
    walk(&mut pattern, &mut bindings, errors);
    (pattern, bindings)
}

fn walk(pattern: &mut Pat, bindings: &mut Vec<Ident>, errors: &mut Errors) {
    match pattern {
        Pat::Ident(binding) => {
            for modifier in [
                binding.by_ref.take().map(ToTokens::into_token_stream),
                binding.mutability.take().map(ToTokens::into_token_stream),
            ] {
                let message =
                    format!("`{0}` is an `Output` in the arm; write `{0}` without `ref` and `mut`", binding.ident);
                modifier.into_iter().for_each(|modifier| errors.on(modifier, &message));
            }
            if is_binding(&binding.ident) && !bindings.contains(&binding.ident) {
                bindings.push(binding.ident.clone());
            }
            if let Some((_, inner)) = &mut binding.subpat {
                walk(inner, bindings, errors);
            }
        }
        // Every alternative binds the same names.
        Pat::Or(or) => or.cases.iter_mut().for_each(|case| walk(case, bindings, errors)),
        Pat::Paren(paren) => walk(&mut paren.pat, bindings, errors),
        Pat::Reference(reference) => walk(&mut reference.pat, bindings, errors),
        Pat::Slice(slice) => slice.elems.iter_mut().for_each(|item| walk(item, bindings, errors)),
        Pat::Tuple(tuple) => tuple.elems.iter_mut().for_each(|item| walk(item, bindings, errors)),
        Pat::TupleStruct(variant) => variant.elems.iter_mut().for_each(|item| walk(item, bindings, errors)),
        Pat::Struct(variant) => variant.fields.iter_mut().for_each(|field| walk(&mut field.pat, bindings, errors)),
        Pat::Macro(written) => {
            errors.on(written, "`branch!` cannot see what a macro binds; write the pattern out");
        }
        // These bind nothing. The compiler reports what is not a valid pattern.
        _ => {}
    }
}

/// The pattern with `_` in place of its bindings, so that it can match a value without moving it.
/// The compiler reports a missing variant as it is written.
pub(super) fn without_bindings(pattern: Pat) -> Pat {
    match pattern {
        Pat::Ident(PatIdent { subpat: Some((_, inner)), .. }) => without_bindings(*inner),
        Pat::Ident(binding) if is_binding(&binding.ident) => {
            Pat::Wild(PatWild { attrs: Vec::new(), underscore_token: Underscore(binding.ident.span()) })
        }
        Pat::Or(mut or) => {
            or.cases = or.cases.into_iter().map(without_bindings).collect();
            Pat::Or(or)
        }
        Pat::Paren(mut paren) => {
            paren.pat = Box::new(without_bindings(*paren.pat));
            Pat::Paren(paren)
        }
        Pat::Reference(mut reference) => {
            reference.pat = Box::new(without_bindings(*reference.pat));
            Pat::Reference(reference)
        }
        Pat::Slice(mut slice) => {
            slice.elems = slice.elems.into_iter().map(without_bindings).collect();
            Pat::Slice(slice)
        }
        Pat::Tuple(mut tuple) => {
            tuple.elems = items(tuple.elems);
            Pat::Tuple(tuple)
        }
        Pat::TupleStruct(mut variant) => {
            variant.elems = variant.elems.into_iter().map(without_bindings).collect();
            Pat::TupleStruct(variant)
        }
        Pat::Struct(mut variant) => {
            for field in &mut variant.fields {
                let inner = std::mem::replace(&mut *field.pat, Pat::Verbatim(TokenStream::new()));
                // `{ rows }` becomes `{ rows: _ }`.
                field.colon_token.get_or_insert_with(Default::default);
                *field.pat = without_bindings(inner);
            }
            Pat::Struct(variant)
        }
        other => other,
    }
}

/// The items of a tuple. Keeps the trailing comma, without which one item is not a tuple.
fn items(items: Punctuated<Pat, Token![,]>) -> Punctuated<Pat, Token![,]> {
    let single = items.trailing_punct();
    let mut items: Punctuated<Pat, Token![,]> = items.into_iter().map(without_bindings).collect();
    if single {
        items.push_punct(<Token![,]>::default());
    }
    items
}

/// Whether a plain name is a binding, rather than an imported variant such as `None`. The only
/// difference is the case of the first letter; the compiler warns about names that do not follow
/// the convention.
fn is_binding(name: &Ident) -> bool {
    !name.unraw().to_string().starts_with(char::is_uppercase)
}

/// The label of the arm's node, if the pattern has one.
pub(super) fn label(pattern: &Pat) -> Option<String> {
    match pattern {
        Pat::Guard(guarded) => label(&guarded.pat),
        Pat::Ident(binding) => match &binding.subpat {
            Some((_, inner)) => label(inner).or_else(|| Some(binding.ident.unraw().to_string())),
            None => Some(binding.ident.unraw().to_string()),
        },
        Pat::Lit(literal) => {
            let text = literal.lit.to_token_stream().to_string();
            let valid = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-');
            (text.len() <= 40 && text.chars().all(valid)).then_some(text)
        }
        Pat::Or(or) => {
            let labels: Option<Vec<String>> = or.cases.iter().map(label).collect();
            labels.map(|labels| labels.join("_or_")).filter(|label| label.len() <= 80)
        }
        Pat::Paren(paren) => label(&paren.pat),
        Pat::Path(path) => last(&path.path),
        Pat::Reference(reference) => label(&reference.pat),
        Pat::Struct(variant) => last(&variant.path),
        Pat::TupleStruct(variant) => last(&variant.path),
        Pat::Wild(_) => Some("otherwise".to_owned()),
        _ => None,
    }
}

fn last(path: &Path) -> Option<String> {
    path.segments.last().map(|segment| segment.ident.unraw().to_string())
}
