//! The rules for the function of a task.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{FnArg, GenericParam, Ident, ReturnType, Safety, Signature, Type};

use super::model::{Kind, Param, Return, Shape, Task};
use super::{options as task_options, params};
use crate::attrs::Attrs;
use crate::crate_path;
use crate::errors::Errors;
use crate::function::Function;
use crate::option::{Options, Place};
use crate::types::{Alien, find_alien, is_named, last_segment, peel, type_arguments};

pub(super) fn validate(function: Function, options: Options, place: Place, errors: &mut Errors) -> Task {
    let Function { attrs, vis, mut sig, body } = function;
    let before = errors.len();
    let is_sensor = place == Place::Sensor;
    let attribute = if is_sensor { "#[sensor]" } else { "#[task]" };
    check_name(&sig.ident, attribute, errors);
    let keep = check_signature(&sig, attribute, errors) || sig.ident == "main";
    let attrs = Attrs::sort(attrs);
    check_attributes(&attrs, errors);
    // Their uses are part of the mistake that their declaration is.
    let types = sig.generics.type_params().map(|param| param.ident.clone());
    let generics: Vec<Ident> =
        types.chain(sig.generics.lifetimes().map(|param| param.lifetime.ident.clone())).collect();
    let params = params::read(sig.inputs.iter_mut(), &generics, errors);
    let output = match is_sensor {
        true => read_sensed(&sig, &generics, errors),
        false => read_return(&sig.output, &generics, errors),
    };
    let shape = match errors.len() == before {
        _ if keep => Shape::Untouched,
        true => Shape::Sound,
        false => Shape::Broken,
    };

    let kind = match (&sig.asyncness, &options.blocking) {
        (Some(_), Some(blocking)) if blocking.value => {
            errors.at(blocking.span, "`blocking` is for a plain `fn` that waits; an `async fn` waits without blocking a thread: remove one of the two");
            Kind::Async
        }
        (Some(_), _) => Kind::Async,
        (None, Some(blocking)) if blocking.value => Kind::Blocking,
        (None, _) => Kind::Sync,
    };
    task_options::check(&options, errors);
    if let Some(judge) = &options.retry_on
        && matches!(output, Return::Nothing | Return::Plain(_))
        && shape == Shape::Sound
    {
        errors.on(judge, "`retry_on` judges the errors of the task, and this one returns none: return a `Result`");
    }

    let id = options.id.as_ref().map_or_else(|| sig.ident.unraw().to_string(), |id| id.value.clone());
    let doc = match &options.doc {
        Some(doc) => doc.value.to_token_stream(),
        None => attrs.doc_text(),
    };
    let krate = crate_path::resolve(options.krate.as_ref());
    Task { krate, attrs, vis, sig, body, id, doc, kind, params, output, is_sensor, options, shape }
}

/// The struct that carries a definition has the name of the function, in the namespace of types.
pub(crate) fn check_name(name: &Ident, attribute: &str, errors: &mut Errors) {
    const PRIMITIVES: [&str; 17] = [
        "bool", "char", "str", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize",
        "f32", "f64",
    ];
    if name == "main" {
        errors.at(
            name.span(),
            format!("`main` starts the program and cannot be a `{attribute}`; give the function another name"),
        );
    } else if PRIMITIVES.iter().any(|primitive| name == primitive) {
        errors.at(name.span(), format!("a `{attribute}` is also a type of its name, which would hide the type `{name}`; give the function another name"));
    }
}

/// Reports what neither a task nor a DAG can have in its signature. `true` for a method.
pub(crate) fn check_signature(sig: &Signature, attribute: &str, errors: &mut Errors) -> bool {
    if let Some(constness) = &sig.constness {
        errors.on(constness, format!("a `{attribute}` function cannot be `const`; remove the word"));
    }
    if let Safety::Unsafe(token) = &sig.safety {
        errors.on(token, format!("a `{attribute}` function is called by the engine, which cannot keep the promises of an `unsafe fn`; use an `unsafe` block in the body"));
    }
    if let Some(abi) = &sig.abi {
        errors.on(abi, format!("a `{attribute}` function has Rust's own calling convention; remove the `extern`"));
    }
    if let Some(variadic) = &sig.variadic {
        errors.on(variadic, format!("a `{attribute}` function has a fixed number of parameters; take a `Vec<T>`"));
    }
    let generic: Vec<&GenericParam> = sig.generics.params.iter().collect();
    if !generic.is_empty() {
        let only_lifetimes = generic.iter().all(|param| matches!(param, GenericParam::Lifetime(_)));
        let message = if only_lifetimes {
            format!("a `{attribute}` function has no lifetime parameters: write `&T` without one")
        } else {
            format!(
                "a `{attribute}` function cannot be generic: it is registered once, under one type for each input; name the types"
            )
        };
        errors.on(&sig.generics, message);
    }
    match sig.inputs.first() {
        Some(FnArg::Receiver(receiver)) => {
            errors.on(
                receiver,
                format!("a `{attribute}` function is a free function and has no `self`; move it out of the `impl`"),
            );
            true
        }
        _ => match find_self(sig.to_token_stream()) {
            Some(word) => {
                errors.on(
                    word,
                    format!("a `{attribute}` function is a free function, where `Self` means nothing; move it out of the `impl`"),
                );
                true
            }
            None => false,
        },
    }
}

