//! Encodes values as MessagePack with field names, so that a stored value can be read without its
//! type and by later versions of the type.
//!
//! A value that the format cannot represent is rejected where it is produced: the task fails at
//! once, instead of a run that is resumed a week later. [`probe`] finds what would be decoded as
//! something else. It cannot detect a type that does not read what it writes: `skip_serializing_if`
//! without `default`, a 128-bit integer in an untagged enum. Most values of such a type show the
//! mistake, so values up to [`READ_BACK`] bytes are decoded before they are stored. For larger
//! values that would double the cost of storing; their mistake is found when the value is read.

use std::any::Any;

use serde::de::{Deserialize, IgnoredAny};
use serde::{Serialize, Serializer};

use super::msgpack::MAX_DEPTH;
use super::{AnyValue, TypeInfo, Value, msgpack, probe};

/// Values of up to so many bytes are decoded before they are stored.
const READ_BACK: usize = 4096;

/// The operations on values of a type that is known only by name: one static per type.
pub(super) struct Codec {
    pub(super) json: fn(&AnyValue) -> Result<serde_json::Value, String>,
    pub(super) encode: fn(&AnyValue) -> Result<Vec<u8>, String>,
    pub(super) decode: fn(&[u8]) -> Result<AnyValue, String>,
    pub(super) from_json: fn(&serde_json::Value) -> Result<AnyValue, String>,
}

impl Codec {
    /// The codec of `T`.
    pub(super) const fn of<T: Value>() -> &'static Codec {
        const { &Codec { json: to_json::<T>, encode: encode::<T>, decode: decode::<T>, from_json: from_json::<T> } }
    }
}

fn to_json<T: Value>(value: &AnyValue) -> Result<serde_json::Value, String> {
    serde_json::to_value(typed::<T>(value)?).map_err(|error| error.to_string())
}

fn encode<T: Value>(value: &AnyValue) -> Result<Vec<u8>, String> {
    let refused = |reason: String| format!("a `{}` cannot be stored: {reason}", name::<T>());
    let value = typed::<T>(value)?;
    #[cfg(feature = "arrow")]
    if let Some(frame) = (value as &dyn Any).downcast_ref::<super::Frame>() {
        return super::frame::encode(frame).map_err(refused);
    }
    probe::check(value).map_err(refused)?;
    let bytes = match (value as &dyn Any).downcast_ref::<Vec<u8>>() {
        // Only known at the top level. Within other types a `Vec<u8>` is a list of numbers, twice
        // as long: binary could not be read back through a tagged, untagged or flattened type.
        // There, `serde_bytes` requests binary.
        Some(bytes) => rmp_serde::to_vec_named(&Binary(bytes)),
        None => rmp_serde::to_vec_named(value),
    }
    .map_err(|error| refused(error.to_string()))?;
    if bytes.len() <= READ_BACK {
        read::<T>(&bytes).map_err(|error| {
            refused(format!(
                "it cannot read back what it writes: {error}; look at the serde attributes of the type (a field with \
                 `skip_serializing_if` needs `default`)"
            ))
        })?;
    }
    Ok(bytes)
}

fn decode<T: Value>(bytes: &[u8]) -> Result<AnyValue, String> {
    #[cfg(feature = "arrow")]
    let read = match super::is_table(bytes) && std::any::TypeId::of::<T>() == std::any::TypeId::of::<super::Frame>() {
        true => super::frame::decode(bytes).map(AnyValue::new),
        false => read::<T>(bytes).map(AnyValue::new),
    };
    #[cfg(not(feature = "arrow"))]
    let read = read::<T>(bytes).map(AnyValue::new);
    match read {
        Ok(value) => Ok(value),
        Err(error) => Err(format!(
            "the stored value is not a `{}`: {error}; if the type was changed, run the task that produced the value again",
            name::<T>()
        )),
    }
}

