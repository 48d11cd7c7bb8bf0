//! Walks lists, maps and structs.

use serde::{Serialize, ser};

use super::lost::{Lost, Step};
use super::{IsNil, Probe, length};

/// A list, map or struct being walked.
pub(super) struct Compound {
    pub(super) inner: Probe,
    pub(super) announced: Option<usize>,
    pub(super) count: usize,
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
