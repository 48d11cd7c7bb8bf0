//! The stored form of a frame: an Arrow IPC file.

use std::io::Cursor;

use arrow_array::RecordBatch;
use arrow_ipc::reader::FileReader;
use arrow_ipc::writer::FileWriter;

use super::{Frame, table};
use crate::base::panics;

/// For frames of this size or more, in bytes, the preview reads no rows.
const LARGE: usize = 64 << 20;

/// Encodes a frame.
///
/// # Errors
///
/// If Arrow cannot write one of its types.
pub(in super::super) fn encode(frame: &Frame) -> Result<Vec<u8>, String> {
    let failed = |error: arrow_schema::ArrowError| error.to_string();
    let mut writer = FileWriter::try_new(Vec::new(), &frame.schema).map_err(failed)?;
    for batch in &frame.batches {
        writer.write(batch).map_err(failed)?;
    }
    writer.into_inner().map_err(failed)
}

/// Decodes a frame from untrusted bytes.
///
/// # Errors
///
/// If [`encode`] did not write them.
pub(in super::super) fn decode(bytes: &[u8]) -> Result<Frame, String> {
    // The reader validates its input; a check it lacks should not end the program.
    let read = panics::catch(|| -> Result<Frame, arrow_schema::ArrowError> {
        let reader = FileReader::try_new(Cursor::new(bytes), None)?;
        let schema = reader.schema();
        Ok(Frame { schema, batches: reader.collect::<Result<_, _>>()? })
    });
    match read {
        Ok(read) => read.map_err(|error| error.to_string()),
        Err(failure) => Err(failure.to_string()),
    }
}

/// All rows as JSON: a list of objects.
///
/// # Errors
///
/// If the bytes are not a frame, or JSON cannot represent one of its types.
pub(in super::super) fn rows_as_json(bytes: &[u8]) -> Result<serde_json::Value, String> {
    let frame = decode(bytes)?;
    let mut writer = arrow_json::ArrayWriter::new(Vec::new());
    let batches: Vec<&RecordBatch> = frame.batches.iter().collect();
    writer.write_batches(&batches).and_then(|()| writer.finish()).map_err(|error| error.to_string())?;
    let text = writer.into_inner();
    if text.is_empty() {
        return Ok(serde_json::Value::Array(Vec::new()));
    }
    serde_json::from_slice(&text).map_err(|error| error.to_string())
}

/// Displays a frame in at most `limit` characters: a small table, or only the columns if `limit` is
/// small.
pub(in super::super) fn preview(bytes: &[u8], limit: usize) -> String {
    if bytes.len() > LARGE {
        return format!("an Arrow file of {}", crate::base::units::bytes(bytes.len() as u64));
    }
    match decode(bytes) {
        Ok(frame) => table::small(&frame.schema, &frame.batches, frame.num_rows(), limit),
        Err(error) => format!("a damaged Arrow file: {error}"),
    }
}
