//! What parent and child say to each other.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::base::Failure;
use crate::run::RunInfo;

/// What the child is to do. A frame for each input follows.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct AttemptRequest {
    /// The process that waits for the answer.
    pub(super) parent: i32,
    /// Where the task is defined: what tells it from others of its name.
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
    /// The least level that anybody listens to, by name.
    pub(super) level: String,
    pub(super) inputs: u32,
    /// Whether panics are left to the report of the failure.
    pub(super) quiet: bool,
    /// What tasks upstream have pushed: task, key, type, stored form.
    pub(super) pulled: Vec<(String, String, String, Vec<u8>)>,
    /// The directory for files of the run.
    pub(super) artifacts: Option<PathBuf>,
}

/// What the child says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Frame {
    /// It is in the mode, and its limits are set.
    Entered,
    /// A record for the log of the attempt, as JSON.
    Record(String),
    /// What a worker saw printed: it cannot be told from outside which attempt that was.
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
    /// The task has succeeded; its value is the next frame.
    Value,
    Skipped(String),
    Failed(Failure),
    /// With what it says about the wait before another attempt.
    FailedFor(Failure, Duration),
    /// It was asked to end, and the task has no way of hearing that.
    Stopped,
}

/// Writes one frame.
pub(crate) fn write(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    to.write_all(&(bytes.len() as u64).to_le_bytes())?;
    to.write_all(bytes)
}

/// Reads one frame; nothing at the end of the stream.
pub(crate) fn read(from: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 8];
    match from.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let length = u64::from_le_bytes(length);
    let mut bytes = Vec::new();
    // It grows with what comes: a length is only what somebody says.
    from.take(length).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 == length).then_some(bytes))
}

/// As [`write`], in async code.
pub(super) async fn send(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    to.write_all(&(bytes.len() as u64).to_le_bytes()).await?;
    to.write_all(bytes).await
}

/// As [`read`], in async code. Not cancel safe.
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

/// The bytes of a message.
pub(super) fn encode(message: &impl Serialize) -> Result<Vec<u8>, String> {
    postcard::to_stdvec(message).map_err(|error| error.to_string())
}

/// The message behind bytes.
pub(super) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, String> {
    postcard::from_bytes(bytes).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_and_half_ones_are_the_end() {
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
