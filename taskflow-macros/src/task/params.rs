//! The parameters of a task: inputs and the context.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident};
use syn::spanned::Spanned;
use syn::{Attribute, FnArg, Ident, Pat, PatType, Type, parse_quote, parse_quote_spanned};

use super::model::{Input, Param, Passing};
use crate::crate_path;
use crate::errors::Errors;
use crate::spans;
use crate::types::{Unsupported, find_unsupported, is_named, last_segment, type_arguments, ungroup};

/// Reads the parameters. Removes their doc comments, which Rust does not allow on parameters.
/// `krate` is the path of the facade crate.
pub(super) fn read<'a>(
    args: impl Iterator<Item = &'a mut FnArg>,
    krate: &TokenStream,
    generics: &[Ident],
    errors: &mut Errors,
) -> Vec<Param> {
    let mut params = Vec::new();
    let mut has_context = false;
    for (position, arg) in args.enumerate() {
        let FnArg::Typed(arg) = arg else { continue };
        arg.attrs.retain(|attr| !attr.path().is_ident("doc"));
        check_attributes(&mut arg.attrs, errors);
        let before = errors.len();
        let param = read_one(arg, position, krate, generics, errors);
        let generic = matches!(find_unsupported(&arg.ty, generics), Some(Unsupported::Generic));
        if matches!(param, Param::Context) && std::mem::replace(&mut has_context, true) {
            errors.on(&*arg, "a task has only one context; remove this second one");
        }
        params.push(if errors.len() > before || generic { Param::Invalid(name_of(arg, position)) } else { param });
    }
    params
}

