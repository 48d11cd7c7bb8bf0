//! Reads the records of a log, a piece of a file at a time: a log may be larger than what is wanted
//! of it.

use std::io;

use super::read::{AttemptLog, Lines};
use super::record::LogRecord;
use super::segments::has_header;
use super::store::{LogChunk, LogName, LogStore};
use crate::base::Timestamp;

/// How many bytes are read at a time. A line that is longer is held as a whole.
const PIECE: u64 = 256 * 1024;

/// Whole lines of a segment of a log that follow each other.
#[cfg_attr(not(feature = "server"), allow(dead_code, reason = "only the server reads a log by its blocks"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogBlock {
    pub(crate) segment: u32,
    /// Where they begin in the segment.
    pub(crate) start: u64,
    /// Where they end.
    pub(crate) end: u64,
    /// The time of the record before them, which an unreadable line takes.
    before: Timestamp,
}

/// The whole log of an attempt.
pub(super) fn read_log(store: &dyn LogStore, log: &LogName) -> io::Result<AttemptLog> {
    let mut records = Vec::new();
    let torn = each_record(store, log, |record| records.push(record))?;
    Ok(AttemptLog { records, torn })
}

/// Calls `each` with the records of a log, in the order of the files. An unreadable line is
/// replaced by a record that describes it. Returns whether an incomplete last line was skipped.
///
/// # Errors
///
/// If the log exists and cannot be read.
pub(crate) fn each_record(store: &dyn LogStore, log: &LogName, mut each: impl FnMut(LogRecord)) -> io::Result<bool> {
    in_pieces(store, log, PIECE, |_, record| each(record))
}

/// The same, with the line that each record is, as a block.
///
/// # Errors
///
/// If the log exists and cannot be read.
#[cfg(feature = "server")]
pub(crate) fn each_record_at(
    store: &dyn LogStore,
    log: &LogName,
    each: impl FnMut(LogBlock, LogRecord),
) -> io::Result<bool> {
    in_pieces(store, log, PIECE, each)
}

/// Calls `each` with the records of a block of a log, as [`each_record_at`] has called it.
///
/// # Errors
///
/// If it cannot be read, or is not all there any more.
#[cfg(feature = "server")]
pub(crate) fn each_record_of(
    store: &dyn LogStore,
    log: &LogName,
    block: &LogBlock,
    mut each: impl FnMut(LogBlock, LogRecord),
) -> io::Result<()> {
    let (mut bytes, mut offset) = (Vec::new(), block.start);
    while offset < block.end {
        match store.read(log, block.segment, offset, PIECE.min(block.end - offset))? {
            Some(chunk) if chunk.from == offset && !chunk.bytes.is_empty() => {
                offset += chunk.bytes.len() as u64;
                bytes.extend_from_slice(&chunk.bytes);
            }
            _ => return Err(io::Error::other("it was cut or deleted while it was read")),
        }
    }
    let (mut lines, mut start) = (Lines::after(Some(block.before)), block.start);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let (before, end) = (lines.last, start + line.len() as u64);
        if let Some(record) = lines.record(line.strip_suffix(b"\n").unwrap_or(line)) {
            each(LogBlock { segment: block.segment, start, end, before }, record);
        }
        start = end;
    }
    Ok(())
}

fn in_pieces(
    store: &dyn LogStore,
    log: &LogName,
    piece: u64,
    mut each: impl FnMut(LogBlock, LogRecord),
) -> io::Result<bool> {
    let (mut lines, mut is_torn, mut is_first_of_tail) = (Lines::new(), false, true);
    for segment in std::iter::once(0).chain(store.tail(log)?) {
        // The records before the first segment of the tail were cut; later headers repeat that.
        let mut skips = has_header(segment) && !is_first_of_tail;
        let read = each_line(store, log, segment, piece, |start, line| {
            let before = lines.last;
            if !std::mem::take(&mut skips)
                && let Some(record) = lines.record(line)
            {
                // With its line feed.
                let end = start + line.len() as u64 + 1;
                each(LogBlock { segment, start, end, before }, record);
            }
        })?;
        // It was deleted since, maybe while it was read: the next header says that records are
        // missing.
        let Some(is_incomplete) = read else { continue };
        is_torn = is_incomplete && !skips;
        is_first_of_tail &= segment == 0;
    }
    Ok(is_torn)
}

