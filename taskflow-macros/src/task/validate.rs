//! The rules for the function of a task, and the rules that tasks and DAGs share.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{FnArg, GenericParam, Ident, ReturnType, Safety, Signature, Type};

use super::model::{Expansion, Kind, Param, Return, Task};
use super::params;
use crate::attrs::Attrs;
use crate::crate_path;
use crate::errors::Errors;
use crate::function::Function;
use crate::option::{self, Options, Place};
use crate::types::{Unsupported, find_unsupported, is_named, last_segment, type_arguments, ungroup};

pub(super) fn validate(function: Function, mut options: Options, place: Place, errors: &mut Errors) -> Task {
    let Function { attrs, vis, mut sig, body } = function;
    let before = errors.len();
    let is_sensor = place == Place::Sensor;
    let attribute = if is_sensor { "#[sensor]" } else { "#[task]" };
    check_name(&sig.ident, attribute, errors);
    let unchanged = check_signature(&sig, attribute, errors) || sig.ident == "main";
    let attrs = Attrs::sort(attrs);
    check_attributes(&attrs, errors);
    // Generics are reported at their declaration, not at each use.
    let types = sig.generics.type_params().map(|param| param.ident.clone());
    let generics: Vec<Ident> =
        types.chain(sig.generics.lifetimes().map(|param| param.lifetime.ident.clone())).collect();
    let krate = crate_path::resolve(options.krate.as_ref());
    let params = params::read(sig.inputs.iter_mut(), &krate, &generics, errors);
    let output = match is_sensor {
        true => read_sensor_return(&sig, &generics, errors),
        false => read_return(&sig.output, &generics, errors),
    };
    let expansion = match errors.len() == before {
        _ if unchanged => Expansion::Unchanged,
        true => Expansion::Full,
        false => Expansion::Placeholder,
    };

    let kind = match (&sig.asyncness, &options.blocking) {
        (Some(_), Some(blocking)) if blocking.value => {
            errors.at(
                blocking.span,
                "`blocking` is for a `fn` that blocks its thread, which an `async fn` does not; remove `blocking` or \
                 `async`",
            );
            Kind::Async
        }
        (Some(_), _) => Kind::Async,
        (None, Some(blocking)) if blocking.value => Kind::Blocking,
        (None, _) => Kind::Sync,
    };
    option::check_task(&mut options, errors);
    option::check_deadline_of_task(&options, errors);
    if let Some(retry_on) = &options.retry_on
        && matches!(output, Return::Nothing | Return::Plain(_))
        && expansion == Expansion::Full
    {
        errors.on(retry_on, "`retry_on` has no effect on a task that returns no errors; return a `Result`");
    }

    let id = options.id.as_ref().map_or_else(|| sig.ident.unraw().to_string(), |id| id.value.clone());
    let doc = match &options.doc {
        Some(doc) => doc.value.to_token_stream(),
        None => attrs.doc_text(),
    };
    Task { krate, attrs, vis, sig, body, id, doc, kind, params, output, is_sensor, options, expansion }
}

/// Checks the name, which is also that of the generated struct and so of a type.
pub(crate) fn check_name(name: &Ident, attribute: &str, errors: &mut Errors) {
    const PRIMITIVES: [&str; 17] = [
        "bool", "char", "str", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize",
        "f32", "f64",
    ];
    if name == "main" {
        errors.at(name.span(), format!("`main` starts the program and cannot be a `{attribute}` function; rename it"));
    } else if PRIMITIVES.iter().any(|primitive| name == primitive) {
        let message = format!(
            "a `{attribute}` function also defines a type of its name, which would hide the type `{name}`; rename the \
             function"
        );
        errors.at(name.span(), message);
    }
}

/// Reports what neither a task nor a DAG can have in its signature. Returns whether the function is
/// a method.
pub(crate) fn check_signature(sig: &Signature, attribute: &str, errors: &mut Errors) -> bool {
    if let Some(constness) = &sig.constness {
        errors.on(constness, format!("a `{attribute}` function cannot be `const`; remove the keyword"));
    }
    if let Safety::Unsafe(token) = &sig.safety {
        let message = format!(
            "a `{attribute}` function cannot be `unsafe`, because the engine calls it; use an `unsafe` block in the body"
        );
        errors.on(token, message);
    }
    if let Some(abi) = &sig.abi {
        errors.on(abi, format!("a `{attribute}` function cannot be `extern`; remove the ABI"));
    }
    if let Some(variadic) = &sig.variadic {
        errors.on(variadic, format!("a `{attribute}` function cannot be variadic; take a `Vec<T>`"));
    }
    let generic: Vec<&GenericParam> = sig.generics.params.iter().collect();
    if !generic.is_empty() {
        let only_lifetimes = generic.iter().all(|param| matches!(param, GenericParam::Lifetime(_)));
        let message = if only_lifetimes {
            format!("a `{attribute}` function cannot have lifetime parameters; write `&T` without a lifetime")
        } else {
            format!(
                "a `{attribute}` function cannot be generic, because it is registered once, with one type for each \
                 parameter; name the types"
            )
        };
        errors.on(&sig.generics, message);
    }
    match sig.inputs.first() {
        Some(FnArg::Receiver(receiver)) => {
            errors.on(
                receiver,
                format!("a `{attribute}` function cannot be a method; move it out of the `impl` and remove `self`"),
            );
            true
        }
        _ => match find_self(sig.to_token_stream()) {
            Some(keyword) => {
                errors.on(
                    keyword,
                    format!("a `{attribute}` function cannot be in an `impl`; move it out and name the type instead of `Self`"),
                );
                true
            }
            None => false,
        },
    }
}

