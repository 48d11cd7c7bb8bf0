//! Checks defaults and choices that are strings, for parameters of primitive types.
//!
//! Such strings are parsed as on the command line, where numbers are written as in JSON. Strings
//! for other types are checked at run time.

use syn::{LitStr, Type};

use crate::errors::Errors;
use crate::types::last_segment;

/// Reports a string that is not a valid value of a primitive type.
pub(super) fn check(ty: &Type, text: &LitStr, errors: &mut Errors) {
    let Some(name) = last_segment(ty).map(|segment| segment.ident.to_string()) else { return };
    let value = text.value();
    let range = |min: i128, max: u128| {
        let number = integer(&value);
        let fits = match number {
            Some((true, size)) => i128::try_from(size).is_ok_and(|size| -size >= min),
            Some((false, size)) => size <= max,
            None => false,
        };
        (!fits).then(|| format!("an integer from {min} to {max}"))
    };
    let expected = match name.as_str() {
        "u8" => range(0, u8::MAX.into()),
        "u16" => range(0, u16::MAX.into()),
        "u32" => range(0, u32::MAX.into()),
        "u64" | "usize" => range(0, u64::MAX.into()),
        "i8" => range(i8::MIN.into(), i8::MAX.unsigned_abs().into()),
        "i16" => range(i16::MIN.into(), i16::MAX.unsigned_abs().into()),
        "i32" => range(i32::MIN.into(), i32::MAX.unsigned_abs().into()),
        "i64" | "isize" => range(i64::MIN.into(), i64::MAX.unsigned_abs().into()),
        "f32" | "f64" => (!is_number(&value)).then(|| "a number".to_owned()),
        "bool" => (!matches!(value.as_str(), "true" | "false")).then(|| "`true` or `false`".to_owned()),
        "char" => (value.chars().count() != 1).then(|| "one character".to_owned()),
        _ => None,
    };
    if let Some(expected) = expected {
        errors.at(text.span(), format!("`{value}` is not a valid {name}; write {expected}"));
    }
}

/// Whether a JSON integer is negative, and its absolute value.
fn integer(text: &str) -> Option<(bool, u128)> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let well_formed =
        digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits.len() == 1 || !digits.starts_with('0'));
    let size = digits.parse().ok().filter(|_| well_formed)?;
    Some((digits.len() < text.len(), size))
}

/// Whether the text is a JSON number: a Rust number other than `.5`, `5.`, `+5`, `inf` or one with
/// leading zeros.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let whole = digits.split(['.', 'e', 'E']).next().unwrap_or_default();
    let fraction = digits.split_once('.').map(|(_, rest)| rest.split(['e', 'E']).next().unwrap_or_default());
    text.parse::<f64>().is_ok() && integer(whole).is_some() && fraction != Some("")
}
