//! Logs the output of a child line by line.

use std::collections::VecDeque;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::task::JoinHandle;
use tracing::Instrument as _;

/// The longest line that is logged, in bytes.
const LONGEST: usize = 16 * 1024;
/// How many of the last lines are kept for error messages.
const LAST: usize = 5;
/// Messages of allocators and libraries about lack of memory.
const WANT: [&str; 4] = ["memory allocation of", "Cannot allocate memory", "std::bad_alloc", "out of memory"];

/// One of the two output streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

/// The part of a stream that is stored.
#[derive(Debug, Default)]
pub(crate) struct StreamTail {
    /// The last nonblank lines.
    pub(crate) last: VecDeque<String>,
    /// Whether a line reports lack of memory.
    pub(crate) wants_memory: bool,
    /// The captured bytes.
    pub(crate) all: Vec<u8>,
    /// The total number of bytes.
    pub(crate) length: u64,
}

/// A stream that is being read. Dropping it stops reading.
#[derive(Debug)]
pub(crate) struct Following(JoinHandle<StreamTail>);

impl Following {
    /// Waits for the end of the stream and returns its tail.
    pub(crate) async fn finish(&mut self) -> StreamTail {
        (&mut self.0).await.unwrap_or_default()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Logs the lines of a stream for the current attempt, and captures up to `wanted` bytes of it.
pub(crate) fn follow(source: impl AsyncRead + Send + Unpin + 'static, stream: Stream, wanted: usize) -> Following {
    follow_with(source, wanted, move |line| log_line(stream, line))
}

/// Like [`follow`], but calls `each` instead of logging the line.
pub(crate) fn follow_with(
    source: impl AsyncRead + Send + Unpin + 'static,
    wanted: usize,
    each: impl FnMut(&str) + Send + 'static,
) -> Following {
    Following(tokio::spawn(listen(source, wanted, each).in_current_span()))
}

async fn listen(mut source: impl AsyncRead + Unpin, wanted: usize, mut each: impl FnMut(&str)) -> StreamTail {
    let (mut tail, mut line) = (StreamTail::default(), Line::default());
    let mut buffer = vec![0; 8 * 1024];
    loop {
        let read = match source.read(&mut buffer).await {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) => {
                tracing::warn!(target: "taskflow", "further output of a child process is lost: {error}");
                break;
            }
        };
        let bytes = &buffer[..read];
        tail.length += read as u64;
        let room = wanted.saturating_sub(tail.all.len());
        tail.all.extend_from_slice(&bytes[..room.min(read)]);
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            line.push(part);
            if part.ends_with(b"\n") {
                let line = line.take();
                each(&line);
                tail.remember(line);
            }
        }
    }
    if !line.is_empty() {
        let line = line.take();
        each(&line);
        tail.remember(line);
    }
    tail
}

fn log_line(stream: Stream, line: &str) {
    match stream {
        Stream::Stdout => tracing::info!(target: "stdout", "{line}"),
        Stream::Stderr => tracing::warn!(target: "stderr", "{line}"),
    }
}

impl StreamTail {
    fn remember(&mut self, line: String) {
        self.wants_memory |= WANT.iter().any(|words| line.contains(words));
        if !line.trim().is_empty() && !is_of_backtrace(&line) {
            if self.last.len() == LAST {
                self.last.pop_front();
            }
            self.last.push_back(line);
        }
    }
}

/// Excludes backtraces from the last lines; the log contains them.
fn is_of_backtrace(line: &str) -> bool {
    let text = line.trim_start();
    let frame = text.split_once(": ").is_some_and(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit()));
    let indented = text.len() < line.len();
    (indented && (frame || text.starts_with("at "))) || text == "stack backtrace:" || text.starts_with("note: ")
}

/// An incomplete line.
#[derive(Debug, Default)]
struct Line {
    bytes: Vec<u8>,
    /// How many of its bytes were omitted.
    cut: usize,
}

impl Line {
    fn push(&mut self, part: &[u8]) {
        let room = LONGEST.saturating_sub(self.bytes.len());
        let fitting = &part[..part.len().min(room)];
        self.bytes.extend_from_slice(fitting);
        // A line feed does not count as omitted.
        self.cut += part.strip_suffix(b"\n").unwrap_or(part).len().saturating_sub(fitting.len());
    }

    fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns the text, with the number of omitted bytes. Invalid UTF-8 is replaced.
    fn take(&mut self) -> String {
        let Line { bytes: line, cut } = std::mem::take(self);
        let bytes = line.strip_suffix(b"\n").unwrap_or(&line);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let text = String::from_utf8_lossy(bytes);
        if cut == 0 { text.into_owned() } else { format!("{text} .. ({cut} bytes more)") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn tail_of(bytes: &'static [u8], wanted: usize) -> StreamTail {
        follow(bytes, Stream::Stdout, wanted).finish().await
    }

    #[tokio::test]
    async fn the_last_lines_are_kept_without_their_ends() {
        let tail = tail_of(b"one\n\ntwo\r\nthree\n4\n5\n \nsix \xff", 9).await;
        assert_eq!(tail.last, ["two", "three", "4", "5", "six \u{fffd}"]);
        assert_eq!((&*tail.all, tail.length), (&b"one\n\ntwo\r"[..], 27));
    }

    #[tokio::test]
    async fn a_backtrace_does_not_hide_the_lines_before_it() {
        let output =
            b"memory allocation of 9 bytes failed\nstack backtrace:\n   0: a::b\n      at /src/lib.rs:1\nnote: more";
        let tail = tail_of(output, 0).await;
        assert_eq!(tail.last, ["memory allocation of 9 bytes failed"]);
        assert!(tail.wants_memory);
    }

    #[tokio::test]
    async fn a_long_line_is_cut_and_marked() {
        let long: &'static [u8] = Box::leak(vec![b'x'; LONGEST + 10].into_boxed_slice());
        let tail = tail_of(long, 0).await;
        assert!(tail.last[0].ends_with("x .. (10 bytes more)"), "{}", tail.last[0].len());
    }
}
