//! Parses the value of a parameter from text, as it stands on a command line or in a form.
//!
//! A flag has no quotes: `--name 5` is the string `5` for a `String` and the number for a `u32`.
//!
//! 1. What is valid JSON is read as JSON if the type represents that JSON: it reads the text and
//!    would write it again. So an exact decimal, which writes itself as a string, is read from the
//!    text and not from a rounded number.
//! 2. A JSON string or `null` counts as JSON only for a type that takes any JSON, as
//!    `serde_json::Value` does: for other types the quotes are part of the text.
//! 3. Everything else is a string, if the type takes one, and JSON otherwise.

use serde_json::{Value as Json, json};

use crate::value::Value;

/// Whether a type with this path is a list or a set, possibly an optional one.
pub(super) fn is_list(path: &str) -> bool {
    const LISTS: [&str; 5] = [
        "alloc::vec::Vec<",
        "alloc::collections::vec_deque::VecDeque<",
        "alloc::collections::btree::set::BTreeSet<",
        "std::collections::hash::set::HashSet<",
        "alloc::collections::linked_list::LinkedList<",
    ];
    let path = path.strip_prefix("core::option::Option<").unwrap_or(path);
    LISTS.iter().any(|list| path.starts_with(list))
}

/// Reads the texts of a flag: one, or for a list one for each element.
pub(super) fn parse<T: Value>(texts: &[&str]) -> Result<T, String> {
    if !is_list(std::any::type_name::<T>()) {
        return match texts {
            [text] => parse_one(text),
            _ => Err("expected one value".to_owned()),
        };
    }
    match texts {
        [text] => parse_one(text).or_else(|error| {
            let elements = parse_elements(texts);
            // The error is about the form in which the list was written.
            elements.map_err(|of_elements| if text.trim_start().starts_with('[') { error } else { of_elements })
        }),
        _ => parse_elements(texts),
    }
}

/// Reads each text as an element: all as strings, or else all as JSON where they are JSON.
fn parse_elements<T: Value>(texts: &[&str]) -> Result<T, String> {
    let string = |text: &str| Json::from(text).to_string();
    let list = |element: &dyn Fn(&str) -> String| {
        let elements: Vec<String> = texts.iter().map(|text| element(text)).collect();
        format!("[{}]", elements.join(","))
    };
    let any = takes_any_json::<T>();
    let as_strings = list(&string);
    let as_json = list(&|text| match serde_json::from_str::<Json>(text) {
        Ok(_) => text.to_owned(),
        Err(_) => string(text),
    });
    if any {
        return from_json(&as_json);
    }
    match from_json::<T>(&as_json) {
        Ok(value) if as_json == as_strings || represents(&value, &as_json) => Ok(value),
        Ok(value) => Ok(from_json(&as_strings).unwrap_or(value)),
        Err(error) => {
            from_json(&as_strings).map_err(|of_strings| if as_json == as_strings { of_strings } else { error })
        }
    }
}

fn parse_one<T: Value>(text: &str) -> Result<T, String> {
    let as_string = || serde_json::from_value::<T>(Json::from(text)).map_err(|error| error.to_string());
    let json = match serde_json::from_str::<Json>(text) {
        Ok(json) => json,
        // A mistake in JSON that was meant as such must not become a string.
        Err(error) if text.trim_start().starts_with(['{', '[', '"']) && takes_any_json::<T>() => {
            return Err(format!("it is not valid JSON: {error}"));
        }
        Err(_) => return as_string(),
    };
    match from_json::<T>(text) {
        Ok(value) if json.is_string() || json.is_null() => {
            if takes_any_json::<T>() {
                Ok(value)
            } else {
                Ok(as_string().unwrap_or(value))
            }
        }
        Ok(value) if represents(&value, text) => Ok(value),
        Ok(value) => Ok(as_string().unwrap_or(value)),
        Err(error) => as_string().map_err(|_| error),
    }
}

/// Whether the value is written as the JSON it was read from.
fn represents<T: Value>(value: &T, text: &str) -> bool {
    match (serde_json::to_value(value), serde_json::from_str::<Json>(text)) {
        (Ok(written), Ok(read)) => written == read,
        (Err(_), _) | (_, Err(_)) => false,
    }
}

/// Whether the type takes JSON of every kind and keeps it. A list does if its elements do.
fn takes_any_json<T: Value>() -> bool {
    let any = json!([null, { "": [true, 0.5, ""] }]).to_string();
    from_json::<T>(&any).is_ok_and(|value| represents(&value, &any))
}

/// Reads JSON, with integers of any size.
fn from_json<T: Value>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| {
        let message = error.to_string();
        // On a command line there is one line.
        message.rfind(" at line 1 column ").map_or(message.clone(), |end| message[..end].to_owned())
    })
}

