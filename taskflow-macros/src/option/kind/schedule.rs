//! Schedules, and the policies for slots that cannot start in time.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Expr, ExprLit, Lit, LitStr};

use super::{Initializer, Kind, some};
use crate::option::Spanned;
use crate::option::list::Value;
use crate::option::reader::{Reader, ungroup};
use crate::option::row::Form;
use crate::schedule;
use crate::source_text;
use crate::spans;
use crate::suggest::nearest;

/// A cron expression, several of them, a preset, `every("15m")`, possibly with an offset, or an
/// expression that is a timetable.
pub(crate) struct Schedule;

/// What a schedule is.
pub(crate) enum Source {
    /// The text that the core parses.
    Text(String),
    Timetable(Expr),
}

impl Source {
    /// `@once` or `@continuous`, which have neither days nor data intervals.
    pub(crate) fn without_days(&self) -> Option<&str> {
        match self {
            Source::Text(text) => Some(&**text).filter(|text| matches!(*text, "@once" | "@continuous")),
            Source::Timetable(_) => None,
        }
    }
}

impl Kind for Schedule {
    type Value = Spanned<Source>;

    fn read(reader: &mut Reader<'_>) -> Option<Spanned<Source>> {
        const EXPECTED: &str =
            "a cron expression or a preset in quotes, a list of cron expressions, `every(\"15m\")`, or a timetable";
        match reader.expr() {
            Some(Expr::Array(list)) if !list.elems.is_empty() => {
                let mut expressions = Vec::new();
                for element in &list.elems {
                    let Some(text) = string(element) else { return reader.expected(EXPECTED) };
                    let checked = schedule::check_one_of_several(&text.value()).map(|()| text.value());
                    expressions.push(reader.parsed(text.span(), checked)?.value);
                }
                Some(Spanned { value: Source::Text(expressions.join("; ")), span: list.span() })
            }
            Some(Expr::Call(call)) if matches!(&*call.func, Expr::Path(path) if path.path.is_ident("every")) => {
                let mut args = call.args.iter();
                let (period, offset, more) = (args.next().and_then(string), args.next(), args.next());
                let (Some(period), None) = (period, more) else { return reader.expected(EXPECTED) };
                let (text, span) = (period.value(), period.span());
                let every = format!("every {}", text.trim());
                let every = reader.parsed(span, schedule::check_period(&text).map(|()| every))?.value;
                let Some(offset) = offset else { return Some(Spanned { value: Source::Text(every), span }) };
                let Some(offset) = offset_of(offset) else {
                    return reader.reject("`every` takes a period and an offset: `every(\"15m\", offset = \"5m\")`");
                };
                let checked = schedule::check_offset(&offset.value(), &text)
                    .map(|()| Source::Text(format!("{every} offset {}", offset.value().trim())));
                reader.parsed(offset.span(), checked)
            }
            Some(expr) => match string(expr) {
                Some(text) => {
                    let checked = schedule::check_schedule(&text.value()).map(|()| Source::Text(text.value()));
                    reader.parsed(text.span(), checked)
                }
                None if is_literal(expr) => reader.expected(EXPECTED),
                None => Some(Spanned { value: Source::Timetable(expr.clone()), span: expr.span() }),
            },
            None => reader.expected(EXPECTED),
        }
    }
}

/// Whether an expression has a type that the compiler need not be asked for.
fn is_literal(expr: &Expr) -> bool {
    matches!(expr, Expr::Lit(_) | Expr::Closure(_) | Expr::Tuple(_) | Expr::Array(_))
}

/// The text of `offset = "5m"`.
fn offset_of(expr: &Expr) -> Option<&LitStr> {
    match ungroup(expr) {
        Expr::Assign(assign) if matches!(&*assign.left, Expr::Path(path) if path.path.is_ident("offset")) => {
            string(&assign.right)
        }
        _ => None,
    }
}

fn string(expr: &Expr) -> Option<&LitStr> {
    match ungroup(expr) {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text),
        _ => None,
    }
}

impl Initializer for Schedule {
    fn initializer(schedule: &Spanned<Source>, private: &TokenStream) -> Option<TokenStream> {
        match &schedule.value {
            Source::Text(text) => some(quote!(#private::ScheduleSource::Text(#text))),
            Source::Timetable(expr) => {
                let expression = expression("timetable", expr, private);
                some(quote!(#private::ScheduleSource::Timetable(#expression)))
            }
        }
    }
}

/// An expression that is evaluated at run time, as the argument of `function`.
fn expression(function: &str, expr: &Expr, private: &TokenStream) -> TokenStream {
    let (text, function) = (source_text::of(expr.to_token_stream()), format_ident!("{function}"));
    // Spanned at the expression, so that the compiler reports one of the wrong type there.
    let at = spans::at(expr.span(), private);
    let make = quote_spanned!(expr.span()=> #at::#function(#expr));
    quote!(#private::Expression::new(#text, || #make))
}

/// The days on which a DAG is not due: an expression that is a calendar.
pub(crate) struct Calendar;

impl Kind for Calendar {
    type Value = Expr;

    fn read(reader: &mut Reader<'_>) -> Option<Expr> {
        match reader.expr() {
            Some(Expr::Lit(_) | Expr::Closure(_)) | None => {
                reader.expected("a calendar: a list of days, or a value that implements `taskflow::schedule::Calendar`")
            }
            Some(expr) => Some(expr.clone()),
        }
    }
}

impl Initializer for Calendar {
    fn initializer(calendar: &Expr, private: &TokenStream) -> Option<TokenStream> {
        some(expression("calendar", calendar, private))
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
const ON_UPDATE: Policy = Policy { ty: "OnUpdate", variants: &[("ignore", "Ignore"), ("rerun", "Rerun")] };
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

const SHIFT: Policy =
    Policy { ty: "Shift", variants: &[("next_day", "NextDay"), ("previous_day", "PreviousDay"), ("drop", "Drop")] };

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

/// Where slots on exceptional days go.
pub(crate) struct Shift;

impl Kind for Shift {
    type Value = Spanned<&'static str>;

    fn read(reader: &mut Reader<'_>) -> Option<Spanned<&'static str>> {
        SHIFT.read(reader)
    }
}

impl Initializer for Shift {
    fn initializer(variant: &Spanned<&'static str>, private: &TokenStream) -> Option<TokenStream> {
        SHIFT.initializer(variant.value, private)
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

/// What an event of a period does that has had its run.
pub(crate) struct OnUpdate;

impl Kind for OnUpdate {
    type Value = Spanned<&'static str>;

    fn read(reader: &mut Reader<'_>) -> Option<Spanned<&'static str>> {
        ON_UPDATE.read(reader)
    }
}

impl Initializer for OnUpdate {
    fn initializer(variant: &Spanned<&'static str>, private: &TokenStream) -> Option<TokenStream> {
        ON_UPDATE.initializer(variant.value, private)
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
