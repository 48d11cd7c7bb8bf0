//! The rules for the function of a DAG.

use proc_macro2::Ident;
use quote::ToTokens;
use syn::{FnArg, ReturnType, Type};

use super::model::{Dag, Expansion};
use super::{event, param};
use crate::attrs::Attrs;
use crate::crate_path;
use crate::errors::Errors;
use crate::function::Function;
use crate::option::{self, Options, StartsWith, Written};
use crate::task::{check_attributes, check_name, check_signature};
use crate::types::{Unsupported, find_unsupported, is_named, last_segment, type_arguments, ungroup};

pub(super) fn validate(function: Function, mut options: Options, written: Written, errors: &mut Errors) -> Dag {
    let name = function.name().clone();
    let Function { attrs, vis, sig, body } = function;
    let before = errors.len();
    check_name(&name, "#[dag]", errors);
    let unchanged = check_signature(&sig, "#[dag]", errors) || name == "main";
    if let Some(asyncness) = &sig.asyncness {
        errors.on(
            asyncness,
            "a `#[dag]` function cannot be `async`, because it only builds the graph; remove `async` and await inside tasks",
        );
    }
    let attrs = Attrs::sort(attrs);
    check_attributes(&attrs, errors);
    let mut valid = errors.len() == before;
    let starts = StartsWith { schedule: written.schedule, events: event::has_event(sig.inputs.iter()) };
    // An invalid schedule, which was reported, is assumed to have intervals, as most schedules do.
    let has_intervals = written.schedule && (options.schedule.is_none() || options.has_intervals());
    let (params, valid_params) = param::read(sig.inputs.iter(), starts, has_intervals, errors);
    let before = errors.len();
    let result = read_result(&sig.output, errors);
    valid &= valid_params && errors.len() == before;

    option::check_dag(&mut options, written, starts, errors);
    let expansion = match valid {
        _ if unchanged => Expansion::Unchanged,
        true => Expansion::Full,
        false => Expansion::Placeholder,
    };
    let krate = crate_path::resolve(options.krate.as_ref());
    Dag { krate, attrs, vis, sig, body, params, result, options, expansion }
}

fn read_result(output: &ReturnType, errors: &mut Errors) -> Option<Type> {
    let ReturnType::Type(_, written) = output else { return None };
    let ty = ungroup(written);
    if is_named(ty, "Result") {
        errors.on(
            ty,
            "a `#[dag]` function cannot return a `Result`, because it only builds the graph; write `-> T` (a run fails \
             when one of its tasks fails)",
        );
        return None;
    }
    if let Some(segment) = last_segment(ty)
        && segment.ident == "Output"
        && let [value] = *type_arguments(segment)
    {
        let text = value.to_token_stream();
        errors.on(ty, format!("write the type of the value, `-> {text}`; the body returns an `Output` of it"));
        return Some(value.clone());
    }
    match find_unsupported(ty, &[]) {
        Some(Unsupported::Reference(tokens) | Unsupported::Lifetime(tokens)) => {
            errors.on(
                tokens,
                "the result of a DAG cannot be borrowed, because it is stored with the run; write `String` for `&str` or \
                 `Vec<T>` for `&[T]`",
            );
        }
        Some(Unsupported::Impl(tokens)) => errors.on(tokens, "the result of a DAG cannot be `impl Trait`; name a type"),
        Some(Unsupported::Infer(tokens)) => {
            errors.on(tokens, "the type of the result cannot be inferred; write it out");
        }
        Some(Unsupported::Generic) | None => return Some((**written).clone()),
    }
    None
}

impl Dag {
    pub(super) fn name(&self) -> &Ident {
        &self.sig.ident
    }

    /// The number of parameters, including invalid ones.
    pub(super) fn arity(&self) -> usize {
        self.sig.inputs.iter().filter(|arg| matches!(arg, FnArg::Typed(_))).count()
    }
}
