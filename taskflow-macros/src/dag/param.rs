//! The parameters of a DAG and their `#[param(..)]`.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::{Expr, ExprArray, ExprLit, ExprUnary, FnArg, Lit, LitStr, Meta, Pat, PatType, Type, UnOp};

use super::model::{Default, Event, Param};
use super::{event, text};
use crate::attrs::Attrs;
use crate::errors::Errors;
use crate::option::{self, Options, Place, StartsWith};
use crate::task::{is_context, plain_name};
use crate::types::{Unsupported, find_unsupported, is_named, last_segment, type_arguments, ungroup};

/// Reads the parameters. Returns them and whether all are valid. `has_intervals`: whether the DAG
/// has a schedule with data intervals.
pub(super) fn read<'a>(
    args: impl Iterator<Item = &'a FnArg>,
    starts: StartsWith,
    has_intervals: bool,
    errors: &mut Errors,
) -> (Vec<Param>, bool) {
    let mut params = Vec::new();
    let mut valid = true;
    for (position, arg) in args.enumerate() {
        let FnArg::Typed(arg) = arg else { continue };
        let before = errors.len();
        check_type(arg, errors);
        let name = match plain_name(&arg.pat) {
            Some(name) => name.clone(),
            None => {
                let hint = if matches!(&*arg.pat, Pat::Wild(_)) { "; write `_name` for an unused one" } else { "" };
                errors.on(
                    &arg.pat,
                    format!("a parameter of a DAG needs a name, which is that of its command-line flag{hint}"),
                );
                format_ident!("parameter_{position}")
            }
        };
        valid &= errors.len() == before;
        let Attributes { has_default, has_event, event, options, docs, others } = attributes(arg, errors);
        if (starts.schedule || starts.events) && !has_default && !has_event {
            let ty = arg.ty.to_token_stream();
            let from_run = match is_named(&arg.ty, "Date") {
                true if has_intervals => "run.data_interval().start_date()",
                true => "run.logical_date.date()",
                false => "..",
            };
            let why = if starts.schedule { "this DAG has a schedule" } else { "events start the runs of this DAG" };
            let message = format!(
                "the parameter `{name}` needs a default, because {why}\n\
                 write a constant, `#[param(default = ..)] {name}: {ty}`, or take it from the run, \
                 `#[param(default = |run| {from_run})] {name}: {ty}`"
            );
            errors.on(&arg.pat, message);
        }
        let mut param = param(name, arg, options, &docs, others);
        (param.takes_events, param.event) = (has_event, event);
        if has_event {
            param.default = None;
        }
        match &param.default {
            Some(Default::Text(text)) => text::check(&param.ty, text, errors),
            Some(Default::List(_, elements)) => {
                if let Some(ty) = element_of_list(&param.ty) {
                    elements.iter().for_each(|element| text::check(ty, element, errors));
                }
            }
            Some(Default::FromRun(_) | Default::Value(_)) | None => {}
        }
        for choice in &param.choices {
            text::check(element_of_list(&param.ty).unwrap_or(&param.ty), choice, errors);
        }
        params.push(param);
    }
    (params, valid)
}