/// The first `Self` in a signature, which is the only sign of an associated function without
/// `self`.
fn find_self(tokens: TokenStream) -> Option<Ident> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(word) if word == "Self" => Some(word),
        TokenTree::Group(group) => find_self(group.stream()),
        TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => None,
    })
}

/// Reports a second attribute of taskflow on the function.
pub(crate) fn check_attributes(attrs: &Attrs, errors: &mut Errors) {
    for attr in &attrs.body {
        let last = attr.path().segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
        if last == "task" || last == "sensor" || last == "dag" {
            errors.on(attr, "a function can have only one of `#[task]`, `#[sensor]` and `#[dag]`; remove the others");
        }
    }
}

fn read_return(output: &ReturnType, generics: &[Ident], errors: &mut Errors) -> Return {
    let ReturnType::Type(_, written) = output else { return Return::Nothing };
    let ty = ungroup(written);
    if matches!(ty, Type::Tuple(tuple) if tuple.elems.is_empty()) {
        return Return::Nothing;
    }
    if matches!(ty, Type::Never(_)) {
        errors.on(ty, "a task must return; run a service that never ends as a separate program");
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
                "a task returns the value itself; write `-> {text}` (calling the task inside a `#[dag]` function returns an \
                 `Output` of it)"
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

/// Reads the output of a sensor: the `T` in `Option<T>` or `Result<Option<T>>`.
fn read_sensor_return(sig: &Signature, generics: &[Ident], errors: &mut Errors) -> Return {
    const FORMS: &str = "a sensor returns `Option<T>` or `Result<Option<T>>`, where `None` means to poke again later";
    let ReturnType::Type(_, written) = &sig.output else {
        errors.on(&sig.ident, format!("{FORMS}; return `Option<()>` if it has no value"));
        return Return::Nothing;
    };
    let ty = ungroup(written);
    let (found, err) = match last_segment(ty) {
        Some(segment) if segment.ident == "Result" => match *type_arguments(segment) {
            [ok, ref rest @ ..] => (ungroup(ok), Some(rest.first().map(|&err| Box::new(err.clone())))),
            [] => (ty, None),
        },
        _ => (ty, None),
    };
    let value = last_segment(found).filter(|segment| segment.ident == "Option").map(type_arguments);
    let Some([value]) = value.as_deref() else {
        let hint = if is_named(found, "bool") { "; `found.then_some(())` converts a `bool`" } else { "" };
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

/// Reports a type that the value of a task cannot have. Returns whether generated code can name the
/// type.
fn check_value(ty: &Type, generics: &[Ident], errors: &mut Errors) -> bool {
    let Some(unsupported) = find_unsupported(ty, generics) else { return true };
    match unsupported {
        Unsupported::Reference(tokens) => errors.on(
            tokens,
            "a task cannot return a reference, because the value outlives the call; return `String` for `&str` or \
             `Vec<T>` for `&[T]`",
        ),
        Unsupported::Lifetime(tokens) => {
            errors.on(
                tokens,
                "a task cannot return borrowed data, because the value outlives the call; return an owned type",
            );
        }
        Unsupported::Impl(tokens) => {
            errors
                .on(tokens, "the value of a task is stored under its type, which cannot be `impl Trait`; name a type");
        }
        Unsupported::Infer(tokens) => errors.on(tokens, "the return type of a task cannot be inferred; write it out"),
        // Reported where the generic parameter is declared.
        Unsupported::Generic => {}
    }
    false
}

impl Task {
    pub(super) fn inputs(&self) -> impl Iterator<Item = &super::model::Input> {
        self.params.iter().filter_map(|param| match param {
            Param::Input(input) => Some(input),
            Param::Context | Param::Invalid(_) => None,
        })
    }
}
