//! One written value on its way to its type.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Lit, LitStr, Path, UnOp};

use super::Sp;
use super::list::{Item, Value};
use super::read::Backoff;
use super::table::{Key, example, flag_form, nearest};
use crate::duration;
use crate::errors::Errors;
use crate::schedule::{self, Bound};
use crate::size;

/// Whether a duration of zero makes sense for an option.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Zero {
    Allowed,
    Rejected,
}

/// One option on its way to its type.
pub(super) struct Reader<'a> {
    pub(super) key: Key,
    pub(super) item: &'a Item,
    pub(super) errors: &'a mut Errors,
}

impl Reader<'_> {
    pub(super) fn expr(&self) -> Option<&Expr> {
        match &self.item.value {
            Value::Is(expr) => Some(peel(expr)),
            Value::Flag | Value::Missing | Value::Broken(_) | Value::List(_) => None,
        }
    }

    fn literal(&self) -> Option<&Lit> {
        match self.expr()? {
            Expr::Lit(literal) => Some(&literal.lit),
            _ => None,
        }
    }

    /// Reports that the value is not what the option takes.
    fn wrong<T>(&mut self, takes: &str) -> Option<T> {
        self.reject(format!("`{}` takes {takes}: `{}`", self.item.name, example(self.key)))
    }

    /// Reports a mistake in the value.
    fn reject<T>(&mut self, message: String) -> Option<T> {
        let value = self.expr().map(ToTokens::to_token_stream).unwrap_or_default();
        self.errors.on(value, message);
        None
    }

    pub(super) fn text(&mut self) -> Option<Sp<String>> {
        match self.literal() {
            Some(Lit::Str(text)) => Some(Sp { value: text.value(), span: text.span() }),
            _ => self.wrong("a text in quotes"),
        }
    }

    pub(super) fn not_empty(&mut self, text: Sp<String>) -> Option<Sp<String>> {
        if text.value.trim().is_empty() {
            self.errors.at(text.span, format!("`{}` cannot be empty", self.item.name));
            return None;
        }
        Some(text)
    }

    /// The rule that freezing a graph applies to ids, so that it is seen while compiling.
    pub(super) fn checked_id(&mut self, id: Sp<String>) -> Option<Sp<String>> {
        let id = self.not_empty(id)?;
        let wrong = id.value.chars().find(|&c| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.')));
        if let Some(wrong) = wrong {
            self.errors
                .at(id.span, format!("an id consists of letters, digits, `_`, `-` and `.`; this one has `{wrong}`"));
            return None;
        }
        if id.value.len() > 250 {
            self.errors.at(id.span, format!("an id has at most 250 bytes; this one has {}", id.value.len()));
            return None;
        }
        Some(id)
    }

    pub(super) fn checked(&mut self, check: fn(&str) -> Result<(), String>) -> Option<Sp<String>> {
        let text = self.text()?;
        match check(&text.value) {
            Ok(()) => Some(text),
            Err(message) => {
                self.errors.at(text.span, message);
                None
            }
        }
    }

    pub(super) fn bound(&mut self) -> Option<Sp<(String, Bound)>> {
        let Sp { value, span } = self.text()?;
        match schedule::parse_bound(&value) {
            Ok(bound) => Some(Sp { value: (value, bound), span }),
            Err(message) => {
                self.errors.at(span, message);
                None
            }
        }
    }

    pub(super) fn flag(&mut self) -> Option<Sp<bool>> {
        match (&self.item.value, self.literal()) {
            (Value::Flag, _) => Some(Sp { value: true, span: self.item.name.span() }),
            (_, Some(Lit::Bool(value))) => Some(Sp { value: value.value, span: self.item.name.span() }),
            _ => {
                let message = flag_form(&self.item.name);
                self.reject(message)
            }
        }
    }

    /// An integer literal with an optional minus.
    pub(super) fn integer<T: TryFrom<i128> + Bounded>(&mut self) -> Option<Sp<T>> {
        let (negative, number) = match self.expr() {
            Some(Expr::Unary(unary)) if matches!(unary.op, UnOp::Neg(_)) => (true, peel(&unary.expr)),
            Some(expr) => (false, expr),
            None => return self.wrong("a whole number"),
        };
        let Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) = number else { return self.wrong("a whole number") };
        if !number.suffix().is_empty() {
            return self.wrong("a whole number without a suffix");
        }
        let span = number.span();
        let value = number.base10_parse::<i128>().ok().map(|value| if negative { -value } else { value });
        match value.and_then(|value| T::try_from(value).ok()) {
            Some(value) => Some(Sp { value, span }),
            None => self.wrong(T::RANGE),
        }
    }

    pub(super) fn positive(&mut self) -> Option<Sp<u32>> {
        let number: Sp<u32> = self.integer()?;
        if number.value == 0 {
            self.errors.at(number.span, format!("`{}` must be at least 1", self.item.name));
            return None;
        }
        Some(number)
    }

    pub(super) fn duration(&mut self, zero: Zero) -> Option<Sp<Duration>> {
        let (text, span) = match self.literal() {
            Some(Lit::Str(text)) => (text.value(), text.span()),
            Some(Lit::Int(number)) => {
                let unit = if number.suffix().is_empty() { "s" } else { number.suffix() };
                return self.unquoted(&format!("{}{unit}", number.base10_digits()));
            }
            Some(Lit::Float(number)) => {
                let unit = if number.suffix().is_empty() { "s" } else { number.suffix() };
                return self.unquoted(&format!("{}{unit}", number.base10_digits()));
            }
            _ => return self.wrong("a duration in quotes"),
        };
        match duration::parse(&text) {
            Ok(Duration::ZERO) if zero == Zero::Rejected => {
                self.errors
                    .at(span, format!("`{}` must be longer than zero; leave it out for no limit", self.item.name));
                None
            }
            Ok(value) => Some(Sp { value, span }),
            Err(message) => {
                self.errors.at(span, message);
                None
            }
        }
    }

    pub(super) fn isolation(&mut self) -> Option<Sp<()>> {
        match self.literal() {
            Some(Lit::Str(text)) if text.value() == "process" => Some(Sp { value: (), span: text.span() }),
            _ => self.wrong("\"process\", a process of its own for each attempt; without the option there is none"),
        }
    }

    pub(super) fn executor(&mut self) -> Option<Sp<()>> {
        match self.literal() {
            Some(Lit::Str(text)) if text.value() == "spark" => Some(Sp { value: (), span: text.span() }),
            _ => self
                .wrong("\"spark\", the executors of the connection `spark_default`; `.on(..)` in the DAG names others"),
        }
    }

    pub(super) fn size(&mut self) -> Option<Sp<u64>> {
        let text = match self.literal() {
            Some(Lit::Str(text)) => text.clone(),
            Some(Lit::Int(number)) => {
                let unit = if number.suffix().is_empty() { "MiB" } else { number.suffix() };
                let (name, digits) = (&self.item.name, number.base10_digits());
                let units = size::UNITS_TEXT;
                return self.reject(format!(
                    "an amount of memory is written in quotes with its unit: `{name} = \"{digits}{unit}\"`; {units}"
                ));
            }
            _ => return self.wrong("an amount of memory in quotes"),
        };
        match size::parse(&text.value()) {
            Ok(value) => Some(Sp { value, span: text.span() }),
            Err(message) => {
                self.errors.at(text.span(), message);
                None
            }
        }
    }

    fn unquoted(&mut self, suggestion: &str) -> Option<Sp<Duration>> {
        let name = &self.item.name;
        let units = duration::UNITS_TEXT;
        self.reject(format!("a duration is written in quotes with its unit: `{name} = \"{suggestion}\"`; {units}"))
    }

    pub(super) fn backoff(&mut self) -> Option<Sp<Backoff>> {
        const TAKES: &str = "\"constant\", \"exponential\" (each wait twice the one before) or a factor of at least 1";
        let (value, span) = match self.literal() {
            Some(Lit::Str(text)) => {
                let value = match text.value().as_str() {
                    "constant" => Some(Backoff::Constant),
                    "exponential" => Some(Backoff::Exponential(2.0)),
                    _ => None,
                };
                (value, text.span())
            }
            Some(Lit::Int(number)) => (number.base10_parse().ok().map(Backoff::Exponential), number.span()),
            Some(Lit::Float(number)) => (number.base10_parse().ok().map(Backoff::Exponential), number.span()),
            _ => return self.wrong(TAKES),
        };
        match value {
            Some(Backoff::Exponential(factor)) if !(factor >= 1.0 && factor.is_finite()) => self.wrong(TAKES),
            Some(value) => Some(Sp { value, span }),
            None => self.wrong(TAKES),
        }
    }

    pub(super) fn trigger_rule(&mut self) -> Option<Sp<&'static str>> {
        let (name, span) = match (self.literal(), self.expr()) {
            (Some(Lit::Str(text)), _) => (text.value(), text.span()),
            (_, Some(Expr::Path(path))) if path.path.segments.len() > 1 => {
                let variant = path.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
                let rule = RULES.iter().find(|(_, known)| *known == variant);
                (rule.map_or(variant.clone(), |(name, _)| (*name).to_owned()), path.path.span())
            }
            _ => return self.wrong("the name of a trigger rule"),
        };
        if let Some((_, variant)) = RULES.iter().find(|(rule, _)| *rule == name) {
            return Some(Sp { value: variant, span });
        }
        let names = RULES.map(|(rule, _)| rule);
        let hint = nearest(&name, names).map(|rule| format!("; did you mean `{rule}`?")).unwrap_or_default();
        self.reject(format!("there is no trigger rule `{name}`{hint}\nthe rules are {}", names.join(", ")))
    }

    pub(super) fn texts(&mut self) -> Vec<LitStr> {
        let Some(Expr::Array(array)) = self.expr() else { return self.wrong("a list of texts").unwrap_or_default() };
        let texts: Vec<_> = array
            .elems
            .iter()
            .map(|element| match peel(element) {
                Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Ok(text.clone()),
                other => Err(other.to_token_stream()),
            })
            .collect();
        let mut result = Vec::new();
        for text in texts {
            match text {
                Ok(text) if text.value().trim().is_empty() => self.errors.at(text.span(), "this text is empty"),
                Ok(text) => result.push(text),
                Err(tokens) => self.errors.on(tokens, format!("`{}` holds texts in quotes", self.item.name)),
            }
        }
        result
    }

    pub(super) fn choices(&mut self) -> Vec<Lit> {
        let Some(Expr::Array(array)) = self.expr() else { return self.wrong("a list of literals").unwrap_or_default() };
        if array.elems.is_empty() {
            return self.wrong("at least one literal").unwrap_or_default();
        }
        let mut literals = Vec::new();
        let mut wrong: Vec<TokenStream> = Vec::new();
        for element in &array.elems {
            match peel(element) {
                Expr::Lit(literal) => literals.push(literal.lit.clone()),
                other => wrong.push(other.to_token_stream()),
            }
        }
        for tokens in wrong {
            self.errors.on(tokens, "a choice is a literal: a text in quotes, a number, `true` or `false`");
        }
        literals
    }

    pub(super) fn range(&mut self) -> Option<Expr> {
        match self.expr() {
            Some(range @ Expr::Range(_)) => Some(range.clone()),
            _ => self.wrong("a range"),
        }
    }

    pub(super) fn pattern(&mut self) -> Option<LitStr> {
        let Some(Lit::Str(text)) = self.literal() else { return self.wrong("a regular expression in quotes") };
        let text = text.clone();
        match regex_lite::Regex::new(&text.value()) {
            Ok(_) => Some(text),
            Err(error) => {
                self.errors.at(text.span(), format!("not a regular expression: {error}"));
                None
            }
        }
    }

    /// A function, by its path or as a closure.
    pub(super) fn judge(&mut self) -> Option<Expr> {
        match self.expr() {
            Some(judge @ (Expr::Path(_) | Expr::Closure(_))) => Some(judge.clone()),
            _ => self.wrong("the name of a function, or a closure, that takes the error"),
        }
    }

    /// A function or a notifier: anything but a literal.
    pub(super) fn callback(&mut self) -> Option<Expr> {
        match self.expr() {
            Some(Expr::Lit(_)) | None => {
                self.wrong("a function that takes a `&Notification`, or one of `taskflow::notify`")
            }
            Some(callback) => Some(callback.clone()),
        }
    }

    /// A time after one of the times that a run has.
    pub(super) fn deadline(&mut self) -> Option<Sp<(Duration, &'static str)>> {
        const TAKES: &str = "a duration, `after`, and one of `logical_date`, `queued` and `start`";
        let Some(Lit::Str(text)) = self.literal() else { return self.wrong(TAKES) };
        let (text, span) = (text.value(), text.span());
        let Some((duration, reference)) = text.split_once(" after ") else { return self.wrong(TAKES) };
        let known = REFERENCES.iter().find(|(name, _)| *name == reference.trim());
        let Some((_, variant)) = known else {
            let names = REFERENCES.map(|(name, _)| name);
            let hint = nearest(reference.trim(), names).map(|name| format!("; did you mean `{name}`?"));
            let (reference, hint) = (reference.trim(), hint.unwrap_or_default());
            return self.reject(format!(
                "a run has no time `{reference}` to count a deadline from{hint}\nthere are `logical_date`, `queued` (when it \
                 was asked for) and `start`"
            ));
        };
        match duration::parse(duration.trim()) {
            Ok(after) => Some(Sp { value: (after, variant), span }),
            Err(message) => {
                self.errors.at(span, message);
                None
            }
        }
    }

    pub(super) fn path(&mut self) -> Option<Path> {
        match self.expr() {
            Some(Expr::Path(path)) if path.qself.is_none() => Some(path.path.clone()),
            _ => self.wrong("a path"),
        }
    }
}

/// The range of a type, in words.
pub(super) trait Bounded {
    const RANGE: &str;
}

impl Bounded for u32 {
    const RANGE: &str = "a whole number from 0 to 4294967295";
}

impl Bounded for i32 {
    const RANGE: &str = "a whole number from -2147483648 to 2147483647";
}

/// The expression inside the invisible groups that a `macro_rules!` macro leaves around its fragments.
pub(crate) fn peel(mut expr: &Expr) -> &Expr {
    while let Expr::Group(group) = expr {
        expr = &group.expr;
    }
    expr
}

/// What a deadline is counted from, and the variants of `DeadlineReference`.
const REFERENCES: [(&str, &str); 3] = [("logical_date", "LogicalDate"), ("queued", "Queued"), ("start", "Started")];

/// Airflow's names of the trigger rules, and the variants of `TriggerRule`.
const RULES: [(&str, &str); 13] = [
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
