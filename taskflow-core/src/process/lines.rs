//! What a child writes, line by line, into the log of the attempt.

use std::collections::VecDeque;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::task::JoinHandle;
use tracing::Instrument as _;

/// The longest line that is kept, in bytes.
const LONGEST: usize = 16 * 1024;
/// How many of the last lines are kept for messages.
const LAST: usize = 5;
/// What allocators and libraries say when there is no more memory.
const WANT: [&str; 4] = ["memory allocation of", "Cannot allocate memory", "std::bad_alloc", "out of memory"];

/// Which of its two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

/// What is remembered of a stream.
#[derive(Debug, Default)]
pub(crate) struct FrameReceiver {
    /// The last lines that are not blank.
    pub(crate) last: VecDeque<String>,
    /// Whether one of the lines says that there was no more memory.
    pub(crate) wants_memory: bool,
    /// All bytes, as far as they were wanted.
    pub(crate) all: Vec<u8>,
    /// How many bytes there were.
    pub(crate) length: u64,
}

/// A stream that is being followed. Dropping it stops that.
#[derive(Debug)]
pub(crate) struct Following(JoinHandle<FrameReceiver>);

impl Following {
    /// What was heard, at the end of the stream.
    pub(crate) async fn heard(&mut self) -> FrameReceiver {
        (&mut self.0).await.unwrap_or_default()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Sends the lines of a stream into the log of the current attempt, and keeps up to `wanted` bytes of it.
pub(crate) fn follow(source: impl AsyncRead + Send + Unpin + 'static, stream: Stream, wanted: usize) -> Following {
    follow_with(source, wanted, move |line| tell(stream, line))
}

/// As [`follow`], with `say` in the place of the log.
pub(crate) fn follow_with(
    source: impl AsyncRead + Send + Unpin + 'static,
    wanted: usize,
    say: impl FnMut(&str) + Send + 'static,
) -> Following {
    Following(tokio::spawn(listen(source, wanted, say).in_current_span()))
}

async fn listen(mut source: impl AsyncRead + Unpin, wanted: usize, mut say: impl FnMut(&str)) -> FrameReceiver {
    let (mut heard, mut line) = (FrameReceiver::default(), Line::default());
    let mut buffer = vec![0; 8 * 1024];
    loop {
        let read = match source.read(&mut buffer).await {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) => {
                tracing::warn!(target: "taskflow", "what a child says after this is lost: {error}");
                break;
            }
        };
        let bytes = &buffer[..read];
        heard.length += read as u64;
        let room = wanted.saturating_sub(heard.all.len());
        heard.all.extend_from_slice(&bytes[..room.min(read)]);
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            line.push(part);
            if part.ends_with(b"\n") {
                let line = line.take();
                say(&line);
                heard.remember(line);
            }
        }
    }
    if !line.is_empty() {
        let line = line.take();
        say(&line);
        heard.remember(line);
    }
    heard
}

fn tell(stream: Stream, line: &str) {
    match stream {
        Stream::Stdout => tracing::info!(target: "stdout", "{line}"),
        Stream::Stderr => tracing::warn!(target: "stderr", "{line}"),
    }
}

impl FrameReceiver {
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

/// Of a backtrace the last lines say nothing; the log has all of it.
fn is_of_backtrace(line: &str) -> bool {
    let text = line.trim_start();
    let frame = text.split_once(": ").is_some_and(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit()));
    let indented = text.len() < line.len();
    (indented && (frame || text.starts_with("at "))) || text == "stack backtrace:" || text.starts_with("note: ")
}

/// A line that is not whole yet.
#[derive(Debug, Default)]
struct Line {
    kept: Vec<u8>,
    /// How many bytes of it were left out.
    cut: usize,
}

impl Line {
    fn push(&mut self, part: &[u8]) {
        let room = LONGEST.saturating_sub(self.kept.len());
        let kept = &part[..part.len().min(room)];
        self.kept.extend_from_slice(kept);
        // A line feed is not what anybody misses.
        self.cut += part.strip_suffix(b"\n").unwrap_or(part).len().saturating_sub(kept.len());
    }

    fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The text, and what is missing of it. Bytes that are no UTF-8 are replaced.
    fn take(&mut self) -> String {
        let Line { kept, cut } = std::mem::take(self);
        let bytes = kept.strip_suffix(b"\n").unwrap_or(&kept);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let text = String::from_utf8_lossy(bytes);
        if cut == 0 { text.into_owned() } else { format!("{text} .. ({cut} bytes more)") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn heard(bytes: &'static [u8], wanted: usize) -> FrameReceiver {
        follow(bytes, Stream::Stdout, wanted).heard().await
    }

    #[tokio::test]
    async fn the_last_lines_are_kept_without_their_ends() {
        let heard = heard(b"one\n\ntwo\r\nthree\n4\n5\n \nsix \xff", 9).await;
        assert_eq!(heard.last, ["two", "three", "4", "5", "six \u{fffd}"]);
        assert_eq!((&*heard.all, heard.length), (&b"one\n\ntwo\r"[..], 27));
    }

    #[tokio::test]
    async fn a_backtrace_does_not_hide_what_was_said_before_it() {
        let said =
            b"memory allocation of 9 bytes failed\nstack backtrace:\n   0: a::b\n      at /src/lib.rs:1\nnote: more";
        let heard = heard(said, 0).await;
        assert_eq!(heard.last, ["memory allocation of 9 bytes failed"]);
        assert!(heard.wants_memory);
    }

    #[tokio::test]
    async fn a_long_line_is_cut_and_says_so() {
        let long: &'static [u8] = Box::leak(vec![b'x'; LONGEST + 10].into_boxed_slice());
        let heard = heard(long, 0).await;
        assert!(heard.last[0].ends_with("x .. (10 bytes more)"), "{}", heard.last[0].len());
    }
}
