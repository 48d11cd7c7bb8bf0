//! Logs the output of a child line by line.

use std::collections::VecDeque;
use std::os::fd::{AsFd, AsRawFd as _};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use tracing::Instrument as _;

use super::splitter::{PIECE, Part, Splitter};
use crate::log::with_backpressure;

/// How many of the last lines are kept for error messages.
const LAST: usize = 5;
/// What is read after the time limit, in bytes: no pipe holds more.
const AFTER_LIMIT: u64 = 1 << 20;
/// How long a stream is read after its attempt was abandoned: its grace time and a moment.
const ABANDONED: Duration = Duration::from_secs(6);
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
    /// The last nonblank line.
    pub(crate) last_line: String,
    /// The last nonblank lines without backtraces, for error messages. Long ones are cut.
    pub(crate) last: VecDeque<String>,
    /// Whether a line reports lack of memory.
    pub(crate) wants_memory: bool,
    /// The captured bytes.
    pub(crate) all: Vec<u8>,
    /// The total number of bytes.
    pub(crate) length: u64,
    /// The pipe, if another process still held it open at the time limit.
    pub(crate) held: Option<String>,
    /// The last logged line.
    piece: String,
}

/// A stream that is being read. If it is dropped, the stream is still read for [`ABANDONED`]: a
/// process that is asked to end may have something to say, and a closed pipe would kill it.
#[derive(Debug)]
pub(crate) struct Following {
    reader: JoinHandle<StreamTail>,
    limit: watch::Sender<Option<Instant>>,
}

impl Following {
    /// Waits for the end of the stream, but not longer than this for the processes that write to
    /// it. Returns what was read.
    pub(crate) async fn finish(&mut self, limit: Duration) -> StreamTail {
        // If the reader has ended, there is nothing to wait for.
        let _ = self.limit.send(Some(Instant::now() + limit));
        (&mut self.reader).await.unwrap_or_default()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.limit.send_replace(Some(Instant::now() + ABANDONED));
    }
}

/// Logs the lines of a stream for the current attempt, and captures up to `wanted` bytes of it.
pub(crate) fn follow(
    source: impl AsyncRead + AsFd + Send + Unpin + 'static,
    stream: Stream,
    wanted: usize,
) -> Following {
    let pipe = std::fs::read_link(format!("/proc/self/fd/{}", source.as_fd().as_raw_fd()));
    let pipe = pipe.map(|pipe| pipe.to_string_lossy().into_owned()).unwrap_or_default();
    start(source, pipe, wanted, move |line| log_line(stream, line))
}

/// Like [`follow`], but calls `each` instead of logging the line.
#[cfg(feature = "spark")]
pub(crate) fn follow_with(
    source: impl AsyncRead + Send + Unpin + 'static,
    each: impl FnMut(&str) + Send + 'static,
) -> Following {
    start(source, String::new(), 0, each)
}

fn start(
    source: impl AsyncRead + Send + Unpin + 'static,
    pipe: String,
    wanted: usize,
    each: impl FnMut(&str) + Send + 'static,
) -> Following {
    let (limit, until) = watch::channel(None);
    Following { reader: tokio::spawn(listen(source, pipe, wanted, until, each).in_current_span()), limit }
}

async fn listen(
    mut source: impl AsyncRead + Unpin,
    pipe: String,
    wanted: usize,
    mut until: watch::Receiver<Option<Instant>>,
    mut each: impl FnMut(&str),
) -> StreamTail {
    let (mut tail, mut splitter) = (StreamTail::default(), Splitter::default());
    let mut buffer = vec![0; 8 * 1024];
    let mut late = 0;
    loop {
        let read = tokio::select! {
            biased;
            read = source.read(&mut buffer), if late < AFTER_LIMIT => read,
            () = limit(&mut until) => {
                tail.held = Some(pipe);
                break;
            }
        };
        let read = match read {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) => {
                tracing::warn!(target: "taskflow", "further output of a child process is lost: {error}");
                break;
            }
        };
        if until.borrow().is_some_and(|until| until <= Instant::now()) {
            late += read as u64;
        }
        let mut bytes = &buffer[..read];
        tail.length += read as u64;
        let room = wanted.saturating_sub(tail.all.len());
        tail.all.extend_from_slice(&bytes[..room.min(read)]);
        while let Some(part) = splitter.next(&mut bytes) {
            let ((), pressure) = with_backpressure(|| tail.take(part, &mut each));
            // The child waits for its pipe: no line of it is lost.
            if let Some(pressure) = pressure {
                pressure.wait().await;
            }
        }
    }
    while let Some(part) = splitter.rest() {
        tail.take(part, &mut each);
    }
    tail
}