fn read_one(arg: &PatType, position: usize, krate: &TokenStream, generics: &[Ident], errors: &mut Errors) -> Param {
    let name = match plain_name(&arg.pat) {
        Some(name) => name.clone(),
        // The name of the context is not used.
        None if is_context(&arg.ty) => name_of(arg, position),
        None => {
            let hint = match &*arg.pat {
                Pat::Wild(_) => "; write `_name` for an unused one",
                _ => "; destructure it in the body",
            };
            errors.on(&arg.pat, format!("a parameter of a task needs a name, which the graph shows{hint}"));
            name_of(arg, position)
        }
    };
    let input = |ty: Type, passing: Passing| Param::Input(Input { name: name.clone(), ty: Box::new(ty), passing });
    match ungroup(&arg.ty) {
        Type::Reference(reference) => {
            if let Some(mutability) = &reference.mutability {
                let tokens = [reference.and_token.to_token_stream(), mutability.to_token_stream()];
                errors.on(
                    tokens.into_iter().collect::<TokenStream>(),
                    "a task cannot change its input in place, because other tasks may read the same value\n\
                     take it by value (`mut x: T`), change it and return it",
                );
                return input(arg.ty.as_ref().clone(), Passing::Reference);
            }
            if let Some(lifetime) = &reference.lifetime
                && !generics.contains(&lifetime.ident)
            {
                let what = reference.elem.to_token_stream();
                errors.on(lifetime, format!("an input is borrowed only for the call; write `&{what}`"));
            }
            match ungroup(&reference.elem) {
                _ if is_context(&arg.ty) => Param::Context,
                Type::Reference(_) => {
                    errors.on(&arg.ty, "an input has at most one `&`; remove the others");
                    input(arg.ty.as_ref().clone(), Passing::Reference)
                }
                Type::Slice(slice) => {
                    check_data(&slice.elem, &name, generics, errors);
                    let elem = &slice.elem;
                    input(
                        parse_quote_spanned!(slice.bracket_token.span.join()=> ::std::vec::Vec<#elem>),
                        Passing::Reference,
                    )
                }
                ty if ty.to_token_stream().to_string() == "str" => {
                    input(parse_quote_spanned!(ty.span()=> ::std::string::String), Passing::Reference)
                }
                // The user may have a type of this name, so the compiler finds the owned one.
                ty if is_named(ty, "Path") || is_named(ty, "OsStr") => {
                    let p = spans::at(ty.span(), &crate_path::private(krate));
                    input(parse_quote_spanned!(ty.span()=> <#ty as #p::OwnedInput>::Owned), Passing::Reference)
                }
                Type::TraitObject(object) => {
                    errors.on(object, "an input is stored under its type, which cannot be a trait object; name a type");
                    input(parse_quote!(()), Passing::Reference)
                }
                ty => {
                    check_data(ty, &name, generics, errors);
                    input(ty.clone(), Passing::Reference)
                }
            }
        }
        ty if is_named(ty, "TaskContext") => {
            errors.on(ty, format!("the context is borrowed; write `{name}: &TaskContext`"));
            Param::Context
        }
        ty => {
            check_data(ty, &name, generics, errors);
            input(ty.clone(), Passing::Value)
        }
    }
}

/// Whether the type is `&TaskContext`, under any path.
pub(crate) fn is_context(ty: &Type) -> bool {
    matches!(ungroup(ty), Type::Reference(reference) if is_named(&reference.elem, "TaskContext"))
}

/// Reports a type that data passed between tasks cannot have.
fn check_data(ty: &Type, name: &Ident, generics: &[Ident], errors: &mut Errors) {
    if let Some(segment) = last_segment(ty)
        && segment.ident == "Output"
        && let [value] = *type_arguments(segment)
    {
        let value = value.to_token_stream();
        errors.on(
            ty,
            format!(
                "a task takes the value itself; write `{name}: {value}` (an `Output` represents it only inside a `#[dag]` \
                 function)"
            ),
        );
        return;
    }
    match find_unsupported(ty, generics) {
        Some(Unsupported::Reference(tokens)) => {
            let hint = match last_segment(ty).map(|segment| segment.ident.to_string()).as_deref() {
                Some("Option") => "`Option<T>`, or `&Option<T>` to borrow the whole",
                Some("Vec") => "`Vec<T>`, or `&[T]` to borrow the whole",
                _ => "the type without it, or a `&` in front of the whole type",
            };
            errors.on(
                tokens,
                format!("the type of an input cannot contain a reference, because inputs own their data; write {hint}"),
            );
        }
        Some(Unsupported::Lifetime(tokens)) => {
            errors.on(
                tokens,
                "the type of an input cannot contain this lifetime, because inputs own their data; use an owned type or \
                 `'static`",
            );
        }
        Some(Unsupported::Impl(tokens)) => {
            errors.on(tokens, "an input is stored under its type, which cannot be `impl Trait`; name a type");
        }
        Some(Unsupported::Infer(tokens)) => errors.on(tokens, "the type of an input cannot be inferred; write it out"),
        // Reported where the generic parameter is declared.
        Some(Unsupported::Generic) | None => {}
    }
}

fn check_attributes(attrs: &mut Vec<Attribute>, errors: &mut Errors) {
    attrs.retain(|attr| {
        let message = if attr.path().is_ident("param") {
            "`#[param]` can be applied only to parameters of a `#[dag]` function; remove it (a task gets its inputs from the call \
             in the DAG)"
        } else if attr.path().is_ident("cfg") || attr.path().is_ident("cfg_attr") {
            "a parameter of a task cannot depend on `cfg`; write two versions of the function and put `#[cfg]` on each"
        } else {
            return true;
        };
        errors.on(attr, message);
        false
    });
}

/// The name that a pattern `x` or `mut x` binds.
pub(crate) fn plain_name(pat: &Pat) -> Option<&Ident> {
    match pat {
        Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => Some(&pat.ident),
        _ => None,
    }
}

fn name_of(arg: &PatType, position: usize) -> Ident {
    plain_name(&arg.pat).cloned().unwrap_or_else(|| format_ident!("parameter_{position}"))
}