/// For fuzzing: reads a text as values of several types.
#[cfg(feature = "server")]
pub(super) fn read_any(given: &str) {
    use std::collections::{BTreeMap, BTreeSet};

    use crate::base::{Date, Interval, Timestamp};

    let _ = (parse::<Json>(&[given]), parse::<String>(&[given]), parse::<u128>(&[given]), parse::<f64>(&[given]));
    let _ = (parse::<Timestamp>(&[given]), parse::<Option<Date>>(&[given]), parse::<Interval>(&[given]));
    let _ = (parse::<Vec<Vec<u8>>>(&[given]), parse::<BTreeMap<String, Option<bool>>>(&[given]));
    let _ = (parse::<BTreeSet<String>>(&[given, "x", given]), parse::<Vec<Json>>(&[given, given]));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use serde::{Deserialize, Serialize};

    use super::*;

    /// A number that is written as a string, so that no digit is lost.
    #[derive(Clone, Debug, PartialEq)]
    struct Decimal(String);

    impl Serialize for Decimal {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_str(&self.0)
        }
    }

    impl<'de> Deserialize<'de> for Decimal {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            match Json::deserialize(deserializer)? {
                Json::String(text) => Ok(Decimal(text)),
                Json::Number(number) => Ok(Decimal(format!("about {number}"))),
                other => Err(serde::de::Error::custom(format!("not a decimal: {other}"))),
            }
        }
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(i64),
        Text(String),
    }

    fn one<T: Value>(text: &str) -> Result<T, String> {
        parse(&[text])
    }

    /// `--x '{"a":1}'` with `x: serde_json::Value`.
    #[test]
    fn json_is_json_for_a_type_that_takes_any_json() {
        assert_eq!(one(r#"{"a":1}"#), Ok(json!({ "a": 1 })));
        assert_eq!(one("[1, null]"), Ok(json!([1, null])));
        assert_eq!(one("5"), Ok(json!(5)));
        assert_eq!(one("null"), Ok(Json::Null));
        assert_eq!(one(r#""quoted""#), Ok(json!("quoted")));
        assert_eq!(one("plain text"), Ok(json!("plain text")));
        assert_eq!(one(r#"{"a":1}"#), Ok(Some(json!({ "a": 1 }))));
        assert_eq!(parse(&["1", r#"{"a":1}"#, "x"]), Ok(vec![json!(1), json!({ "a": 1 }), json!("x")]));
        let error = one::<Json>(r#"{"a":1"#).unwrap_err();
        assert!(error.starts_with("it is not valid JSON: EOF"), "{error}");
    }

    #[test]
    fn strings_are_text_as_it_is() {
        for text in ["5", "null", "true", r#""quoted""#, "[1]", ""] {
            assert_eq!(one(text), Ok(text.to_owned()));
            assert_eq!(one(text), Ok(Some(text.to_owned())));
            assert_eq!(one(text), Ok(PathBuf::from(text)));
        }
    }

    #[test]
    fn a_number_is_read_exactly() {
        assert_eq!(one("340282366920938463463374607431768211455"), Ok(u128::MAX));
        assert_eq!(one("-170141183460469231731687303715884105728"), Ok(i128::MIN));
        assert_eq!(one("0.10000000000000000001"), Ok(Decimal("0.10000000000000000001".to_owned())));
        assert_eq!(parse(&["340282366920938463463374607431768211455", "1"]), Ok(vec![u128::MAX, 1]));
        assert_eq!(parse(&["0.1", "0.20000000000000000001"]).map(|list: Vec<Decimal>| list[1].0.len()), Ok(22));
        assert!(one::<u128>("340282366920938463463374607431768211456").is_err());
        assert!(one::<u32>("-1").unwrap_err().ends_with("expected u32"));
    }

    #[test]
    fn an_untagged_enum_takes_numbers_and_text() {
        assert_eq!(one("5"), Ok(Either::Number(5)));
        assert_eq!(one("five"), Ok(Either::Text("five".to_owned())));
    }

    #[test]
    fn a_list_is_several_texts_or_json() {
        let regions = vec!["eu".to_owned(), "us".to_owned()];
        assert_eq!(parse(&["eu", "us"]), Ok(regions.clone()));
        assert_eq!(parse(&[r#"["eu","us"]"#]), Ok(regions.clone()));
        assert_eq!(parse(&["eu", "us"]), Ok(Some(regions.clone())));
        assert_eq!(parse(&["us", "eu", "us"]), Ok(regions.iter().cloned().collect::<BTreeSet<_>>()));
        assert_eq!(parse(&["eu"]), Ok(vec!["eu".to_owned()]));
        assert_eq!(parse(&["1", "2"]), Ok(vec!["1".to_owned(), "2".to_owned()]));
        assert_eq!(parse(&["1", "2"]), Ok(vec![1_u8, 2]));
        assert_eq!(parse(&["[1]", "[2, 3]"]), Ok(vec![vec![1], vec![2, 3]]));
        assert_eq!(parse(&["[1]"]), Ok(vec![vec![1]]));
        assert_eq!(parse::<Vec<u8>>(&[]), Ok(Vec::new()));
        assert!(parse::<Vec<u8>>(&["1", "x"]).is_err());
    }
}
