//! The flags of a DAG: one for each of its parameters, in the parameter's type.
//!
//! `late_after_min: u32` is `--late-after-min <u32>`. A parameter whose flag would clash with one
//! of ours (`--output`) is `--param-output`. clap keeps the values as text; [`Params::from_text`]
//! parses them together, so that all mistakes are reported before anything starts.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::Value;

use crate::dag::{ParamDef, ParamDefault, ParamError, Params, flag_names};
use crate::run::RunInfo;
use crate::value::AnyValue;

/// The flags of these parameters; those that clash with `taken` are renamed.
pub(super) fn of_params(params: &[ParamDef], taken: &[&str]) -> Vec<Arg> {
    let names = flag_names(params, taken);
    params.iter().zip(names).map(|(param, name)| flag(param, name)).collect()
}

fn flag(param: &ParamDef, name: String) -> Arg {
    let mut arg = Arg::new(id_of(param))
        .long(name)
        .value_name(type_name(param))
        .value_parser(Text { choices: param.choices })
        .allow_negative_numbers(true)
        .required(!param.has_default())
        .help_heading("Parameters")
        .help(help(param));
    if is_bool(param) {
        arg = as_switch(arg);
    } else if param.is_list() {
        arg = arg.action(ArgAction::Append);
    }
    arg
}

/// Lets a Boolean flag be given without a value, for `true`.
pub(super) fn as_switch(arg: Arg) -> Arg {
    arg.action(ArgAction::Set).num_args(0..=1).require_equals(true).default_missing_value("true")
}

fn is_bool(param: &ParamDef) -> bool {
    matches!(param.ty.path(), "bool" | "core::option::Option<bool>")
}

/// The type for the person who runs the DAG: without `Option`, because a missing flag is the
/// missing value, and that of an element for a list.
fn type_name(param: &ParamDef) -> String {
    if let Some(event) = &param.event {
        return format!("last|@N|{}", event.payload.short());
    }
    let name = param.ty.short();
    let inner = |name: &str| name.strip_suffix('>').and_then(|name| name.split_once('<')).map(|(_, of)| of.to_owned());
    let name = inner(&name).filter(|_| name.starts_with("Option<")).unwrap_or(name);
    inner(&name).filter(|of| param.is_list() && !of.contains(", ")).unwrap_or(name)
}

fn id_of(param: &ParamDef) -> String {
    format!("param.{}", param.name)
}

/// The description of the parameter, then its default and limits.
fn help(param: &ParamDef) -> String {
    let mut parts = Vec::new();
    if !param.help.is_empty() {
        parts.push(param.help.to_owned());
    }
    if param.is_list() {
        parts.push("[repeatable]".to_owned());
    }
    if let Some(event) = &param.event {
        parts.push(format!("[an event of {}: `last`, its number, or its payload]", event.asset));
    } else if let Some(default) = param.default_view().filter(|default| *default != ParamDefault::Value(Value::Null)) {
        parts.push(format!("[default: {default}]"));
    }
    if let Some(range) = param.range_text {
        parts.push(format!("[range: {range}]"));
    }
    if let Some(pattern) = param.pattern {
        parts.push(format!("[pattern: {pattern}]"));
    }
    parts.join(" ")
}

/// The texts of a flag, if it was given.
pub(super) fn texts<'m>(matches: &'m ArgMatches, param: &ParamDef) -> Option<Vec<&'m str>> {
    Some(matches.get_many::<String>(&id_of(param))?.map(String::as_str).collect())
}

/// The values for a run, and the given flags as text, for printing the command again.
///
/// `known` holds values that were not given as text: those of stored events.
pub(super) fn read(
    matches: &ArgMatches,
    params: &[ParamDef],
    taken: &[&str],
    run: &RunInfo,
    known: &HashMap<&'static str, AnyValue>,
) -> Result<(Params, Vec<String>), Vec<String>> {
    let texts = |param: &ParamDef| texts(matches, param);
    let names = flag_names(params, taken);
    let flags = |(param, name): (&ParamDef, &String)| {
        let flag = |text: &str| format!("--{name}={text}");
        texts(param).into_iter().flatten().map(flag).collect::<Vec<_>>()
    };
    let given = params.iter().zip(&names).flat_map(flags).collect();
    let values = Params::from_text(params, run, known, texts).map_err(|errors| {
        let named = |error: &ParamError| params.iter().position(|param| param.name == error.param);
        let flag = |error: &ParamError| named(error).map_or(error.param, |place| &*names[place]).to_owned();
        errors.iter().map(|error| describe(&flag(error), error)).collect::<Vec<_>>()
    })?;
    Ok((values, given))
}

/// The texts of the flags that were given, by the name of their parameter.
#[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "used for stored runs only"))]
pub(super) fn all_texts(matches: &ArgMatches, params: &[ParamDef]) -> BTreeMap<String, Vec<String>> {
    let given = params.iter().filter_map(|param| {
        let texts = texts(matches, param)?;
        Some((param.name.to_owned(), texts.into_iter().map(str::to_owned).collect()))
    });
    given.collect()
}

/// ``--late-after-min: `9999` is not in the range 0..=600``
fn describe(flag: &str, error: &ParamError) -> String {
    match &error.given {
        Some(given) if given.is_empty() => format!("--{flag}: the empty string {}", error.message),
        Some(given) => format!("--{flag}: `{given}` {}", error.message),
        None => format!("--{flag} {}", error.message),
    }
}

/// Any text; the choices serve help and completion and are checked with everything else.
#[derive(Clone, Debug)]
struct Text {
    choices: &'static [&'static str],
}

impl TypedValueParser for Text {
    type Value = String;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let choices = self.choices.iter().map(|&choice| PossibleValue::new(choice));
        (!self.choices.is_empty()).then(|| Box::new(choices) as Box<dyn Iterator<Item = PossibleValue>>)
    }
}

/// Adds to `command` the flags of these parameters.
pub(super) fn add(command: Command, params: &[ParamDef], taken: &[&str]) -> Command {
    command.args(of_params(params, taken))
}
