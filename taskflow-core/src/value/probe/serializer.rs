//! The walk itself: a serializer without output.

use std::fmt;

use serde::{Serialize, ser};

use super::compound::Compound;
use super::lost::{Lost, Step};
use super::{IsNil, Probe, length};

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