fn from_json<T: Value>(json: &serde_json::Value) -> Result<AnyValue, String> {
    let not = |reason: String| format!("not a `{}`: {reason}", name::<T>());
    if deeper_than(json, MAX_DEPTH) {
        return Err(not(format!("the JSON is nested deeper than {MAX_DEPTH} levels")));
    }
    match T::deserialize(json) {
        Ok(value) => Ok(AnyValue::new(value)),
        Err(error) => Err(not(error.to_string())),
    }
}

fn read<T: Value>(bytes: &[u8]) -> Result<T, String> {
    // The library limits the depth too, but not that of nested enums.
    msgpack::check(bytes).map_err(|broken| broken.to_string())?;
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes);
    let value = T::deserialize(&mut deserializer).map_err(|error| error.to_string())?;
    match IgnoredAny::deserialize(&mut deserializer) {
        // The bytes are exactly one value, so the type reads less than a value of it.
        Ok(_) => Err("the type reads only part of it".to_owned()),
        Err(_) => Ok(value),
    }
}

fn typed<T: Value>(value: &AnyValue) -> Result<&T, String> {
    value.downcast_ref::<T>().ok_or_else(|| format!("not a {}", std::any::type_name::<T>()))
}

fn name<T: Value>() -> String {
    TypeInfo::of::<T>().short()
}

/// Bytes that are stored as binary: serde treats a `Vec<u8>` as a list of numbers.
struct Binary<'a>(&'a [u8]);

impl Serialize for Binary<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

