//! Durations and points in time.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::Lit;

use super::{Initializer, Kind, some};
use crate::clock_time::ClockTime;
use crate::duration;
use crate::option::Spanned;
use crate::option::reader::Reader;
use crate::schedule;
use crate::suggest::nearest;

/// A duration, which may be zero.
pub(crate) struct Delay;

impl Kind for Delay {
    type Value = Spanned<Duration>;

    fn read(reader: &mut Reader<'_>) -> Option<Spanned<Duration>> {
        let (digits, suffix) = match reader.literal() {
            Some(Lit::Str(text)) => {
                let (text, span) = (text.value(), text.span());
                return reader.parsed(span, duration::parse(&text));
            }
            Some(Lit::Int(number)) => (number.base10_digits(), number.suffix()),
            Some(Lit::Float(number)) => (number.base10_digits(), number.suffix()),
            _ => return reader.expected("a duration in quotes"),
        };
        let unit = if suffix.is_empty() { "s" } else { suffix };
        reader.reject(format!(
            "a duration is a string with a unit: write `{} = \"{digits}{unit}\"`\n{}",
            reader.row.name,
            duration::UNITS_TEXT,
        ))
    }
}

impl Initializer for Delay {
    fn initializer(duration: &Spanned<Duration>, _private: &TokenStream) -> Option<TokenStream> {
        some(tokens(duration.value))
    }
}

/// A duration longer than zero.
pub(crate) struct PositiveDuration;

impl Kind for PositiveDuration {
    type Value = Spanned<Duration>;

    fn read(reader: &mut Reader<'_>) -> Option<Spanned<Duration>> {
        let duration = Delay::read(reader)?;
        if duration.value.is_zero() {
            let message =
                format!("`{}` must be longer than zero; remove the option to use its default", reader.row.name);
            return reader.reject_at(duration.span, message);
        }
        Some(duration)
    }
}

impl Initializer for PositiveDuration {
    fn initializer(duration: &Spanned<Duration>, private: &TokenStream) -> Option<TokenStream> {
        Delay::initializer(duration, private)
    }
}

/// A duration of at least a minute.
pub(crate) struct Window;

impl Kind for Window {
    type Value = Spanned<Duration>;

    fn read(reader: &mut Reader<'_>) -> Option<Spanned<Duration>> {
        let window = Delay::read(reader)?;
        if window.value < Duration::from_secs(60) {
            let message = format!("`{}` must be at least a minute: a slot is on time for so long", reader.row.name);
            return reader.reject_at(window.span, message);
        }
        Some(window)
    }
}

impl Initializer for Window {
    fn initializer(duration: &Spanned<Duration>, private: &TokenStream) -> Option<TokenStream> {
        Delay::initializer(duration, private)
    }
}

