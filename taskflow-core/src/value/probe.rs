//! Finds what MessagePack would lose before it is written.
//!
//! A serializer without output walks the value and finds what would be stored without an error, but
//! decoded as something else or not at all:
//!
//! - `Some` of something that is itself stored as nil: `Some(None)`, `Some(())`. It would be
//!   decoded as `None`.
//! - lists, maps and texts of 2^32 or more elements or bytes: their length would be cut to 32 bits.
//! - a manual `Serialize` that announces another number of elements than it writes.
//! - more levels than [`MAX_DEPTH`]: reading them could overflow the stack.
//!
//! The path of a mistake is assembled on the way out, so a valid value costs nothing extra. A
//! separate walk, instead of wrapping the real serializer, keeps both simple; for numbers and texts
//! the compiler removes most of it.

use std::fmt;

use serde::{Serialize, ser};

use super::msgpack::MAX_DEPTH;

/// Checks that `value` can be stored without loss.
///
/// # Errors
///
/// The first problem and its path, as a sentence, or the error of the value's own `Serialize`.
pub(super) fn check<T: Serialize + ?Sized>(value: &T) -> Result<(), String> {
    value.serialize(Probe { level: 0 }).map(drop).map_err(|lost| lost.to_string())
}

/// Whether a value is stored as nil.
type IsNil = bool;

#[derive(Clone, Copy)]
struct Probe {
    level: usize,
}

/// What would be lost, and where. Boxed, so that the success path stays small.
#[derive(Debug)]
struct Lost(Box<Place>);

#[derive(Debug)]
struct Place {
    what: String,
    /// From the inside out.
    path: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Field(&'static str),
    Element(usize),
    Key(String),
}

/// Longer paths are cut in the middle: those of values that are nested too deeply.
const SHOWN_STEPS: usize = 12;

impl Lost {
    #[cold]
    fn new(what: impl Into<String>) -> Self {
        Lost(Box::new(Place { what: what.into(), path: Vec::new() }))
    }

    #[cold]
    fn within(mut self, step: Step) -> Self {
        self.0.path.push(step);
        self
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { what, path } = &*self.0;
        if path.is_empty() {
            return f.write_str(what);
        }
        f.write_str("at `")?;
        for (index, step) in path.iter().rev().take(SHOWN_STEPS).enumerate() {
            match step {
                Step::Field(name) if index == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Element(index) => write!(f, "[{index}]")?,
                Step::Key(key) => write!(f, "[{key}]")?,
            }
        }
        let cut = if path.len() > SHOWN_STEPS { "…" } else { "" };
        write!(f, "{cut}`: {what}")
    }
}

impl std::error::Error for Lost {}

impl ser::Error for Lost {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Lost::new(message.to_string())
    }
}

impl Probe {
    fn inner(self) -> Result<Probe, Lost> {
        if self.level < MAX_DEPTH {
            return Ok(Probe { level: self.level + 1 });
        }
        Err(Lost::new(format!(
            "it is nested deeper than {MAX_DEPTH} levels; store its parts in a list that refer to each other by index"
        )))
    }

    fn compound(self, announced: Option<usize>) -> Result<Compound, Lost> {
        if let Some(len) = announced {
            length(len)?;
        }
        Ok(Compound { inner: self.inner()?, announced, count: 0 })
    }
}

fn length(len: usize) -> Result<(), Lost> {
    match u32::try_from(len) {
        Ok(_) => Ok(()),
        Err(_) => Err(Lost::new(format!(
            "it has {len} elements or bytes, and MessagePack holds up to {}; return it in several parts, or write it to a \
             file and return the path",
            u32::MAX
        ))),
    }
}

/// A list, map or struct being walked.
struct Compound {
    inner: Probe,
    announced: Option<usize>,
    count: usize,
}

impl Compound {
    #[inline]
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Lost> {
        let index = self.count;
        self.count += 1;
        match value.serialize(self.inner) {
            Ok(_) => Ok(()),
            Err(lost) => Err(lost.within(Step::Element(index))),
        }
    }

    #[inline]
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Lost> {
        self.count += 1;
        match value.serialize(self.inner) {
            Ok(_) => Ok(()),
            Err(lost) => Err(lost.within(Step::Field(name))),
        }
    }

    fn finish(self) -> Result<IsNil, Lost> {
        length(self.count)?;
        match self.announced {
            Some(announced) if announced != self.count => Err(Lost::new(format!(
                "its `Serialize` announces {announced} elements and writes {}; correct that implementation",
                self.count
            ))),
            _ => Ok(false),
        }
    }
}

impl ser::Serializer for Probe {
    type Ok = IsNil;
    type Error = Lost;
    type SerializeSeq = Compound;
    type SerializeTuple = Compound;
    type SerializeTupleStruct = Compound;
    type SerializeTupleVariant = Compound;
    type SerializeMap = Compound;
    type SerializeStruct = Compound;
    type SerializeStructVariant = Compound;

