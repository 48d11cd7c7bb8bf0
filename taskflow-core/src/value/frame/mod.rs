//! Tables as values: [Apache Arrow](https://arrow.apache.org) record batches (feature `arrow`).
//!
//! Within the process a [`Frame`] is passed on behind an `Arc`, like any value: nothing is copied.
//! A returned frame is stored as an Arrow IPC file (`stored`), so that a large one, which is stored
//! in a file of its own, can be opened with any program that reads such files. `values` displays it
//! as a small table (`table`). A frame inside another type is stored as bytes within it.

mod stored;
mod table;

use std::fmt;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, Schema, SchemaRef};
use serde::de::{Deserialize, Deserializer, Error as _, SeqAccess, Visitor};
use serde::ser::{Error as _, Serialize, Serializer};

pub(super) use stored::{decode, encode, preview, rows_as_json};

/// A table in memory: Arrow record batches of one schema, as a value between tasks.
///
/// ```
/// use std::sync::Arc;
///
/// use taskflow::arrow::array::{Int64Array, RecordBatch, StringArray};
/// use taskflow::arrow::Frame;
/// use taskflow::prelude::*;
///
/// #[task]
/// fn read() -> Result<Frame> {
///     let day = Arc::new(StringArray::from(vec!["mon", "tue"]));
///     let rows = Arc::new(Int64Array::from(vec![3, 4]));
///     Ok(RecordBatch::try_from_iter([("day", day as _), ("rows", rows as _)])?.into())
/// }
///
/// #[task]
/// fn count(table: &Frame) -> usize {
///     table.batches().iter().map(RecordBatch::num_rows).sum()
/// }
///
/// #[dag]
/// fn counting() -> usize {
///     count(read())
/// }
/// # assert_eq!(counting::run().wait().unwrap().result(), Some(&2));
/// ```
///
/// Cloning copies no data. Two frames are equal if they have the same schema and the same rows,
/// however these are divided into batches.
#[derive(Clone)]
pub struct Frame {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
}

impl Frame {
    /// Creates a table of these batches; there may be none.
    ///
    /// # Errors
    ///
    /// If a batch has another schema.
    pub fn new(schema: SchemaRef, batches: Vec<RecordBatch>) -> Result<Self, ArrowError> {
        match batches.iter().position(|batch| batch.schema_ref() != &schema) {
            None => Ok(Frame { schema, batches }),
            Some(place) => Err(ArrowError::SchemaError(format!(
                "batch {place} has the columns {}, and the frame {}",
                table::columns(batches[place].schema_ref()),
                table::columns(&schema)
            ))),
        }
    }

    /// The columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The rows, in batches.
    pub fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }

    /// The batches, by value.
    pub fn into_batches(self) -> Vec<RecordBatch> {
        self.batches
    }

    /// The number of rows.
    pub fn num_rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// All rows in one batch: a copy, unless there is only one batch.
    ///
    /// # Errors
    ///
    /// If a text column becomes longer than its offsets can represent.
    pub fn concat(&self) -> Result<RecordBatch, ArrowError> {
        match &self.batches[..] {
            [batch] => Ok(batch.clone()),
            batches => arrow_select::concat::concat_batches(&self.schema, batches),
        }
    }
}

impl From<RecordBatch> for Frame {
    fn from(batch: RecordBatch) -> Self {
        Frame { schema: batch.schema(), batches: vec![batch] }
    }
}

impl TryFrom<Vec<RecordBatch>> for Frame {
    type Error = ArrowError;

    /// Like [`Frame::new`] with the schema of the first batch; without a batch the frame has no
    /// columns.
    fn try_from(batches: Vec<RecordBatch>) -> Result<Self, ArrowError> {
        let schema = batches.first().map_or_else(|| Arc::new(Schema::empty()), RecordBatch::schema);
        Frame::new(schema, batches)
    }
}

impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        if self.schema != other.schema || self.num_rows() != other.num_rows() {
            return false;
        }
        if self.batches == other.batches {
            return true;
        }
        matches!((self.concat(), other.concat()), (Ok(own), Ok(others)) if own == others)
    }
}

/// Displays the first rows as a small table.
impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&table::small(&self.schema, &self.batches, self.num_rows(), 2000))
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({} rows of {})", self.num_rows(), table::columns(&self.schema))
    }
}

impl Serialize for Frame {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = encode(self).map_err(S::Error::custom)?;
        serializer.serialize_bytes(&bytes)
    }
}

impl<'de> Deserialize<'de> for Frame {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl<'de> Visitor<'de> for Bytes {
            type Value = Frame;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the bytes of an Arrow IPC file")
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Frame, E> {
                decode(bytes).map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Frame, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = list.next_element::<u8>()? {
                    bytes.push(byte);
                }
                decode(&bytes).map_err(A::Error::custom)
            }
        }

        deserializer.deserialize_bytes(Bytes)
    }
}