fn param(name: syn::Ident, arg: &PatType, options: Options, docs: &Attrs, attrs: Vec<syn::Attribute>) -> Param {
    let default = options.default.map(|default| match option::ungroup(&default) {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Default::Text(text.clone()),
        Expr::Closure(_) => Default::FromRun(default),
        Expr::Array(array) if element_of_list(&arg.ty).is_some() => match literals(array) {
            Some(elements) => Default::List(default, elements),
            None => Default::Value(default),
        },
        _ => Default::Value(default),
    });
    let help = match options.help {
        Some(help) => Some(help.value.to_token_stream()),
        None if docs.docs.is_empty() => None,
        None => Some(docs.doc_text()),
    };
    let binding = match &*arg.pat {
        Pat::Ident(_) => arg.pat.to_token_stream(),
        _ => quote!(#name),
    };
    Param {
        name,
        binding,
        ty: (*arg.ty).clone(),
        event: None,
        takes_events: false,
        default,
        range: options.range,
        choices: options.choices.iter().flatten().map(as_text).collect(),
        pattern: options.pattern,
        help,
        attrs,
    }
}

/// The attributes of a parameter.
struct Attributes {
    /// Whether there is a default, even an invalid one.
    has_default: bool,
    /// Whether there is an `#[event(..)]`, even an invalid one.
    has_event: bool,
    event: Option<Event>,
    /// The options of `#[param(..)]`.
    options: Options,
    docs: Attrs,
    others: Vec<syn::Attribute>,
}

fn attributes(arg: &PatType, errors: &mut Errors) -> Attributes {
    let mut items = Vec::new();
    let mut docs = Vec::new();
    let mut others = Vec::new();
    let mut event = None;
    let mut has_event = false;
    let mut seen = false;
    for attr in &arg.attrs {
        if attr.path().is_ident("param") {
            if std::mem::replace(&mut seen, true) {
                errors.on(attr, "a parameter can have only one `#[param(..)]`; move these options to the first");
            }
            match &attr.meta {
                Meta::List(list) => items.extend(option::parse(list.tokens.clone(), errors)),
                Meta::Path(_) | Meta::NameValue(_) => {
                    errors.on(attr, "`#[param]` needs options, as in `#[param(default = 15)]`");
                }
            }
        } else if attr.path().is_ident("event") {
            if std::mem::replace(&mut has_event, true) {
                errors.on(attr, "a parameter takes the events of one asset; write a parameter for each asset");
            } else {
                event = event::read(attr, &arg.ty, errors);
            }
        } else if attr.path().is_ident("doc") {
            docs.push(attr.clone());
        } else if attr.path().is_ident("cfg") || attr.path().is_ident("cfg_attr") {
            errors
                .on(attr, "a parameter of a DAG cannot depend on `cfg`; write two versions of the function and put `#[cfg]` on each");
        } else {
            others.push(attr.clone());
        }
    }
    let has_default = items.iter().any(|item| item.name == "default");
    for item in items.iter().filter(|item| has_event && item.name != "help") {
        let name = &item.name;
        errors.on(
            name,
            format!("`{name}` has no effect on an event parameter, whose value is made of events; remove it"),
        );
    }
    let options = option::read(items, Place::Param, errors);
    Attributes { has_default, has_event, event, options, docs: Attrs::sort(docs), others }
}

fn check_type(arg: &PatType, errors: &mut Errors) {
    let ty = ungroup(&arg.ty);
    if is_context(ty) {
        errors.on(ty, "a DAG has no context, because its function builds the graph before there is a run; take the context in a task");
        return;
    }
    if let Some(segment) = last_segment(ty)
        && segment.ident == "Output"
        && let [value] = *type_arguments(segment)
    {
        let value = value.to_token_stream();
        errors
            .on(ty, format!("write the type of the value, `{value}`; in the body the parameter is an `Output` of it"));
        return;
    }
    match find_unsupported(ty, &[]) {
        Some(Unsupported::Reference(tokens)) => errors.on(
            tokens,
            "a parameter of a DAG cannot be borrowed, because it is stored with the run; write `String` for `&str` or \
             `Vec<T>` for `&[T]`",
        ),
        Some(Unsupported::Lifetime(tokens)) => errors.on(
            tokens,
            "a parameter of a DAG cannot be borrowed, because it is stored with the run; use an owned type",
        ),
        Some(Unsupported::Impl(tokens)) => {
            errors.on(tokens, "a parameter of a DAG cannot be `impl Trait`; name a type");
        }
        Some(Unsupported::Infer(tokens)) => {
            errors.on(tokens, "the type of a parameter cannot be inferred; write it out");
        }
        Some(Unsupported::Generic) | None => {}
    }
}

/// The type of the elements, if a parameter of this type is a list or a set.
fn element_of_list(ty: &Type) -> Option<&Type> {
    let segment = last_segment(ty).filter(|segment| {
        ["Vec", "VecDeque", "LinkedList", "BTreeSet", "HashSet"].iter().any(|list| segment.ident == list)
    })?;
    type_arguments(segment).first().copied()
}

/// The elements of an array of literals, each as on the command line.
fn literals(array: &ExprArray) -> Option<Vec<LitStr>> {
    let element = |element: &Expr| match option::ungroup(element) {
        Expr::Lit(literal) => Some(as_text(&literal.lit)),
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => match option::ungroup(expr) {
            Expr::Lit(literal) => {
                let text = as_text(&literal.lit);
                Some(LitStr::new(&format!("-{}", text.value()), text.span()))
            }
            _ => None,
        },
        _ => None,
    };
    array.elems.iter().map(element).collect()
}

/// A literal as on the command line.
fn as_text(literal: &Lit) -> LitStr {
    let text = match literal {
        Lit::Str(text) => text.value(),
        Lit::Int(number) => number.base10_digits().to_owned(),
        Lit::Float(number) => number.base10_digits().to_owned(),
        Lit::Bool(value) => value.value.to_string(),
        Lit::Char(character) => character.value().to_string(),
        other => other.to_token_stream().to_string(),
    };
    LitStr::new(&text, literal.span())
}

/// The source text of an expression, as a string literal for display.
pub(super) fn source_text(expr: &Expr) -> TokenStream {
    let text = crate::source_text::of(expr.to_token_stream());
    LitStr::new(&text, Span::call_site()).to_token_stream()
}