    // As in the format: types with two forms must be walked in the stored one.
    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_bool(self, _: bool) -> Result<IsNil, Lost> {
        Ok(false)
    }

    fn serialize_i8(self, _: i8) -> Result<IsNil, Lost> {
        Ok(false)
    }

    fn serialize_i16(self, _: i16) -> Result<IsNil, Lost> {
        Ok(false)
    }

    fn serialize_i32(self, _: i32) -> Result<IsNil, Lost> {
        Ok(false)
    }

    fn serialize_i64(self, _: i64) -> Result<IsNil, Lost> {
        Ok(false)
    }

    fn serialize_i128(self, _: i128) -> Result<IsNil, Lost> {
        Ok(false)
    }

    fn serialize_u8(self, _: u8) -> Result<IsNil, Lost> {
        Ok(false)
    }

    fn serialize_u16(self, _: u16) -> Result<IsNil, Lost> {
        Ok(false)
    }

    fn serialize_u32(self, _: u32) -> Result<IsNil, Lost> {
        Ok(false)
    }

    fn serialize_u64(self, _: u64) -> Result<IsNil, Lost> {
        Ok(false)
    }

    fn serialize_u128(self, _: u128) -> Result<IsNil, Lost> {
        Ok(false)
    }

    fn serialize_f32(self, _: f32) -> Result<IsNil, Lost> {
        Ok(false)
    }

    fn serialize_f64(self, _: f64) -> Result<IsNil, Lost> {
        Ok(false)
    }

    fn serialize_char(self, _: char) -> Result<IsNil, Lost> {
        Ok(false)
    }

