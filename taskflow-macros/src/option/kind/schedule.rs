//! Schedules, and the policies for slots that cannot start in time.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::spanned::Spanned as _;
use syn::{Expr, ExprLit, Lit, LitStr};

use super::{Initializer, Kind, some};
use crate::option::Spanned;
use crate::option::list::Value;
use crate::option::reader::{Reader, ungroup};
use crate::option::table::Form;
use crate::schedule;
use crate::suggest::nearest;

/// A cron expression, several of them, a preset, or `every("15m")`. The value is the text that the
/// core parses.
pub(crate) struct Schedule;

impl Kind for Schedule {
    type Value = Spanned<String>;

    fn read(reader: &mut Reader<'_>) -> Option<Spanned<String>> {
        const EXPECTED: &str =
            "a cron expression or a preset in quotes, a list of cron expressions, or `every(\"15m\")`";
        match reader.expr() {
            Some(Expr::Array(list)) if !list.elems.is_empty() => {
                let mut expressions = Vec::new();
                for element in &list.elems {
                    let Some(text) = string(element) else { return reader.expected(EXPECTED) };
                    let checked = schedule::check_one_of_several(&text.value()).map(|()| text.value());
                    expressions.push(reader.parsed(text.span(), checked)?.value);
                }
                Some(Spanned { value: expressions.join("; "), span: list.span() })
            }
            Some(Expr::Call(call)) if matches!(&*call.func, Expr::Path(path) if path.path.is_ident("every")) => {
                let period = call.args.first().filter(|_| call.args.len() == 1).and_then(string);
                let Some(period) = period else { return reader.expected(EXPECTED) };
                let checked =
                    schedule::check_period(&period.value()).map(|()| format!("every {}", period.value().trim()));
                reader.parsed(period.span(), checked)
            }
            Some(expr) => match string(expr) {
                Some(text) => {
                    reader.parsed(text.span(), schedule::check_schedule(&text.value()).map(|()| text.value()))
                }
                None => reader.expected(EXPECTED),
            },
            None => reader.expected(EXPECTED),
        }
    }
}

fn string(expr: &Expr) -> Option<&LitStr> {
    match ungroup(expr) {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text),
        _ => None,
    }
}

impl Initializer for Schedule {
    fn initializer(schedule: &Spanned<String>, _private: &TokenStream) -> Option<TokenStream> {
        some(&schedule.value)
    }
}

/// A policy: its names, and the variants of the type in the core.
struct Policy {
    ty: &'static str,
    variants: &'static [(&'static str, &'static str)],
}

const FIRST: Policy = Policy { ty: "First", variants: &[("next", "Next"), ("last", "Last")] };
const CATCHUP: Policy = Policy { ty: "Catchup", variants: &[("last", "Last"), ("all", "All"), ("none", "None")] };
const COMBINE: Policy = Policy { ty: "Combine", variants: &[("and", "And"), ("or", "Or")] };
const OVERLAP: Policy = Policy {
    ty: "Overlap",
    variants: &[
        ("queue", "Queue"),
        ("queue_one", "QueueOne"),
        ("skip", "Skip"),
        ("cancel", "Cancel"),
        ("allow", "Allow"),
    ],
};

impl Policy {
    fn read(&self, reader: &mut Reader<'_>) -> Option<Spanned<&'static str>> {
        let names: Vec<&str> = self.variants.iter().map(|&(name, _)| name).collect();
        let valid = format!("one of \"{}\"", names.join("\", \""));
        let Some(Lit::Str(text)) = reader.literal() else { return reader.expected(&valid) };
        let (written, span) = (text.value(), text.span());
        if let Some(&(_, variant)) = self.variants.iter().find(|&&(name, _)| name == written) {
            return Some(Spanned { value: variant, span });
        }
        let hint = nearest(&written, names).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
        let option = reader.row.name;
        reader.reject_at(span, format!("`{option}` has no value `{written}`{hint}\nwrite {valid}"))
    }

    fn initializer(&self, variant: &str, private: &TokenStream) -> Option<TokenStream> {
        let (ty, variant) = (format_ident!("{}", self.ty), format_ident!("{variant}"));
        some(quote!(#private::#ty::#variant))
    }
}

/// The first slot of a new DAG.
pub(crate) struct First;

impl Kind for First {
    type Value = Spanned<&'static str>;

    fn read(reader: &mut Reader<'_>) -> Option<Spanned<&'static str>> {
        FIRST.read(reader)
    }
}

impl Initializer for First {
    fn initializer(variant: &Spanned<&'static str>, private: &TokenStream) -> Option<TokenStream> {
        FIRST.initializer(variant.value, private)
    }
}

/// What happens to slots that passed: a name, or a flag as in Airflow.
pub(crate) struct Catchup;

impl Kind for Catchup {
    type Value = Spanned<&'static str>;
    const FORM: Form = Form::Flag;

    fn read(reader: &mut Reader<'_>) -> Option<Spanned<&'static str>> {
        let flag = |on: bool, span: Span| Some(Spanned { value: if on { "All" } else { "Last" }, span });
        match (&reader.item.value, reader.literal()) {
            (Value::Flag, _) => flag(true, reader.item.name.span()),
            (_, Some(Lit::Bool(on))) => flag(on.value, on.span()),
            _ => CATCHUP.read(reader),
        }
    }
}

impl Initializer for Catchup {
    fn initializer(variant: &Spanned<&'static str>, private: &TokenStream) -> Option<TokenStream> {
        CATCHUP.initializer(variant.value, private)
    }
}

/// What happens to slots that find too many active runs.
pub(crate) struct Overlap;

impl Kind for Overlap {
    type Value = Spanned<&'static str>;

    fn read(reader: &mut Reader<'_>) -> Option<Spanned<&'static str>> {
        OVERLAP.read(reader)
    }
}

impl Initializer for Overlap {
    fn initializer(variant: &Spanned<&'static str>, private: &TokenStream) -> Option<TokenStream> {
        OVERLAP.initializer(variant.value, private)
    }
}

/// How the schedule and the events of a DAG start its runs.
pub(crate) struct Combine;

impl Kind for Combine {
    type Value = Spanned<&'static str>;

    fn read(reader: &mut Reader<'_>) -> Option<Spanned<&'static str>> {
        COMBINE.read(reader)
    }
}

impl Initializer for Combine {
    fn initializer(variant: &Spanned<&'static str>, private: &TokenStream) -> Option<TokenStream> {
        COMBINE.initializer(variant.value, private)
    }
}