/// Waits for the time limit, once there is one.
async fn limit(until: &mut watch::Receiver<Option<Instant>>) {
    let limit = until.wait_for(Option::is_some).await.map(|until| *until);
    match limit {
        Ok(Some(limit)) => sleep_until(limit).await,
        // There is a limit before the sender is dropped.
        _ => std::future::pending().await,
    }
}

fn log_line(stream: Stream, line: &str) {
    match stream {
        Stream::Stdout => tracing::info!(target: "stdout", "{line}"),
        Stream::Stderr => tracing::warn!(target: "stderr", "{line}"),
    }
}

impl StreamTail {
    fn take(&mut self, part: Part, each: &mut impl FnMut(&str)) {
        match part {
            Part::Piece(text) => {
                each(&text);
                self.wants_memory |= WANT.iter().any(|words| text.contains(words));
                self.piece = text;
            }
            Part::End(whole) => {
                let line = whole.unwrap_or_else(|| std::mem::take(&mut self.piece));
                self.remember(line);
            }
        }
    }

    fn remember(&mut self, line: String) {
        if line.trim().is_empty() {
            return;
        }
        if !is_of_backtrace(&line) {
            if self.last.len() == LAST {
                self.last.pop_front();
            }
            self.last.push_back(cut(&line));
        }
        self.last_line = line;
    }
}

/// The beginning of a line, for error messages.
fn cut(line: &str) -> String {
    let end = line.floor_char_boundary(PIECE);
    match line.len() - end {
        0 => line.to_owned(),
        more => format!("{} .. ({more} bytes more)", &line[..end]),
    }
}

/// Excludes backtraces from error messages; the log contains them.
fn is_of_backtrace(line: &str) -> bool {
    let text = line.trim_start();
    let frame = text.split_once(": ").is_some_and(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit()));
    let indented = text.len() < line.len();
    (indented && (frame || text.starts_with("at "))) || text == "stack backtrace:" || text.starts_with("note: ")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn tail_of(bytes: &'static [u8], wanted: usize) -> StreamTail {
        start(bytes, String::new(), wanted, |_| {}).finish(Duration::from_secs(60)).await
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
        assert_eq!(tail.last_line, "note: more");
        assert!(tail.wants_memory);
    }

    #[tokio::test]
    async fn a_long_line_is_cut_and_marked_in_messages() {
        let long: &'static [u8] = Box::leak(vec![b'x'; PIECE + 10].into_boxed_slice());
        let tail = tail_of(long, 0).await;
        assert!(tail.last[0].ends_with("x .. (10 bytes more)"), "{}", tail.last[0].len());
        assert_eq!(tail.last_line.len(), PIECE + 10);
    }

    #[tokio::test]
    async fn what_was_read_is_kept_at_the_time_limit() {
        use tokio::io::AsyncWriteExt as _;

        let (source, mut writer) = tokio::io::duplex(64);
        let mut following = start(source, "pipe:[1]".to_owned(), 99, |_| {});
        writer.write_all(b"one\ntwo").await.unwrap();
        let tail = following.finish(Duration::from_millis(1)).await;
        assert_eq!((&*tail.all, &*tail.last_line, tail.held.as_deref()), (&b"one\ntwo"[..], "two", Some("pipe:[1]")));
    }
}