/// The first `Self` of a signature: an associated function without `self` shows itself by nothing else.
fn find_self(tokens: TokenStream) -> Option<Ident> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(word) if word == "Self" => Some(word),
        TokenTree::Group(group) => find_self(group.stream()),
        TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => None,
    })
}

/// Reports a second attribute of ours on one function.
pub(crate) fn check_attributes(attrs: &Attrs, errors: &mut Errors) {
    for attr in &attrs.body {
        let last = attr.path().segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
        if last == "task" || last == "sensor" || last == "dag" {
            errors.on(attr, "a function is one task or one DAG; remove one of the attributes");
        }
    }
}

fn read_return(output: &ReturnType, generics: &[Ident], errors: &mut Errors) -> Return {
    let ReturnType::Type(_, written) = output else { return Return::Nothing };
    let ty = peel(written);
    if matches!(ty, Type::Tuple(tuple) if tuple.elems.is_empty()) {
        return Return::Nothing;
    }
    if matches!(ty, Type::Never(_)) {
        errors.on(ty, "a task ends; for a service that runs for ever start a program of its own");
        return Return::Nothing;
    }
    if let Some(segment) = last_segment(ty)
        && segment.ident == "Output"
        && let [value] = *type_arguments(segment)
    {
        let text = value.to_token_stream();
        errors.on(
            ty,
            format!(
                "a task returns the value itself, `-> {text}`; calling it inside a `#[dag]` function gives the `Output`"
            ),
        );
        return Return::Plain(Box::new(value.clone()));
    }
    if !is_named(ty, "Result") {
        return if check_value(ty, generics, errors) { Return::Plain(Box::new(ty.clone())) } else { Return::Nothing };
    }
    let arguments = last_segment(ty).map(type_arguments).unwrap_or_default();
    match *arguments {
        [] => Return::Alias(Box::new(ty.clone())),
        [ok, ref rest @ ..] => {
            if !check_value(ok, generics, errors) {
                return Return::Nothing;
            }
            Return::Result { ok: Box::new(ok.clone()), err: rest.first().map(|&err| Box::new(err.clone())) }
        }
    }
}

/// What a sensor finds: the `T` of `Option<T>` or `Result<Option<T>>`.
fn read_sensed(sig: &Signature, generics: &[Ident], errors: &mut Errors) -> Return {
    const FORMS: &str = "a sensor returns `Option<T>` or `Result<Option<T>>`: `None` as long as it finds nothing";
    let ReturnType::Type(_, written) = &sig.output else {
        errors.on(&sig.ident, format!("{FORMS}; for one without a value `Option<()>`"));
        return Return::Nothing;
    };
    let ty = peel(written);
    let (found, err) = match last_segment(ty) {
        Some(segment) if segment.ident == "Result" => match *type_arguments(segment) {
            [ok, ref rest @ ..] => (peel(ok), Some(rest.first().map(|&err| Box::new(err.clone())))),
            [] => (ty, None),
        },
        _ => (ty, None),
    };
    let value = last_segment(found).filter(|segment| segment.ident == "Option").map(type_arguments);
    let Some([value]) = value.as_deref() else {
        let hint = if is_named(found, "bool") { "; `found.then_some(())` makes one of a `bool`" } else { "" };
        errors.on(found, format!("{FORMS}{hint}"));
        return Return::Nothing;
    };
    if !check_value(value, generics, errors) {
        return Return::Nothing;
    }
    let value = Box::new((*value).clone());
    match err {
        Some(err) => Return::Result { ok: value, err },
        None => Return::Plain(value),
    }
}

/// Reports what the value of a task cannot have in its type. Whether the type can be named elsewhere.
fn check_value(ty: &Type, generics: &[Ident], errors: &mut Errors) -> bool {
    let Some(alien) = find_alien(ty, generics) else { return true };
    match alien {
        Alien::Reference(tokens) => errors.on(
            tokens,
            "a task returns data that it owns, because the value outlives the call; return `String` for `&str`, \
             `Vec<T>` for `&[T]`",
        ),
        Alien::Lifetime(tokens) => {
            errors.on(tokens, "a task returns data that it owns, because the value outlives the call");
        }
        Alien::Impl(tokens) => {
            errors.on(
                tokens,
                "the value of a task is stored under its type, so `impl Trait` cannot be one; name the type",
            );
        }
        Alien::Infer(tokens) => errors.on(tokens, "the return type of a task must be written out"),
        // Reported once, where the generic parameter is declared.
        Alien::Generic => {}
    }
    false
}

impl Task {
    pub(super) fn inputs(&self) -> impl Iterator<Item = &super::model::Input> {
        self.params.iter().filter_map(|param| match param {
            Param::Input(input) => Some(input),
            Param::Context | Param::Broken(_) => None,
        })
    }
}
