//! The pattern of an arm: what it binds, what it is called, and what it cannot have.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::punctuated::Punctuated;
use syn::token::Underscore;
use syn::{Ident, Pat, PatIdent, PatWild, Path, Token};

use crate::errors::Errors;

/// The pattern without what a branch cannot have, which is reported, and what it binds, in order.
pub(super) fn understand(pattern: Pat, errors: &mut Errors) -> (Pat, Vec<Ident>) {
    let mut pattern = match pattern {
        Pat::Guard(guarded) => {
            errors.on(
                &guarded.guard,
                "an arm of `branch!` has no guard: which arm is taken is stored and shown as the variant that the task \
                 returned; decide in the task, and return a variant of its own for this case",
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
                let message = format!("`{0}` is an `Output` in the arm: bind it as `{0}` alone", binding.ident);
                modifier.into_iter().for_each(|modifier| errors.on(modifier, &message));
            }
            if is_binding(&binding.ident) && !bindings.contains(&binding.ident) {
                bindings.push(binding.ident.clone());
            }
            if let Some((_, inner)) = &mut binding.subpat {
                walk(inner, bindings, errors);
            }
        }
        // Every case binds the same names.
        Pat::Or(or) => or.cases.iter_mut().for_each(|case| walk(case, bindings, errors)),
        Pat::Paren(paren) => walk(&mut paren.pat, bindings, errors),
        Pat::Reference(reference) => walk(&mut reference.pat, bindings, errors),
        Pat::Slice(slice) => slice.elems.iter_mut().for_each(|item| walk(item, bindings, errors)),
        Pat::Tuple(tuple) => tuple.elems.iter_mut().for_each(|item| walk(item, bindings, errors)),
        Pat::TupleStruct(variant) => variant.elems.iter_mut().for_each(|item| walk(item, bindings, errors)),
        Pat::Struct(variant) => variant.fields.iter_mut().for_each(|field| walk(&mut field.pat, bindings, errors)),
        Pat::Macro(written) => {
            errors.on(written, "what a macro binds cannot be seen by `branch!`: write the pattern out");
        }
        // Nothing is bound in these; what is no pattern of a `match`, the compiler reports.
        _ => {}
    }
}

/// What the pattern matches: with `_` in place of what it binds. So it can be held against a value that is only looked at, and
/// the compiler speaks of a missing variant as it is written.
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
            tuple.elems = parts(tuple.elems);
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

/// The items of a tuple; of one item it is a tuple because of its comma.
fn parts(items: Punctuated<Pat, Token![,]>) -> Punctuated<Pat, Token![,]> {
    let single = items.trailing_punct();
    let mut items: Punctuated<Pat, Token![,]> = items.into_iter().map(without_bindings).collect();
    if single {
        items.push_punct(<Token![,]>::default());
    }
    items
}

/// Whether a name alone binds the value, or is a variant that was imported, as `None` is. Both look the same here; the
/// compiler warns of those who are not written as Rust's names are.
fn is_binding(name: &Ident) -> bool {
    !name.unraw().to_string().starts_with(char::is_uppercase)
}

/// How the node of the arm is called, if the pattern says.
pub(super) fn label(pattern: &Pat) -> Option<String> {
    match pattern {
        Pat::Guard(guarded) => label(&guarded.pat),
        Pat::Ident(binding) => match &binding.subpat {
            Some((_, inner)) => label(inner).or_else(|| Some(binding.ident.unraw().to_string())),
            None => Some(binding.ident.unraw().to_string()),
        },
        Pat::Lit(literal) => {
            let text = literal.lit.to_token_stream().to_string();
            let legal = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-');
            (text.len() <= 40 && text.chars().all(legal)).then_some(text)
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
