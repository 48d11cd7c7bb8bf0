//! Splits the output of a child into lines.
//!
//! - A line feed ends a line; a carriage return before it does not count.
//! - Any other carriage return ends a line that the next one replaces, as on a terminal: progress
//!   bars are written that way. Of the replaced lines, at most one in [`SHOWN`] is logged.
//! - A long line is logged in pieces of [`PIECE`] bytes. The whole of it is kept up to [`WHOLE`].

use std::time::{Duration, Instant};

/// The longest record of the log, in bytes.
pub(super) const PIECE: usize = 16 * 1024;
/// How much of a line is kept as a whole, in bytes.
const WHOLE: usize = 1024 * 1024;
/// The least time between two replaced lines that are logged.
const SHOWN: Duration = Duration::from_secs(5);

/// A part of the output. Invalid UTF-8 is replaced.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A line of the log: a line, or a piece of a long one.
    Piece(String),
    /// The end of a line. Its text, if it was longer than a piece: otherwise it is that of the last
    /// piece.
    End(Option<String>),
}

/// An incomplete line.
#[derive(Debug)]
pub(super) struct Splitter {
    /// The beginning of the line.
    bytes: Vec<u8>,
    /// What is not logged yet.
    piece: Vec<u8>,
    /// Whether pieces of the line were logged.
    is_long: bool,
    /// How many of its bytes were omitted from `bytes`.
    cut: usize,
    /// Whether a carriage return ended it.
    returned: bool,
    /// Whether the line feed is still to be reported.
    ends: bool,
    shown: Instant,
}

impl Default for Splitter {
    fn default() -> Self {
        Splitter {
            bytes: Vec::new(),
            piece: Vec::new(),
            is_long: false,
            cut: 0,
            returned: false,
            ends: false,
            shown: Instant::now(),
        }
    }
}

impl Splitter {
    /// Takes the next part from the front of the bytes; `None` once all of them are taken.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Option<Part> {
        if std::mem::take(&mut self.ends) {
            return Some(self.end());
        }
        while let Some(&first) = bytes.first() {
            match first {
                b'\n' => {
                    *bytes = &bytes[1..];
                    if self.piece.is_empty() && self.is_long {
                        return Some(self.end());
                    }
                    self.ends = true;
                    return Some(self.log_piece(self.piece.len()));
                }
                b'\r' => {
                    self.returned = true;
                    *bytes = &bytes[1..];
                }
                _ if self.returned => {
                    let shown = self.shown.elapsed() >= SHOWN && !self.piece.is_empty();
                    let piece = std::mem::take(&mut self.piece);
                    self.forget();
                    if shown {
                        self.shown = Instant::now();
                        return Some(Part::Piece(String::from_utf8_lossy(&piece).into_owned()));
                    }
                }
                _ => {
                    let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(bytes.len());
                    // One byte more than a piece, so that a line of its length is not split.
                    let (text, rest) = bytes.split_at(end.min(PIECE + 1 - self.piece.len()));
                    *bytes = rest;
                    let kept = text.len().min(WHOLE.saturating_sub(self.bytes.len()));
                    self.bytes.extend_from_slice(&text[..kept]);
                    self.cut += text.len() - kept;
                    self.piece.extend_from_slice(text);
                    if self.piece.len() > PIECE {
                        self.is_long = true;
                        return Some(self.log_piece(boundary(&self.piece, PIECE)));
                    }
                }
            }
        }
        None
    }

    /// Takes the next part of a last line without a line feed.
    pub(super) fn rest(&mut self) -> Option<Part> {
        let is_over = self.bytes.is_empty() && !self.ends;
        if is_over { None } else { self.next(&mut &b"\n"[..]) }
    }

    fn log_piece(&mut self, length: usize) -> Part {
        let rest = self.piece.split_off(length);
        let piece = std::mem::replace(&mut self.piece, rest);
        Part::Piece(String::from_utf8_lossy(&piece).into_owned())
    }

    fn end(&mut self) -> Part {
        let whole = self.is_long.then(|| {
            let text = String::from_utf8_lossy(&self.bytes);
            if self.cut == 0 { text.into_owned() } else { format!("{text} .. ({} bytes more)", self.cut) }
        });
        self.forget();
        Part::End(whole)
    }

    /// Begins another line.
    fn forget(&mut self) {
        self.bytes.clear();
        self.piece.clear();
        (self.is_long, self.cut, self.returned) = (false, 0, false);
    }
}

/// The last beginning of a character up to there.
fn boundary(bytes: &[u8], at: usize) -> usize {
    (at.saturating_sub(3)..=at).rev().find(|&at| bytes[at] & 0b1100_0000 != 0b1000_0000).unwrap_or(at)
}

/// For fuzzing: splits an output that comes in parts.
pub(super) fn read_any(output: &[u8]) {
    let mut splitter = Splitter::default();
    for mut part in output.chunks(5) {
        while splitter.next(&mut part).is_some() {}
    }
    while splitter.rest().is_some() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The logged lines, and the whole ones.
    fn split(output: &[u8], chunk: usize) -> (Vec<String>, Vec<String>) {
        let (mut splitter, mut pieces, mut lines) = (Splitter::default(), Vec::new(), Vec::new());
        let mut take = |part: Part| match part {
            Part::Piece(text) => pieces.push(text),
            Part::End(whole) => lines.push(whole.or_else(|| pieces.last().cloned()).unwrap_or_default()),
        };
        for mut bytes in output.chunks(chunk) {
            while let Some(part) = splitter.next(&mut bytes) {
                take(part);
            }
        }
        while let Some(part) = splitter.rest() {
            take(part);
        }
        (pieces, lines)
    }

    #[test]
    fn lines_end_with_a_line_feed_and_may_be_replaced_before() {
        let cases: [(&[u8], &[&str]); 8] = [
            (b"one\n\ntwo\r\n", &["one", "", "two"]),
            (b"one\nrest", &["one", "rest"]),
            (b"1\r22\r333\n4\r", &["333", "4"]),
            (b"bar\r\r\nend\r\n", &["bar", "end"]),
            (b"\rone\r", &["one"]),
            (b"", &[]),
            (b"\r\n\r", &[""]),
            (b"six \xff\n", &["six \u{fffd}"]),
        ];
        for (output, expected) in cases {
            for chunk in [1, 2, 3, 100] {
                let (pieces, lines) = split(output, chunk);
                assert_eq!((&pieces, &lines), (&expected.iter().map(|line| (*line).to_owned()).collect(), &pieces));
            }
        }
    }

    #[test]
    fn a_long_line_is_logged_in_pieces_that_split_no_character() {
        for length in [PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 2 * PIECE + 1] {
            for letter in ["x", "é", "💥"] {
                let line = letter.repeat(length / letter.len());
                for chunk in [1, 4096, 100_000] {
                    let (pieces, lines) = split(format!("{line}\nnext").as_bytes(), chunk);
                    assert_eq!(lines, [&*line, "next"]);
                    assert_eq!(pieces.concat(), format!("{line}next"));
                    assert_eq!(pieces.len(), line.len().div_ceil(PIECE) + 1, "{length} {letter}");
                }
            }
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_as_a_whole_and_not_in_the_log() {
        let output = "x".repeat(WHOLE + 10);
        let (pieces, lines) = split(output.as_bytes(), 8192);
        assert_eq!(pieces.concat(), output);
        assert!(lines[0].ends_with("x .. (10 bytes more)"));
    }
}
