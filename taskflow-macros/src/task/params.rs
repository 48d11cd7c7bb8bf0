//! Which kind of parameter each one is.

use quote::{ToTokens, format_ident};
use syn::spanned::Spanned;
use syn::{Attribute, FnArg, Ident, Pat, PatType, Type, parse_quote, parse_quote_spanned};

use super::model::{Input, Param, Passing};
use crate::errors::Errors;
use crate::types::{Alien, find_alien, is_named, last_segment, peel, type_arguments};

/// The parameters. Doc comments are taken off: the language allows none there.
pub(super) fn read<'a>(
    args: impl Iterator<Item = &'a mut FnArg>,
    generics: &[Ident],
    errors: &mut Errors,
) -> Vec<Param> {
    let mut params = Vec::new();
    let mut has_context = false;
    for (position, arg) in args.enumerate() {
        let FnArg::Typed(arg) = arg else { continue };
        arg.attrs.retain(|attr| !attr.path().is_ident("doc"));
        check_attributes(&mut arg.attrs, errors);
        let found = errors.len();
        let param = read_one(arg, position, generics, errors);
        let generic = matches!(find_alien(&arg.ty, generics), Some(Alien::Generic));
        if matches!(param, Param::Context) && std::mem::replace(&mut has_context, true) {
            errors.on(&*arg, "a task has one context; this is the second");
        }
        params.push(if errors.len() > found || generic { Param::Broken(name_of(arg, position)) } else { param });
    }
    params
}

fn read_one(arg: &PatType, position: usize, generics: &[Ident], errors: &mut Errors) -> Param {
    let name = match plain_name(&arg.pat) {
        Some(name) => name.clone(),
        // The context is no input, and nobody needs its name.
        None if is_context(&arg.ty) => name_of(arg, position),
        None => {
            let hint = match &*arg.pat {
                Pat::Wild(_) => "; for one that is not used write `_name`",
                _ => "; take it apart in the body",
            };
            errors.on(&arg.pat, format!("a parameter of a task needs a plain name, which the graph shows{hint}"));
            name_of(arg, position)
        }
    };
    let input = |ty: Type, passing: Passing| Param::Input(Input { name: name.clone(), ty: Box::new(ty), passing });
    match peel(&arg.ty) {
        Type::Reference(reference) => {
            if let Some(mutability) = &reference.mutability {
                let tokens = [reference.and_token.to_token_stream(), mutability.to_token_stream()];
                errors.on(
                    tokens.into_iter().collect::<proc_macro2::TokenStream>(),
                    "a task cannot change its input in place: other tasks may read the same value\n\
                     take it by value (`mut x: T`), change it and return it",
                );
                return input(arg.ty.as_ref().clone(), Passing::Reference);
            }
            if let Some(lifetime) = &reference.lifetime
                && !generics.contains(&lifetime.ident)
            {
                let what = reference.elem.to_token_stream();
                errors.on(lifetime, format!("an input is borrowed for the call only: write `&{what}`"));
            }
            match peel(&reference.elem) {
                _ if is_context(&arg.ty) => Param::Context,
                Type::Reference(_) => {
                    errors.on(&arg.ty, "one `&` is enough: an input is borrowed once, whatever feeds it");
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
                Type::TraitObject(object) => {
                    errors
                        .on(object, "an input has one type that can be stored; a trait object has none: name the type");
                    input(parse_quote!(()), Passing::Reference)
                }
                ty => {
                    check_data(ty, &name, generics, errors);
                    input(ty.clone(), Passing::Reference)
                }
            }
        }
        ty if is_named(ty, "TaskContext") => {
            errors.on(ty, format!("the context is borrowed: write `{name}: &TaskContext`"));
            Param::Context
        }
        ty => {
            check_data(ty, &name, generics, errors);
            input(ty.clone(), Passing::Value)
        }
    }
}

/// Whether the type is `&TaskContext`, under whatever path.
pub(crate) fn is_context(ty: &Type) -> bool {
    matches!(peel(ty), Type::Reference(reference) if is_named(&reference.elem, "TaskContext"))
}

/// Reports what data passed between tasks cannot have in its type.
fn check_data(ty: &Type, name: &Ident, generics: &[Ident], errors: &mut Errors) {
    if let Some(segment) = last_segment(ty)
        && segment.ident == "Output"
        && let [value] = *type_arguments(segment)
    {
        let value = value.to_token_stream();
        errors.on(
            ty,
            format!(
                "a task takes the value itself, `{name}: {value}`; an `Output` stands for it inside a `#[dag]` function"
            ),
        );
        return;
    }
    match find_alien(ty, generics) {
        Some(Alien::Reference(tokens)) => {
            let hint = match last_segment(ty).map(|segment| segment.ident.to_string()).as_deref() {
                Some("Option") => "; write `Option<T>`, or `&Option<T>` to borrow the whole",
                Some("Vec") => "; write `Vec<T>`, or `&[T]` to borrow the whole",
                _ => "; borrow the whole parameter with a `&` in front, or take it by value",
            };
            errors.on(tokens, format!("an input owns its data, so there can be no reference inside its type{hint}"));
        }
        Some(Alien::Lifetime(tokens)) => {
            errors.on(
                tokens,
                "an input owns its data, so its type cannot have this lifetime; use an owned type or `'static`",
            );
        }
        Some(Alien::Impl(tokens)) => errors
            .on(tokens, "a task is stored under one type for each input, so `impl Trait` cannot be one; name the type"),
        Some(Alien::Infer(tokens)) => errors.on(tokens, "the type of an input must be written out"),
        // Reported once, where the generic parameter is declared.
        Some(Alien::Generic) | None => {}
    }
}

fn check_attributes(attrs: &mut Vec<Attribute>, errors: &mut Errors) {
    attrs.retain(|attr| {
        let message = if attr.path().is_ident("param") {
            "`#[param]` describes a parameter of a `#[dag]` function; a task gets its inputs from the call in the DAG"
        } else if attr.path().is_ident("cfg") || attr.path().is_ident("cfg_attr") {
            "a parameter of a task cannot depend on `cfg`; put `#[cfg]` on two versions of the function"
        } else {
            return true;
        };
        errors.on(attr, message);
        false
    });
}

/// The name of a plain pattern: `x`, `mut x`.
pub(crate) fn plain_name(pat: &Pat) -> Option<&Ident> {
    match pat {
        Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => Some(&pat.ident),
        _ => None,
    }
}

fn name_of(arg: &PatType, position: usize) -> Ident {
    plain_name(&arg.pat).cloned().unwrap_or_else(|| format_ident!("parameter_{position}"))
}
