//! Strings, with the rules of the options that take them.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::spanned::Spanned as _;
use syn::{Expr, Lit, LitStr};

use super::{Initializer, Kind, some};
use crate::option::Spanned;
use crate::option::reader::Reader;
use crate::schedule;
use crate::suggest::nearest;

/// Any string.
pub(crate) struct Text;

impl Kind for Text {
    type Value = Spanned<String>;

    fn read(reader: &mut Reader<'_>) -> Option<Spanned<String>> {
        match reader.literal() {
            Some(Lit::Str(text)) => Some(Spanned { value: text.value(), span: text.span() }),
            _ => reader.expected("a string in quotes"),
        }
    }
}

/// A string that is not empty.
pub(crate) struct Name;

impl Kind for Name {
    type Value = Spanned<String>;

    fn read(reader: &mut Reader<'_>) -> Option<Spanned<String>> {
        let text = Text::read(reader)?;
        if text.value.trim().is_empty() {
            return reader.reject_at(text.span, format!("`{}` cannot be empty", reader.row.name));
        }
        Some(text)
    }
}

impl Initializer for Name {
    fn initializer(name: &Spanned<String>, _private: &TokenStream) -> Option<TokenStream> {
        some(&name.value)
    }
}

/// The id of a node. Freezing a graph applies the same rule; checking it here reports it at compile
/// time.
pub(crate) struct Id;

impl Kind for Id {
    type Value = Spanned<String>;

    fn read(reader: &mut Reader<'_>) -> Option<Spanned<String>> {
        let id = Name::read(reader)?;
        if let Some(invalid) = id.value.chars().find(|&c| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))) {
            return reader.reject_at(
                id.span,
                format!("an id may contain letters, digits, `_`, `-` and `.`; this one contains `{invalid}`"),
            );
        }
        if id.value.len() > 250 {
            let message = format!("an id may have at most 250 bytes; this one has {}", id.value.len());
            return reader.reject_at(id.span, message);
        }
        Some(id)
    }
}

/// The IANA name of a time zone.
pub(crate) struct TimeZone;

impl Kind for TimeZone {
    type Value = Spanned<String>;

    fn read(reader: &mut Reader<'_>) -> Option<Spanned<String>> {
        checked(reader, schedule::check_timezone)
    }
}

impl Initializer for TimeZone {
    fn initializer(zone: &Spanned<String>, _private: &TokenStream) -> Option<TokenStream> {
        some(&zone.value)
    }
}

fn checked(reader: &mut Reader<'_>, check: fn(&str) -> Result<(), String>) -> Option<Spanned<String>> {
    let Spanned { value, span } = Text::read(reader)?;
    let result = check(&value).map(|()| value);
    reader.parsed(span, result)
}

/// A regular expression.
pub(crate) struct Pattern;

impl Kind for Pattern {
    type Value = LitStr;

    fn read(reader: &mut Reader<'_>) -> Option<LitStr> {
        let Some(Lit::Str(text)) = reader.literal() else { return reader.expected("a regular expression in quotes") };
        let text = text.clone();
        match regex_lite::Regex::new(&text.value()) {
            Ok(_) => Some(text),
            Err(error) => reader.reject_at(text.span(), format!("invalid regular expression: {error}")),
        }
    }
}

/// `"process"`.
pub(crate) struct Isolation;

impl Kind for Isolation {
    type Value = Spanned<()>;

    fn read(reader: &mut Reader<'_>) -> Option<Spanned<()>> {
        keyword(reader, "process", "only \"process\", which runs each attempt in a process of its own")
    }
}

/// `"spark"`.
pub(crate) struct Executor;

impl Kind for Executor {
    type Value = Spanned<()>;

    fn read(reader: &mut Reader<'_>) -> Option<Spanned<()>> {
        keyword(
            reader,
            "spark",
            "only \"spark\", the executors of the connection `spark_default` (`.on(..)` in the DAG selects another \
             connection)",
        )
    }
}

impl Initializer for Executor {
    fn initializer(_executor: &Spanned<()>, private: &TokenStream) -> Option<TokenStream> {
        some(quote!(#private::spark()))
    }
}

fn keyword(reader: &mut Reader<'_>, keyword: &str, expected: &str) -> Option<Spanned<()>> {
    match reader.literal() {
        Some(Lit::Str(text)) if text.value() == keyword => Some(Spanned { value: (), span: text.span() }),
        _ => reader.expected(expected),
    }
}

/// A trigger rule: the name that Airflow gives it, or the path of a variant. The value is the
/// variant of `TriggerRule`.
pub(crate) struct TriggerRule;

const TRIGGER_RULES: [(&str, &str); 13] = [
    ("all_success", "AllSuccess"),
    ("all_failed", "AllFailed"),
    ("all_done", "AllDone"),
    ("all_done_min_one_success", "AllDoneMinOneSuccess"),
    ("all_done_setup_success", "AllDoneSetupSuccess"),
    ("one_success", "OneSuccess"),
    ("one_failed", "OneFailed"),
    ("one_done", "OneDone"),
    ("none_failed", "NoneFailed"),
    ("none_failed_min_one_success", "NoneFailedMinOneSuccess"),
    ("none_skipped", "NoneSkipped"),
    ("all_skipped", "AllSkipped"),
    ("always", "Always"),
];

impl Kind for TriggerRule {
    type Value = Spanned<&'static str>;

    fn read(reader: &mut Reader<'_>) -> Option<Spanned<&'static str>> {
        let (written, span) = match (reader.literal(), reader.expr()) {
            (Some(Lit::Str(text)), _) => (text.value(), text.span()),
            (_, Some(Expr::Path(path))) if path.path.segments.len() > 1 => {
                let variant = path.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
                let rule = TRIGGER_RULES.iter().find(|(_, known)| *known == variant);
                (rule.map_or(variant, |(name, _)| (*name).to_owned()), path.path.span())
            }
            _ => return reader.expected("the name of a trigger rule"),
        };
        if let Some((_, variant)) = TRIGGER_RULES.iter().find(|(rule, _)| *rule == written) {
            return Some(Spanned { value: variant, span });
        }
        let names = TRIGGER_RULES.map(|(rule, _)| rule);
        let hint = nearest(&written, names).map(|rule| format!("; did you mean `{rule}`?")).unwrap_or_default();
        reader.reject(format!("there is no trigger rule `{written}`{hint}\nvalid trigger rules: {}", names.join(", ")))
    }
}

impl Initializer for TriggerRule {
    fn initializer(rule: &Spanned<&'static str>, private: &TokenStream) -> Option<TokenStream> {
        let variant = format_ident!("{}", rule.value);
        some(quote!(#private::TriggerRule::#variant))
    }
}
