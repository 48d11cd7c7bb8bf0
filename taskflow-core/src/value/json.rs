//! Converts a stored value to JSON without its type.
//!
//! MessagePack can represent more than JSON. Other data becomes readable text:
//!
//! | stored | JSON |
//! |---|---|
//! | NaN, infinities | `"NaN"`, `"inf"`, `"-inf"` |
//! | integers beyond ±2^53, which many readers of JSON would round | `"9007199254740993"` |
//! | binary, an extension | `"<12 bytes>"`, `"<extension 5, 12 bytes>"` |
//! | a text that is no UTF-8 | with `�` in the place of each wrong byte |
//! | keys that are no texts | their own JSON as text: `"[1,\"a\"]"`, `"7"`, `"null"`; lists and maps within five keys of keys `"…"` |
//!
//! A 128-bit integer is stored as 16 bytes of binary. It is displayed as a number if the type of
//! the value, which is stored beside it, mentions `u128` or `i128`, and as binary otherwise.

use serde_json::Value;

use super::msgpack::{self, Broken, Chunk, Reader, Token};

/// The largest integer up to which a double, which most JSON readers use, is exact.
const EXACT: u64 = 1 << 53;

/// What 16 bytes of binary are in a value of some type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sixteen {
    Bytes,
    Unsigned,
    Signed,
}

impl Sixteen {
    /// In a value of this type, `Vec<u128>` say. The type only tells for sure if it mentions one
    /// kind.
    pub(super) fn of_type(ty: &str) -> Self {
        let names = || ty.split(|c: char| !c.is_alphanumeric() && c != '_');
        match (names().any(|name| name == "u128"), names().any(|name| name == "i128")) {
            (true, false) => Sixteen::Unsigned,
            (false, true) => Sixteen::Signed,
            (true, true) | (false, false) => Sixteen::Bytes,
        }
    }
}

/// Converts a whole stored value of the named type to JSON.
///
/// It can take fifty times the memory of the bytes; [`preview`](super::preview::preview) is for
/// values of any size. If several keys become the same text, the last one wins.
///
/// # Errors
///
/// If the bytes are not exactly one value.
pub(crate) fn to_json(bytes: &[u8], ty: &str) -> Result<Value, String> {
    if super::is_table(bytes) {
        return super::table_file::to_json(bytes);
    }
    // This also limits the depth.
    msgpack::check(bytes).map_err(|broken| broken.to_string())?;
    value(&mut Reader::new(bytes), 0, Sixteen::of_type(ty)).map_err(|broken| broken.to_string())
}

/// `keys` is the number of map keys around this value: a key is JSON within a text, and each level
/// doubles the escapes of the quotes inside.
fn value(reader: &mut Reader<'_>, keys: u32, sixteen: Sixteen) -> Result<Value, Broken> {
    const DEEPEST: u32 = 4;
    Ok(match reader.whole_token()? {
        Token::List(len) => (0..len).map(|_| value(reader, keys, sixteen)).collect::<Result<_, _>>()?,
        Token::Map(len) => {
            let mut entry = || {
                let name = match value(reader, keys + 1, sixteen)? {
                    Value::Array(_) | Value::Object(_) if keys >= DEEPEST => "…".to_owned(),
                    name => key(name),
                };
                Ok((name, value(reader, keys, sixteen)?))
            };
            (0..len).map(|_| entry()).collect::<Result<_, _>>()?
        }
        token => scalar(token, sixteen),
    })
}

