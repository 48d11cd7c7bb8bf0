//! The messages between parent and child.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::base::Failure;
use crate::run::RunInfo;

/// The request to the child, followed by a frame for each input.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct AttemptRequest {
    /// The process that waits for the result.
    pub(super) parent: i32,
    /// The module of the task, which distinguishes tasks with the same name.
    pub(super) module: String,
    pub(super) id: String,
    pub(super) line: u32,
    pub(super) column: u32,
    pub(super) run: RunInfo,
    pub(super) task_id: String,
    pub(super) attempt: u32,
    pub(super) max_attempts: u32,
    pub(super) generation: u32,
    /// In bytes.
    pub(super) memory: Option<u64>,
    /// The name of the lowest log level that is enabled.
    pub(super) level: String,
    pub(super) inputs: u32,
    /// Whether panics are only shown in the report of the failure.
    pub(super) quiet: bool,
    /// The values pushed by upstream tasks: task, key, type, stored form.
    pub(super) pulled: Vec<(String, String, String, Vec<u8>)>,
    /// The directory for files of the run.
    pub(super) artifacts: Option<PathBuf>,
}

/// A message from the child.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Frame {
    /// It is in the attempt mode, and its limits are set.
    Entered,
    /// A record for the log of the attempt, as JSON.
    Record(String),
    /// Text that the attempt printed. Only the worker can assign it to an attempt.
    Printed(String),
    Progress {
        done: u64,
        total: u64,
    },
    Link {
        name: String,
        url: String,
    },
    /// A named value, in its stored form.
    Push {
        key: String,
        ty: String,
        bytes: Vec<u8>,
    },
    /// An event of an asset, with its payload in its stored form.
    Emit {
        asset: String,
        partition: Option<String>,
        key: Option<String>,
        ty: String,
        bytes: Vec<u8>,
        on_change: bool,
    },
    /// The task has succeeded; its value is the next frame.
    Value,
    Skipped(String),
    Failed(Failure),
    /// With the requested delay before the retry.
    FailedFor(Failure, Duration),
    /// It was asked to end, and the task cannot be cancelled.
    Stopped,
}

/// Writes one frame.
pub(crate) fn write(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    to.write_all(&(bytes.len() as u64).to_le_bytes())?;
    to.write_all(bytes)
}

/// Reads one frame; `None` at the end of the stream.
pub(crate) fn read(from: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 8];
    match from.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let length = u64::from_le_bytes(length);
    let mut bytes = Vec::new();
    // The buffer grows with the data received: the length is not trusted.
    from.take(length).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 == length).then_some(bytes))
}

/// Like [`write`], in async code.
pub(super) async fn send(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    to.write_all(&(bytes.len() as u64).to_le_bytes()).await?;
    to.write_all(bytes).await
}

/// Like [`read`], in async code. Not cancel safe.
pub(super) async fn receive(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 8];
    match from.read_exact(&mut length).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    };
    let length = u64::from_le_bytes(length);
    let mut bytes = Vec::new();
    from.take(length).read_to_end(&mut bytes).await?;
    Ok((bytes.len() as u64 == length).then_some(bytes))
}

/// Serializes a message.
pub(super) fn encode(message: &impl Serialize) -> Result<Vec<u8>, String> {
    postcard::to_stdvec(message).map_err(|error| error.to_string())
}

/// Deserializes a message.
pub(super) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, String> {
    postcard::from_bytes(bytes).map_err(|error| error.to_string())
}

/// For fuzzing: reads frames, and messages in them.
pub(in crate::process) fn read_any(bytes: &[u8]) {
    let mut rest = bytes;
    let frames = std::iter::from_fn(|| read(&mut rest).ok().flatten());
    for frame in frames.chain([bytes.to_vec()]) {
        let _ = (decode::<Frame>(&frame), decode::<AttemptRequest>(&frame));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_back_and_an_incomplete_one_ends_the_stream() {
        let mut stream = Vec::new();
        write(&mut stream, b"one").unwrap();
        write(&mut stream, b"").unwrap();
        write(&mut stream, b"half").unwrap();
        stream.pop();
        let mut from = &stream[..];
        assert_eq!(read(&mut from).unwrap().unwrap(), b"one");
        assert_eq!(read(&mut from).unwrap().unwrap(), b"");
        assert_eq!(read(&mut from).unwrap(), None);
        let mut wrong = &u64::MAX.to_le_bytes()[..];
        assert_eq!(read(&mut wrong).unwrap(), None);
    }
}