fn deeper_than(json: &serde_json::Value, levels: usize) -> bool {
    match json {
        serde_json::Value::Array(items) => levels == 0 || items.iter().any(|item| deeper_than(item, levels - 1)),
        serde_json::Value::Object(map) => levels == 0 || map.values().any(|value| deeper_than(value, levels - 1)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap, HashSet};
    use std::fmt::Debug;
    use std::net::IpAddr;
    use std::sync::Arc;

    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    use super::*;

    fn encode<T: Value>(value: T) -> Result<Vec<u8>, String> {
        let value = AnyValue::new(value);
        TypeInfo::of_value::<T>().encode(&value)
    }

    fn decode<T: Value>(bytes: &[u8]) -> Result<Arc<T>, String> {
        TypeInfo::of_value::<T>().decode(bytes).map(super::super::into_shared)
    }

    #[track_caller]
    #[allow(clippy::needless_pass_by_value, reason = "the lists of values read better without a `&` before each")]
    fn assert_roundtrip<T: Value + Clone + Debug + PartialEq>(value: T) {
        let bytes = encode(value.clone()).unwrap();
        assert_eq!(*decode::<T>(&bytes).unwrap(), value);
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    enum Shape {
        Empty,
        Newtype(Option<u8>),
        Unit(()),
        Tuple(i64, String),
        Struct { id: u32, inner: Option<Box<Shape>> },
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "type")]
    enum Tagged {
        Empty,
        Image { data: Vec<u8>, scale: f32 },
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "type", content = "content")]
    enum Adjacent {
        Empty,
        Pair(u8, i128),
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Number(f64),
        Bytes(Vec<u8>),
        Nested { of: Box<Untagged> },
        Text(String),
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Flat {
        id: u64,
        #[serde(flatten)]
        rest: BTreeMap<String, Untagged>,
    }

    #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
    struct Key {
        row: u8,
        name: Option<String>,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Empty {}

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Unit;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Newtype(Unit);

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Tree {
        children: Vec<Tree>,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Chain {
        Link(Box<Chain>),
        End,
    }

    #[test]
    fn scalars_survive_a_roundtrip() {
        assert_roundtrip((u64::MAX, i64::MIN, u128::MAX, i128::MIN, i128::MAX, -1_i128, true));
        assert_roundtrip((
            'é',
            '\u{10ffff}',
            String::from("\0"),
            f32::MIN_POSITIVE,
            0.1_f64,
            f64::NEG_INFINITY,
            f32::INFINITY,
        ));
        assert_roundtrip(());
        assert_roundtrip((Unit, Newtype(Unit), Empty {}, Some(Unit), Some(Newtype(Unit)), vec![(), ()]));
        assert_roundtrip((Some(1), None::<u8>, vec![None, Some("x".to_owned())]));
        assert_roundtrip("::1".parse::<IpAddr>().unwrap());
        assert_roundtrip(std::time::Duration::from_nanos(u64::MAX));
        assert_roundtrip(crate::base::Timestamp::MAX);
    }

    #[test]
    fn nan_survives_a_roundtrip() {
        let bytes = encode((f64::NAN, f32::NAN)).unwrap();
        let back = decode::<(f64, f32)>(&bytes).unwrap();
        assert!(back.0.is_nan() && back.1.is_nan());
    }

    #[test]
    fn maps_with_any_keys_survive_a_roundtrip() {
        assert_roundtrip(HashMap::from([((1, "a".to_owned()), 2), ((3, "b".to_owned()), 4)]));
        assert_roundtrip(HashMap::from([
            (Key { row: 1, name: None }, 1),
            (Key { row: 1, name: Some("x".to_owned()) }, 2),
        ]));
        assert_roundtrip(BTreeMap::from([(-1_i64, 'x'), (i64::MAX, 'y')]));
        assert_roundtrip(BTreeMap::from([(None, 1), (Some(7_u8), 2)]));
        assert_roundtrip(HashMap::from([(true, HashSet::from([1_u8, 2]))]));
        assert_roundtrip(BTreeMap::from([(vec![1_u8], 1_u128)]));
    }

    #[test]
    fn enums_in_each_of_serdes_forms_survive_a_roundtrip() {
        let inner = Shape::Struct { id: 1, inner: Some(Box::new(Shape::Empty)) };
        assert_roundtrip(vec![Shape::Empty, Shape::Newtype(None), Shape::Newtype(Some(1)), Shape::Unit(())]);
        assert_roundtrip(vec![Shape::Tuple(-1, "x".to_owned()), Shape::Struct { id: 2, inner: Some(Box::new(inner)) }]);
        assert_roundtrip(vec![Some(Shape::Empty), Some(Shape::Newtype(None)), None]);
        assert_roundtrip(vec![Tagged::Empty, Tagged::Image { data: vec![0, 200], scale: f32::INFINITY }]);
        assert_roundtrip(vec![Adjacent::Empty, Adjacent::Pair(1, -5)]);
        assert_roundtrip(vec![Untagged::Number(0.5), Untagged::Bytes(vec![1, 255]), Untagged::Text("x".to_owned())]);
        assert_roundtrip(Untagged::Nested { of: Box::new(Untagged::Bytes(vec![])) });
        assert_roundtrip(Flat { id: 1, rest: BTreeMap::from([("x".to_owned(), Untagged::Bytes(vec![1]))]) });
        assert_roundtrip(Ok::<u8, String>(1));
        assert_roundtrip(serde_json::json!({"a": [1, -2, 0.5, null, true, {"b": "c"}]}));
    }

    #[test]
    fn bytes_are_stored_as_binary_at_the_top_and_as_numbers_within() {
        assert_eq!(encode(vec![1_u8, 200]).unwrap(), [0xc4, 2, 1, 200]);
        assert_eq!(encode((vec![1_u8, 200],)).unwrap(), [0x91, 0x92, 1, 0xcc, 200]);
        assert_roundtrip(vec![0_u8; 5000]);
        assert_roundtrip(Vec::<u8>::new());
    }

    #[test]
    fn some_of_an_empty_value_is_rejected_with_its_path() {
        let error = encode(HashMap::from([("gate".to_owned(), Some(None::<u8>))])).unwrap_err();
        assert_eq!(
            error,
            "a `HashMap<String, Option<Option<u8>>>` cannot be stored: at `[\"gate\"]`: `Some` of an empty value \
             (`Some(None)`, `Some(())`) would be read back as `None`; use an enum of your own in place of the outer `Option`"
        );
        assert_roundtrip(HashMap::from([("a".to_owned(), Some(Some(1))), ("b".to_owned(), None)]));
    }

    #[test]
    fn a_type_that_cannot_read_its_own_encoding_is_rejected() {
        #[derive(Serialize, Deserialize)]
        struct Report {
            #[serde(skip_serializing_if = "Vec::is_empty")]
            rows: Vec<u8>,
        }
        encode(Report { rows: vec![1] }).unwrap();
        assert_eq!(
            encode(Report { rows: vec![] }).map(drop).unwrap_err(),
            "a `Report` cannot be stored: it cannot read back what it writes: missing field `rows`; look at the serde \
             attributes of the type (a field with `skip_serializing_if` needs `default`)"
        );

        #[derive(Serialize, Deserialize)]
        #[serde(untagged)]
        enum Wide {
            Number(i128),
        }
        encode(Wide::Number(1)).map(drop).unwrap_err();
    }

    #[test]
    fn a_type_that_reads_only_part_of_its_encoding_is_rejected() {
        #[derive(Serialize)]
        struct Half(u8, u8);
        impl<'de> Deserialize<'de> for Half {
            fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
                Ok(Half(1, 2))
            }
        }
        let error = encode(Half(1, 2)).unwrap_err();
        assert!(error.contains("the type reads only part of it"), "{error}");
    }

    #[test]
    fn a_value_of_another_type_and_a_bare_name_are_rejected() {
        let value = AnyValue::new(1_u8);
        assert_eq!(TypeInfo::of_value::<u16>().encode(&value).unwrap_err(), "not a u16");
        assert_eq!(TypeInfo::of::<u8>().encode(&value).unwrap_err(), "only the name of u8 is known");
        assert_eq!(TypeInfo::of::<u8>().decode(&[1]).unwrap_err(), "only the name of u8 is known");
    }

    #[test]
    fn decoding_as_another_type_explains_what_to_do() {
        let bytes = encode("text".to_owned()).unwrap();
        assert_eq!(
            decode::<Vec<u8>>(&bytes).unwrap_err(),
            "the stored value is not a `Vec<u8>`: invalid type: string \"text\", expected a sequence; if the type was changed, \
             run the task that produced the value again"
        );
    }

    #[test]
    fn a_later_version_of_a_struct_reads_an_earlier_one() {
        #[derive(Serialize, Deserialize)]
        struct First {
            b: u8,
            a: String,
        }
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Second {
            a: String,
            #[serde(default)]
            c: u8,
        }
        let bytes = encode(First { a: "x".to_owned(), b: 1 }).unwrap();
        assert_eq!(*decode::<Second>(&bytes).unwrap(), Second { a: "x".to_owned(), c: 0 });
    }

    #[test]
    fn trailing_bytes_are_rejected() {
        let mut bytes = encode(7_u8).unwrap();
        bytes.push(0);
        let error = decode::<u8>(&bytes).unwrap_err();
        assert!(error.contains("the stored value ends at byte 1, and 1 bytes follow"), "{error}");
    }

    #[test]
    fn deep_nesting_survives_a_roundtrip_without_a_stack_overflow() {
        let tree = |levels: usize| (1..levels).fold(Tree { children: vec![] }, |tree, _| Tree { children: vec![tree] });
        let chain = |levels: usize| (0..levels).fold(Chain::End, |chain, _| Chain::Link(Box::new(chain)));
        // The stack of a task.
        let small = std::thread::Builder::new().stack_size(2 << 20);
        let run = move || {
            let bytes = encode(tree(MAX_DEPTH / 2)).unwrap();
            assert_eq!(*decode::<Tree>(&bytes).unwrap(), tree(MAX_DEPTH / 2));
            let bytes = encode(chain(MAX_DEPTH)).unwrap();
            assert_eq!(*decode::<Chain>(&bytes).unwrap(), chain(MAX_DEPTH));
            encode(tree(1000)).unwrap_err();
            encode(chain(1000)).unwrap_err();
            let nested = (1..MAX_DEPTH).fold(Untagged::Number(1.0), |of, _| Untagged::Nested { of: Box::new(of) });
            assert_roundtrip(nested);

            let link = b"\x81\xa4Link";
            decode::<Chain>(&[link.repeat(1_000_000), b"\xa3End".to_vec()].concat()).unwrap_err();
            decode::<serde_json::Value>(&[0x91; 1_000_000]).unwrap_err();
        };
        small.spawn(run).unwrap().join().unwrap();
    }

    #[test]
    fn json_is_parsed_as_the_type() {
        let value = TypeInfo::of_value::<Key>().from_json(&serde_json::json!({"row": 1, "name": null})).unwrap();
        assert_eq!(value.downcast_ref(), Some(&Key { row: 1, name: None }));
        let error = TypeInfo::of_value::<Key>().from_json(&serde_json::json!({"row": 300})).unwrap_err();
        assert_eq!(error, "not a `Key`: invalid value: integer `300`, expected u8");
        let deep = (0..100_000).fold(serde_json::json!(1), |inner, _| serde_json::Value::Array(vec![inner]));
        let error = TypeInfo::of_value::<serde_json::Value>().from_json(&deep).unwrap_err();
        assert_eq!(error, "not a `Value`: the JSON is nested deeper than 128 levels");
        // Its own destructor recurses.
        std::mem::forget(deep);
    }

    fn shape() -> impl Strategy<Value = Shape> {
        let leaf = prop_oneof![
            Just(Shape::Empty),
            Just(Shape::Unit(())),
            any::<Option<u8>>().prop_map(Shape::Newtype),
            any::<(i64, String)>().prop_map(|(number, text)| Shape::Tuple(number, text)),
        ];
        leaf.prop_recursive(6, 12, 1, |inner| {
            (any::<u32>(), proptest::option::of(inner))
                .prop_map(|(id, inner)| Shape::Struct { id, inner: inner.map(Box::new) })
        })
    }

    type Everything =
        (BTreeMap<(u8, String), Vec<Shape>>, Option<char>, Vec<(i128, f64, bool)>, Box<[u8]>, Option<Key>);

    proptest! {
        #[test]
        fn any_value_survives_a_roundtrip(
            map in proptest::collection::btree_map(any::<(u8, String)>(), proptest::collection::vec(shape(), 0..4), 0..4),
            character: Option<char>,
            numbers: Vec<(i128, f64, bool)>,
            bytes: Box<[u8]>,
            key in proptest::option::of(any::<(u8, Option<String>)>().prop_map(|(row, name)| Key { row, name })),
        ) {
            let value: Everything = (map, character, numbers, bytes, key);
            let stored = encode(value.clone()).unwrap();
            prop_assert_eq!(&*decode::<Everything>(&stored).unwrap(), &value);
        }

        #[test]
        fn reading_arbitrary_bytes_does_not_panic(bytes: Vec<u8>) {
            let _ = decode::<Everything>(&bytes);
            let _ = decode::<Vec<Chain>>(&bytes);
            let _ = decode::<Flat>(&bytes);
            let _ = decode::<Tagged>(&bytes);
            let _ = decode::<Adjacent>(&bytes);
            let _ = decode::<serde_json::Value>(&bytes);
        }

        #[test]
        fn reading_damaged_values_does_not_panic(shapes in proptest::collection::vec(shape(), 0..4), at: usize, byte: u8) {
            let mut stored = encode(shapes).unwrap();
            let at = at % stored.len();
            stored[at] = byte;
            let _ = decode::<Vec<Shape>>(&stored);
        }
    }
}
