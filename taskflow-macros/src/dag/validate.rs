//! The rules for the function of a DAG.

use proc_macro2::Ident;
use quote::ToTokens;
use syn::{FnArg, ReturnType, Type};

use super::model::{Dag, Shape};
use super::param;
use crate::attrs::Attrs;
use crate::crate_path;
use crate::errors::Errors;
use crate::function::Function;
use crate::option::{Options, Scheduling};
use crate::schedule;
use crate::task::{check_attributes, check_name, check_options, check_signature};
use crate::types::{Alien, find_alien, is_named, last_segment, peel, type_arguments};

pub(super) fn validate(function: Function, options: Options, schedule_written: bool, errors: &mut Errors) -> Dag {
    let name = function.name().clone();
    let Function { attrs, vis, sig, body } = function;
    let before = errors.len();
    check_name(&name, "#[dag]", errors);
    let keep = check_signature(&sig, "#[dag]", errors) || name == "main";
    if let Some(asyncness) = &sig.asyncness {
        errors.on(
            asyncness,
            "a `#[dag]` function draws the graph and waits for nothing; remove `async` and await inside tasks",
        );
    }
    let attrs = Attrs::sort(attrs);
    check_attributes(&attrs, errors);
    let mut sound = errors.len() == before;
    // One that was reported is taken for one as most are.
    let scheduling = &options.scheduling;
    let schedule = schedule_written.then(|| scheduling.schedule.is_none() || has_intervals(scheduling));
    let (params, sound_params) = param::read(sig.inputs.iter(), schedule, errors);
    let found = errors.len();
    let result = read_result(&sig.output, errors);
    sound &= sound_params && errors.len() == found;

    schedule::check_together(&options.scheduling, schedule_written, errors);
    check_run_options(&options, errors);
    if let Some(defaults) = &options.task_defaults {
        check_options(defaults, errors);
    }
    let shape = match sound {
        _ if keep => Shape::Untouched,
        true => Shape::Sound,
        false => Shape::Broken,
    };
    let krate = crate_path::resolve(options.krate.as_ref());
    Dag { krate, attrs, vis, sig, body, params, result, options, shape }
}

/// Options about a run that mean nothing without another one.
fn check_run_options(options: &Options, errors: &mut Errors) {
    if let (Some(callback), None) = (&options.callbacks.on_deadline_missed, &options.deadline) {
        errors.on(callback, "a run without a deadline misses none; add `deadline = \"2h after start\"`");
    }
    let retried = options.retries.as_ref().is_some_and(|retries| retries.value > 0);
    if let (Some(delay), false) = (&options.retry_delay, retried) {
        errors.at(
            delay.span,
            "`retry_delay` of a DAG is the wait before a failed run is tried again, and it is not: add `retries = 1`, or write \
             `default(retry_delay = ..)` for its tasks",
        );
    }
    if let (Some(callback), false) = (&options.callbacks.on_retry, retried) {
        errors.on(
            callback,
            "`on_retry` of a DAG is told of a failed run that is tried again, and it is not: add `retries = 1`, or write \
             `default(on_retry = ..)` for its tasks",
        );
    }
}

fn read_result(output: &ReturnType, errors: &mut Errors) -> Option<Type> {
    let ReturnType::Type(_, written) = output else { return None };
    let ty = peel(written);
    if is_named(ty, "Result") {
        errors.on(ty, "a `#[dag]` function gives an output and never fails itself: write `-> T`; a run fails when one of its tasks does");
        return None;
    }
    if let Some(segment) = last_segment(ty)
        && segment.ident == "Output"
        && let [value] = *type_arguments(segment)
    {
        let text = value.to_token_stream();
        errors.on(ty, format!("write the type of the value, `-> {text}`; the body gives an `Output` of it"));
        return Some(value.clone());
    }
    match find_alien(ty, &[]) {
        Some(Alien::Reference(tokens) | Alien::Lifetime(tokens)) => {
            errors.on(
                tokens,
                "the result of a DAG is data that it owns: return `String` for `&str`, `Vec<T>` for `&[T]`",
            );
        }
        Some(Alien::Impl(tokens)) => errors.on(tokens, "the result of a DAG has one type; name it"),
        Some(Alien::Infer(tokens)) => errors.on(tokens, "the type of the result must be written out"),
        Some(Alien::Generic) | None => return Some((**written).clone()),
    }
    None
}

impl Dag {
    pub(super) fn name(&self) -> &Ident {
        &self.sig.ident
    }

    /// The parameters as they were written, when they could not be understood.
    pub(super) fn arity(&self) -> usize {
        self.sig.inputs.iter().filter(|arg| matches!(arg, FnArg::Typed(_))).count()
    }
}

/// Whether the runs of a DAG with these options are about spans of time.
pub(super) fn has_intervals(options: &Scheduling) -> bool {
    options.schedule.as_ref().is_some_and(|schedule| !matches!(&*schedule.value, "@once" | "@continuous"))
}