/// The key for a value.
pub(super) fn key(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// The JSON of a scalar token; the header of a list or map becomes null.
pub(super) fn scalar(token: Token<'_>, sixteen: Sixteen) -> Value {
    match token {
        Token::Nil | Token::List(_) | Token::Map(_) => Value::Null,
        Token::Bool(flag) => flag.into(),
        Token::Unsigned(number) if number <= EXACT => number.into(),
        Token::Unsigned(number) => number.to_string().into(),
        Token::Signed(number) if number.unsigned_abs() <= EXACT => number.into(),
        Token::Signed(number) => number.to_string().into(),
        // Convert through text: as a double, 0.1 would be 0.10000000149011612.
        Token::Single(number) => double(number.to_string().parse().unwrap_or(f64::from(number))),
        Token::Double(number) => double(number),
        Token::Text(chunk) => String::from_utf8_lossy(chunk.bytes).into(),
        Token::Binary(chunk) if let Some(number) = wide(chunk, sixteen) => number,
        Token::Binary(chunk) => format!("<{}>", size(chunk)).into(),
        Token::Extension(kind, chunk) => format!("<extension {kind}, {}>", size(chunk)).into(),
    }
}

/// The 128-bit integer that these bytes are, if they are one.
fn wide(chunk: Chunk<'_>, sixteen: Sixteen) -> Option<Value> {
    let bytes: [u8; 16] = chunk.bytes.try_into().ok()?;
    let (short, text) = match sixteen {
        Sixteen::Bytes => return None,
        Sixteen::Unsigned => {
            let number = u128::from_be_bytes(bytes);
            (i64::try_from(number).ok(), number.to_string())
        }
        Sixteen::Signed => {
            let number = i128::from_be_bytes(bytes);
            (i64::try_from(number).ok(), number.to_string())
        }
    };
    Some(short.filter(|number| number.unsigned_abs() <= EXACT).map_or_else(|| text.into(), Value::from))
}

fn double(number: f64) -> Value {
    match serde_json::Number::from_f64(number) {
        Some(number) => Value::Number(number),
        None => number.to_string().into(),
    }
}

fn size(chunk: Chunk<'_>) -> String {
    match chunk.len {
        1 => "1 byte".to_owned(),
        len => format!("{len} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::Serialize;
    use serde_json::json;

    use super::*;

    fn json_of<T: Serialize>(value: T) -> Value {
        to_json(&rmp_serde::to_vec_named(&value).unwrap(), std::any::type_name::<T>()).unwrap()
    }

    #[test]
    fn values_that_json_can_express_are_unchanged() {
        let value =
            json!({"a": [1, -2, 0.5, null, true, "text"], "b": {"c": {}}, "d": [], "e": 9_007_199_254_740_992_u64});
        assert_eq!(json_of(&value), value);
        assert_eq!(json_of((0.1_f32, 1.0_f32, -7_i8)), json!([0.1, 1.0, -7]));
    }

    #[test]
    fn numbers_that_json_cannot_express_become_strings() {
        assert_eq!(json_of((f64::NAN, f64::INFINITY, f32::NEG_INFINITY)), json!(["NaN", "inf", "-inf"]));
        assert_eq!(json_of((u64::MAX, i64::MIN)), json!(["18446744073709551615", "-9223372036854775808"]));
    }

    #[test]
    fn binary_shows_its_size() {
        assert_eq!(to_json(&[0xc4, 2, 1, 2], "").unwrap(), json!("<2 bytes>"));
        assert_eq!(to_json(&[0xd4, 0xff, 7], "").unwrap(), json!("<extension -1, 1 byte>"));
    }

    #[test]
    fn integers_of_128_bits_are_exact_where_the_type_mentions_them() {
        let max = json!("340282366920938463463374607431768211455");
        assert_eq!(json_of(u128::MAX), max);
        assert_eq!(json_of(vec![Some(5_u128), None]), json!([5, null]));
        assert_eq!(json_of((i128::MIN, "x")), json!(["-170141183460469231731687303715884105728", "x"]));
        assert_eq!(
            json_of(BTreeMap::from([(u128::MAX, -1_i8)])),
            json!({ "340282366920938463463374607431768211455": -1 })
        );
        assert_eq!(json_of((1_u128, 1_i128)), json!(["<16 bytes>", "<16 bytes>"]));
    }

    #[test]
    fn keys_of_any_kind_become_strings() {
        assert_eq!(json_of(BTreeMap::from([((1, "a"), 1)])), json!({"[1,\"a\"]": 1}));
        assert_eq!(
            json_of(BTreeMap::from([(None, 1), (Some(u64::MAX), 2)])),
            json!({"null": 1, "18446744073709551615": 2})
        );
    }

    #[test]
    fn nested_keys_do_not_grow_without_bound() {
        // Nested maps as map keys: found by fuzzing, as 2 GiB of backslashes.
        let mut bytes = vec![0x81; 100];
        bytes.extend([0; 101]);
        let text = to_json(&bytes, "").unwrap().to_string();
        assert!(text.len() < 10_000 && text.contains('…'), "{} bytes", text.len());
    }

    #[test]
    fn anything_but_exactly_one_value_is_an_error() {
        assert_eq!(to_json(&[], "").unwrap_err(), "the stored bytes end at byte 0, before the value does");
        assert_eq!(to_json(&[1, 1], "").unwrap_err(), "the stored value ends at byte 1, and 1 bytes follow");
        assert_eq!(
            to_json(&[0x91; 1000], "").unwrap_err(),
            "at byte 128 the stored value is nested deeper than 128 levels"
        );
    }

    proptest! {
        #[test]
        fn reading_arbitrary_bytes_does_not_panic(bytes: Vec<u8>) {
            let _ = to_json(&bytes, "");
        }
    }
}