/// A duration as a constant expression.
fn tokens(duration: Duration) -> TokenStream {
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    quote!(::core::time::Duration::new(#seconds, #nanos))
}

/// How a delay grows: `"constant"`, `"exponential"` or a factor.
pub(crate) struct Backoff;

#[derive(Clone, Copy)]
pub(crate) enum Growth {
    Constant,
    Exponential(f64),
}

impl Kind for Backoff {
    type Value = Spanned<Growth>;

    fn read(reader: &mut Reader<'_>) -> Option<Spanned<Growth>> {
        const EXPECTED: &str =
            "\"constant\", \"exponential\" (each delay is twice the previous one) or a factor of at least 1";
        let (growth, span) = match reader.literal() {
            Some(Lit::Str(text)) => {
                let growth = match text.value().as_str() {
                    "constant" => Some(Growth::Constant),
                    "exponential" => Some(Growth::Exponential(2.0)),
                    _ => None,
                };
                (growth, text.span())
            }
            Some(Lit::Int(number)) => (number.base10_parse().ok().map(Growth::Exponential), number.span()),
            Some(Lit::Float(number)) => (number.base10_parse().ok().map(Growth::Exponential), number.span()),
            _ => return reader.expected(EXPECTED),
        };
        match growth {
            Some(Growth::Exponential(factor)) if !(factor >= 1.0 && factor.is_finite()) => reader.expected(EXPECTED),
            Some(value) => Some(Spanned { value, span }),
            None => reader.expected(EXPECTED),
        }
    }
}

impl Initializer for Backoff {
    fn initializer(growth: &Spanned<Growth>, private: &TokenStream) -> Option<TokenStream> {
        some(match growth.value {
            Growth::Constant => quote!(#private::Backoff::Constant),
            Growth::Exponential(factor) => quote!(#private::Backoff::Exponential { factor: #factor }),
        })
    }
}

/// The first or last time of a schedule, as written and as parsed.
pub(crate) struct Bound;

impl Kind for Bound {
    type Value = Spanned<(String, schedule::Bound)>;

    fn read(reader: &mut Reader<'_>) -> Option<Self::Value> {
        let Spanned { value, span } = super::Text::read(reader)?;
        let bound = schedule::parse_bound(&value).map(|bound| (value, bound));
        reader.parsed(span, bound)
    }
}

impl Initializer for Bound {
    fn initializer(bound: &Self::Value, _private: &TokenStream) -> Option<TokenStream> {
        some(&bound.value.0)
    }
}

/// `"2h after start"`, a duration and the variant of `DeadlineReference` that it is counted from;
/// or `"by 09:00"`, a time of day.
pub(crate) struct Deadline;

#[derive(Clone, Copy)]
pub(crate) enum When {
    After(Duration, &'static str),
    By(ClockTime),
}

const REFERENCES: [(&str, &str); 4] =
    [("slot", "Slot"), ("logical_date", "LogicalDate"), ("queued", "Queued"), ("start", "Started")];

impl Kind for Deadline {
    type Value = Spanned<When>;

    fn read(reader: &mut Reader<'_>) -> Option<Self::Value> {
        const EXPECTED: &str = "`by` and a time of day, such as `by 09:00`, or a duration, `after`, and one of `slot`, \
                                `logical_date`, `queued` and `start`";
        let Some(Lit::Str(text)) = reader.literal() else { return reader.expected(EXPECTED) };
        let (text, span) = (text.value(), text.span());
        if let Some(time) = text.trim().strip_prefix("by ") {
            return reader.parsed(span, ClockTime::parse(time).map(When::By));
        }
        let Some((after, reference)) = text.split_once(" after ") else {
            if ClockTime::parse(&text).is_ok() {
                return reader
                    .reject(format!("a deadline at a time of day is written with `by`: `by {}`", text.trim()));
            }
            return reader.expected(EXPECTED);
        };
        let reference = reference.trim();
        let Some((_, variant)) = REFERENCES.iter().find(|(name, _)| *name == reference) else {
            let names = REFERENCES.map(|(name, _)| name);
            let hint = nearest(reference, names).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
            return reader.reject(format!(
                "a deadline cannot be counted from `{reference}`{hint}\nit is counted from `slot` (of the schedule), \
                 `logical_date`, `queued` (when the run was requested) or `start` (of the run)"
            ));
        };
        let deadline = duration::parse(after.trim()).map(|after| When::After(after, variant));
        reader.parsed(span, deadline)
    }
}

impl Initializer for Deadline {
    fn initializer(deadline: &Self::Value, private: &TokenStream) -> Option<TokenStream> {
        some(match deadline.value {
            When::After(after, reference) => {
                let (after, reference) = (tokens(after), format_ident!("{reference}"));
                quote!(#private::Deadline::new(#after, #private::DeadlineReference::#reference))
            }
            When::By(time) => {
                let (hour, minute, second) = time.parts();
                quote!(#private::Deadline::by(#private::ClockTime::new(#hour, #minute, #second)))
            }
        })
    }
}