    fn serialize_str(self, text: &str) -> Result<IsNil, Lost> {
        length(text.len()).map(|()| false)
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<IsNil, Lost> {
        length(bytes.len()).map(|()| false)
    }

    fn serialize_none(self) -> Result<IsNil, Lost> {
        Ok(true)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<IsNil, Lost> {
        if value.serialize(self.inner()?)? {
            return Err(Lost::new(
                "`Some` of an empty value (`Some(None)`, `Some(())`) would be read back as `None`; use an enum of your own \
                 in place of the outer `Option`",
            ));
        }
        Ok(false)
    }

    fn serialize_unit(self) -> Result<IsNil, Lost> {
        Ok(true)
    }

    // Stored as an empty list.
    fn serialize_unit_struct(self, _: &'static str) -> Result<IsNil, Lost> {
        Ok(false)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<IsNil, Lost> {
        Ok(false)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<IsNil, Lost> {
        value.serialize(self.inner()?)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<IsNil, Lost> {
        match value.serialize(self.inner()?) {
            Ok(_) => Ok(false),
            Err(lost) => Err(lost.within(Step::Field(variant))),
        }
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Compound, Lost> {
        self.compound(len)
    }

    fn serialize_tuple(self, len: usize) -> Result<Compound, Lost> {
        self.compound(Some(len))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Compound, Lost> {
        self.compound(Some(len))
    }

    // A variant with content is wrapped in a map with one entry, which is a level of its own.
    fn serialize_tuple_variant(self, _: &'static str, _: u32, _: &'static str, len: usize) -> Result<Compound, Lost> {
        self.inner()?.compound(Some(len))
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Compound, Lost> {
        self.compound(len)
    }

    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Compound, Lost> {
        self.compound(Some(len))
    }

    fn serialize_struct_variant(self, _: &'static str, _: u32, _: &'static str, len: usize) -> Result<Compound, Lost> {
        self.inner()?.compound(Some(len))
    }

    // Not formatted only to get its length: `Display` output does not get near the limit.
    fn collect_str<T: fmt::Display + ?Sized>(self, _: &T) -> Result<IsNil, Lost> {
        Ok(false)
    }
}

macro_rules! elements {
    ($($kind:ident: $method:ident),*) => {$(
        impl ser::$kind for Compound {
            type Ok = IsNil;
            type Error = Lost;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Lost> {
                self.element(value)
            }

            fn end(self) -> Result<IsNil, Lost> {
                self.finish()
            }
        }
    )*};
}

macro_rules! fields {
    ($($kind:ident),*) => {$(
        impl ser::$kind for Compound {
            type Ok = IsNil;
            type Error = Lost;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Lost> {
                self.field(name, value)
            }

            fn end(self) -> Result<IsNil, Lost> {
                self.finish()
            }
        }
    )*};
}

elements!(
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field
);
fields!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Compound {
    type Ok = IsNil;
    type Error = Lost;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Lost> {
        self.element(key)
    }

    // Only manual implementations serialize key and value separately; the path then contains the
    // number of the entry.
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Lost> {
        match value.serialize(self.inner) {
            Ok(_) => Ok(()),
            Err(lost) => Err(lost.within(Step::Element(self.count.saturating_sub(1)))),
        }
    }

    fn serialize_entry<K: Serialize + ?Sized, V: Serialize + ?Sized>(
        &mut self,
        key: &K,
        value: &V,
    ) -> Result<(), Lost> {
        self.serialize_key(key)?;
        match value.serialize(self.inner) {
            Ok(_) => Ok(()),
            Err(lost) => Err(lost.within(Step::Key(shown(key)))),
        }
    }

    fn end(self) -> Result<IsNil, Lost> {
        self.finish()
    }
}

/// The key of a map, for messages.
#[cold]
fn shown<K: Serialize + ?Sized>(key: &K) -> String {
    serde_json::to_string(key).unwrap_or_else(|_| "…".to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Serialize;
    use serde::ser::SerializeStruct;

    use super::*;

    const NIL: &str = "`Some` of an empty value (`Some(None)`, `Some(())`) would be read back as `None`; use an enum of your \
                       own in place of the outer `Option`";

    #[derive(Serialize)]
    struct Newtype<T>(T);

    #[derive(Serialize)]
    struct Unit;

    #[derive(Serialize)]
    enum Shape<T> {
        Tuple(u8, T),
        Struct { inner: T },
        Newtype(T),
    }

    #[derive(Serialize)]
    struct Tree {
        children: Vec<Tree>,
    }

    #[test]
    fn some_of_an_empty_value_is_found_at_any_depth() {
        assert_eq!(check(&Some(None::<u8>)).unwrap_err(), NIL);
        assert_eq!(check(&Some(())).unwrap_err(), NIL);
        assert_eq!(check(&Some(Some(None::<u8>))).unwrap_err(), NIL);
        assert_eq!(check(&Some(Newtype(None::<u8>))).unwrap_err(), NIL);
        assert_eq!(check(&Some(Box::new(()))).unwrap_err(), NIL);
        assert_eq!(check(&Some(serde_json::Value::Null)).unwrap_err(), NIL);
    }

    #[test]
    fn the_message_contains_the_path() {
        let map = BTreeMap::from([("gate".to_owned(), vec![None, Some(Some(1)), Some(None)])]);
        let place = |error: String| error.split_once(": ").map(|(place, _)| place.to_owned()).unwrap();
        assert_eq!(place(check(&map).unwrap_err()), "at `[\"gate\"][2]`");
        assert_eq!(place(check(&Shape::Struct { inner: map }).unwrap_err()), "at `inner[\"gate\"][2]`");
        assert_eq!(place(check(&Shape::Tuple(1, Some(()))).unwrap_err()), "at `[1]`");
        assert_eq!(place(check(&vec![Shape::Newtype(Some(()))]).unwrap_err()), "at `[0].Newtype`");
        assert_eq!(place(check(&BTreeMap::from([((1, Some(())), 2)])).unwrap_err()), "at `[0][1]`");
    }

    #[test]
    fn other_options_and_empty_values_are_valid() {
        check(&(None::<u8>, Some(1), (), Some(Unit), Some(Vec::<u8>::new()), vec![()], Some([None::<u8>]))).unwrap();
        check(&BTreeMap::from([(None, None), (Some(1), Some(2))])).unwrap();
        check(&Some(Shape::Newtype(None::<u8>))).unwrap();
    }

    #[test]
    fn a_value_nested_too_deep_is_rejected_without_walking_all_of_it() {
        let tree = |levels: usize| (1..levels).fold(Tree { children: vec![] }, |tree, _| Tree { children: vec![tree] });
        check(&tree(MAX_DEPTH / 2)).unwrap();
        let error = check(&tree(MAX_DEPTH / 2 + 1)).unwrap_err();
        assert_eq!(
            error,
            "at `children[0].children[0].children[0].children[0].children[0].children[0]…`: it is nested deeper than 128 \
             levels; store its parts in a list that refer to each other by index"
        );
        check(&tree(2_000)).unwrap_err();
    }

    #[test]
    fn a_serialize_impl_that_miscounts_is_rejected() {
        struct Miscounted;
        impl Serialize for Miscounted {
            fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut fields = serializer.serialize_struct("Miscounted", 3)?;
                fields.serialize_field("one", &1)?;
                fields.end()
            }
        }
        assert_eq!(
            check(&[Miscounted]).unwrap_err(),
            "at `[0]`: its `Serialize` announces 3 elements and writes 1; correct that implementation"
        );
    }

    #[test]
    fn the_errors_of_a_serialize_impl_are_returned() {
        #[derive(Serialize)]
        struct Holder {
            path: std::path::PathBuf,
        }
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStringExt;
            let path = std::ffi::OsString::from_vec(vec![0xff]).into();
            assert_eq!(check(&Holder { path }).unwrap_err(), "at `path`: path contains invalid UTF-8 characters");
        }
    }

    #[test]
    fn a_length_beyond_32_bits_is_rejected() {
        struct Endless;
        impl Serialize for Endless {
            fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                ser::SerializeSeq::end(serializer.serialize_seq(Some(1 << 33))?)
            }
        }
        assert!(
            check(&Endless)
                .unwrap_err()
                .starts_with("it has 8589934592 elements or bytes, and MessagePack holds up to")
        );
    }
}