/// Calls `each` with the complete lines of a segment, without their line feeds, and where they
/// begin. Returns whether an incomplete one follows; `None` if there is no such segment, or no
/// longer.
fn each_line(
    store: &dyn LogStore,
    log: &LogName,
    segment: u32,
    piece: u64,
    mut each: impl FnMut(u64, &[u8]),
) -> io::Result<Option<bool>> {
    // What was read of a line whose end was not.
    let mut begun: Vec<u8> = Vec::new();
    let (mut offset, mut start) = (0, 0);
    loop {
        let Some(LogChunk { from, bytes }) = store.read(log, segment, offset, piece)? else { return Ok(None) };
        // What is shorter than what was read of it is another log.
        if bytes.is_empty() || from < offset {
            return Ok(Some(!begun.is_empty()));
        }
        offset += bytes.len() as u64;
        let mut rest = &bytes[..];
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line = &rest[..end];
            let length = begun.len() + line.len();
            if begun.is_empty() {
                each(start, line);
            } else {
                begun.extend_from_slice(line);
                each(start, &begun);
                begun.clear();
            }
            start += length as u64 + 1;
            rest = &rest[end + 1..];
        }
        begun.extend_from_slice(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The segments of a log, with their numbers.
    #[derive(Debug)]
    struct Segments {
        segments: Vec<(u32, String)>,
        /// One that is gone once a piece of it was read.
        deleted: Option<u32>,
    }

    impl LogStore for Segments {
        fn tasks(&self, _run: &str) -> io::Result<Vec<String>> {
            Ok(Vec::new())
        }

        fn attempts(&self, _run: &str, _task: &str) -> io::Result<Vec<u32>> {
            Ok(Vec::new())
        }

        fn tail(&self, _log: &LogName) -> io::Result<Vec<u32>> {
            Ok(self.segments.iter().map(|(number, _)| *number).filter(|number| *number > 0).collect())
        }

        fn read(&self, _log: &LogName, segment: u32, from: u64, most: u64) -> io::Result<Option<LogChunk>> {
            if from > 0 && self.deleted == Some(segment) {
                return Ok(None);
            }
            let Some((_, text)) = self.segments.iter().find(|(number, _)| *number == segment) else { return Ok(None) };
            let begin = usize::try_from(from).unwrap();
            let end = begin.saturating_add(usize::try_from(most).unwrap()).min(text.len());
            Ok(Some(LogChunk { from, bytes: text.as_bytes()[begin..end].to_vec() }))
        }

        fn remove_run(&self, _run: &str) -> io::Result<()> {
            Ok(())
        }
    }

    fn line(second: u32, message: &str) -> String {
        format!("{{\"at\":\"2026-01-31T06:00:{second:02}Z\",\"level\":\"INFO\",\"message\":\"{message}\"}}\n")
    }

    /// The records in pieces of that size, and whether the last line is incomplete.
    fn read(store: &Segments, piece: u64) -> (Vec<LogRecord>, bool) {
        let log = LogName { run: "run".to_owned(), task: "task".to_owned(), attempt: 1 };
        let mut records = Vec::new();
        let is_torn = in_pieces(store, &log, piece, |_, record| records.push(record)).unwrap();
        (records, is_torn)
    }

    fn messages(records: &[LogRecord]) -> Vec<String> {
        records.iter().map(|record| record.message.chars().take(9).collect()).collect()
    }

    /// Several segments with headers, a damaged line, empty lines, a long line, and incomplete last
    /// lines.
    #[test]
    fn pieces_of_any_size_give_the_same_records() {
        let damaged = "{\"at\":\"2026\n\n  \nno json\n";
        let first = line(1, "one") + damaged + &line(2, &"ä".repeat(500)) + "{\"at\":";
        let store = Segments {
            segments: vec![
                (0, first),
                (4, line(3, "header") + &line(4, "four") + "\n{"),
                (5, line(5, "repeated") + &line(6, "six") + "{\"at\":\"2026"),
            ],
            deleted: None,
        };
        let (whole, is_torn) = read(&store, 1 << 20);
        let long = "ä".repeat(9);
        let expected = ["one", "this line", "this line", &long, "header", "four", "six"];
        assert_eq!((messages(&whole), is_torn), (expected.map(str::to_owned).to_vec(), true));
        assert_eq!((whole[1].at, whole[2].at), (whole[0].at, whole[0].at), "the time of the record before");
        for piece in [1, 2, 3, 7, 60, 61, 62, 63, 64, 500] {
            assert_eq!(read(&store, piece), (whole.clone(), true), "{piece}");
        }
    }

    /// The same log as above, read again by the blocks of its lines, and by pairs of them.
    #[cfg(feature = "server")]
    #[test]
    fn a_block_gives_the_records_that_it_was_made_of() {
        let first = line(1, "one") + "no json\n\n{\n" + &line(2, &"ä".repeat(500)) + "{\"at\":";
        let tail = line(3, "header") + &line(4, "four") + "no json\n";
        let mut store = Segments { segments: vec![(0, first), (4, tail)], deleted: None };
        let log = LogName { run: "run".to_owned(), task: "task".to_owned(), attempt: 1 };
        for piece in [1, 7, 64, 1 << 20] {
            let mut blocks = Vec::new();
            in_pieces(&store, &log, piece, |block, record| blocks.push((block, record))).unwrap();
            assert_eq!(blocks.len(), 7, "{piece}");
            for ((one, first), (other, second)) in blocks.iter().zip(&blocks[1..]) {
                let pair = if one.segment == other.segment { LogBlock { end: other.end, ..*one } } else { *one };
                let mut read = Vec::new();
                each_record_of(&store, &log, &pair, |block, record| read.push((block, record))).unwrap();
                let both = [(*one, first.clone()), (*other, second.clone())];
                let count = if one.segment == other.segment { 2 } else { 1 };
                assert_eq!(read, both[..count], "{piece}");
            }
        }
        let mut last = None;
        each_record_at(&store, &log, |block, _| last = Some(block)).unwrap();
        let last = last.unwrap();
        store.segments[1].1.truncate(usize::try_from(last.start).unwrap());
        let refused = each_record_of(&store, &log, &last, |_, _| ()).unwrap_err();
        assert_eq!(refused.to_string(), "it was cut or deleted while it was read");
    }

    /// A segment whose header, which is skipped, is being written; and a log that is not there.
    #[test]
    fn a_header_that_is_being_written_is_no_incomplete_line() {
        let segments = vec![(0, line(1, "one")), (1, line(2, "two")), (2, "{\"at\":".to_owned())];
        for piece in [1, 4, 1 << 20] {
            let (records, is_torn) = read(&Segments { segments: segments.clone(), deleted: None }, piece);
            assert_eq!((messages(&records), is_torn), (vec!["one".to_owned(), "two".to_owned()], false));
            assert_eq!(read(&Segments { segments: Vec::new(), deleted: None }, piece), (Vec::new(), false));
        }
    }

    /// A log that reaches its limit while it is read: its oldest segment after the first is
    /// deleted.
    #[test]
    fn a_segment_that_is_deleted_meanwhile_ends_and_the_next_header_says_so() {
        let segments = vec![
            (0, line(1, "one")),
            (2, line(2, "header") + &line(3, "three") + &line(4, "four")),
            (3, line(5, "cut") + &line(6, "six")),
        ];
        let piece = (line(2, "header") + &line(3, "three")).len() as u64;
        let (records, is_torn) = read(&Segments { segments, deleted: Some(2) }, piece);
        let expected = ["one", "header", "three", "cut", "six"];
        assert_eq!((messages(&records), is_torn), (expected.map(str::to_owned).to_vec(), false));
    }
}
