//! Where the lines of a log are, so that a part of it is read without the rest.
//!
//! A line is what people see: a record has one for each line of its message. They are numbered from
//! 0 here.
//!
//! 1. An index has the place of every [`BLOCK`]th record, and how many lines come before it. A
//!    block does not reach into the next segment.
//! 2. It is made by looking for line feeds. Only records whose message has several lines are
//!    parsed.
//! 3. A log only grows, so an index is continued at its end. It is made anew if the file has become
//!    shorter, or a segment is gone: the log was cut, or replaced.
//! 4. A part of a log is read from the block in which it begins to the one in which it ends.

use std::io::{self, BufRead as _};
use std::ops::{ControlFlow, Range};

use super::follow::LogPosition;
use super::histogram::LogHistogram;
use super::read::Lines;
use super::record::LogRecord;
use super::segments::has_header;
use super::store::{LogChunk, LogName, LogStore};
use crate::base::Timestamp;

/// How many records a block has.
const BLOCK: usize = 256;
/// A header has not more bytes.
const HEADER: u64 = 4 * 1024;

/// The places of the lines of a log.
#[derive(Clone, Debug, Default)]
pub(crate) struct LinesIndex {
    blocks: Vec<Block>,
    /// How many records the last block has.
    in_last: usize,
    lines: usize,
    end: LogPosition,
    /// The time of the first record.
    start: Option<Timestamp>,
    histogram: LogHistogram,
    is_torn: bool,
}

/// Records that follow each other in a segment.
#[derive(Clone, Copy, Debug)]
struct Block {
    segment: u32,
    offset: u64,
    /// The number of its first line.
    line: usize,
}

/// A line of the file: a record.
#[derive(Clone, Copy, Debug)]
struct LineOfFile<'a> {
    line: &'a [u8],
    /// The number of the first line that people see of it, and how many there are.
    number: usize,
    lines: usize,
    /// The place after it.
    end: LogPosition,
}

impl LinesIndex {
    /// How many lines there are.
    pub(crate) fn lines(&self) -> usize {
        self.lines
    }

    /// The place after the last line.
    pub(crate) fn end(&self) -> LogPosition {
        self.end
    }

    /// Whether a part of another line follows.
    pub(crate) fn is_torn(&self) -> bool {
        self.is_torn
    }

    /// Its lines by time.
    pub(crate) fn histogram(&self) -> &LogHistogram {
        &self.histogram
    }

    /// The time of the first record.
    pub(crate) fn start(&self) -> Option<Timestamp> {
        self.start
    }

    /// Adds what was appended since.
    ///
    /// # Errors
    ///
    /// If the log exists and cannot be read. The index is to be dropped then.
    pub(crate) fn update(&mut self, store: &dyn LogStore, log: &LogName) -> io::Result<()> {
        loop {
            // Listed first: what a segment has after that is all of it, if there is a later one.
            let tail = store.tail(log)?;
            let is_gone = |block: &Block| block.segment != 0 && !tail.contains(&block.segment);
            if self.blocks.iter().any(is_gone) || !self.read(store, log)? {
                *self = LinesIndex::default();
                self.read(store, log)?;
            }
            let Some(next) = tail.into_iter().find(|&segment| segment > self.end.segment) else { return Ok(()) };
            let mut offset = 0;
            // The header of a segment whose predecessor is there says nothing new.
            if has_header(next) && next == self.end.segment + 1 {
                let begin = store.read(log, next, 0, HEADER)?.unwrap_or_default().bytes;
                // It is being written.
                let Some(end) = line_end(&begin) else { return Ok(()) };
                offset = end as u64;
            }
            self.end = LogPosition { segment: next, offset };
        }
    }

    /// Reads the rest of a segment. `false` if it is shorter than it was.
    fn read(&mut self, store: &dyn LogStore, log: &LogName) -> io::Result<bool> {
        let LogPosition { segment, offset } = self.end;
        let Some(LogChunk { from, bytes }) = store.read(log, segment, offset, u64::MAX)? else {
            return Ok(offset == 0);
        };
        if from < offset {
            return Ok(false);
        }
        let mut rest = &bytes[..];
        while let Some(end) = line_end(rest) {
            let (line, after) = rest.split_at(end);
            self.add(line);
            rest = after;
        }
        self.is_torn = !rest.is_empty();
        Ok(true)
    }

    /// Adds a line of the file.
    fn add(&mut self, line: &[u8]) {
        let lines = lines_of(line);
        let LogPosition { segment, offset } = self.end;
        self.end.offset += line.len() as u64;
        if lines == 0 {
            return;
        }
        let continues = self.blocks.last().is_some_and(|block| block.segment == segment) && self.in_last < BLOCK;
        if !continues {
            self.blocks.push(Block { segment, offset, line: self.lines });
            self.in_last = 0;
        }
        if self.start.is_none() {
            self.start = Lines::new().record(line).map(|record| record.at);
        }
        self.histogram.add(line, self.lines, lines);
        self.in_last += 1;
        self.lines += lines;
    }

    /// The records of these lines, each with the number of its first line.
    ///
    /// # Errors
    ///
    /// If the log cannot be read.
    pub(crate) fn records(
        &self,
        store: &dyn LogStore,
        log: &LogName,
        range: Range<usize>,
    ) -> io::Result<Vec<(usize, LogRecord)>> {
        let mut records = Vec::new();
        if range.is_empty() {
            return Ok(records);
        }
        let first = self.blocks.partition_point(|block| block.line <= range.start).saturating_sub(1);
        let last = self.blocks.partition_point(|block| block.line < range.end);
        let mut parse = Lines::after(self.start);
        self.each(store, log, first..last, |LineOfFile { number, lines, line, .. }| {
            if number < range.end && number + lines > range.start {
                records.extend(parse.record(line).map(|record| (number, record)));
            }
            ControlFlow::Continue(())
        })?;
        Ok(records)
    }

    /// Calls `found` with each record whose line of the file may be of interest, and the number of
    /// the first of its lines, until it breaks.
    ///
    /// # Errors
    ///
    /// If the log cannot be read.
    pub(crate) fn search(
        &self,
        store: &dyn LogStore,
        log: &LogName,
        mut may_be: impl FnMut(&[u8]) -> bool,
        mut found: impl FnMut(usize, LogRecord) -> ControlFlow<()>,
    ) -> io::Result<()> {
        let mut parse = Lines::after(self.start);
        self.each(store, log, 0..self.blocks.len(), |LineOfFile { number, line, .. }| match may_be(line) {
            true => parse.record(line).map_or(ControlFlow::Continue(()), |record| found(number, record)),
            false => ControlFlow::Continue(()),
        })
    }

    /// The number of the line that follows a place.
    ///
    /// # Errors
    ///
    /// If the log cannot be read.
    pub(crate) fn line_after(&self, store: &dyn LogStore, log: &LogName, place: LogPosition) -> io::Result<usize> {
        if place >= self.end {
            return Ok(self.lines);
        }
        let is_before = |block: &Block| LogPosition { segment: block.segment, offset: block.offset } <= place;
        let Some(block) = self.blocks.partition_point(is_before).checked_sub(1) else { return Ok(0) };
        let mut count = self.blocks[block].line;
        self.each(store, log, block..block + 1, |line| {
            if line.end > place {
                return ControlFlow::Break(());
            }
            count = line.number + line.lines;
            ControlFlow::Continue(())
        })?;
        Ok(count)
    }

    /// Calls `each` with the lines of the file in these blocks, until it breaks.
    fn each(
        &self,
        store: &dyn LogStore,
        log: &LogName,
        blocks: Range<usize>,
        mut each: impl FnMut(LineOfFile<'_>) -> ControlFlow<()>,
    ) -> io::Result<()> {
        for place in blocks {
            let Block { segment, offset, line } = self.blocks[place];
            let end = match self.blocks.get(place + 1) {
                Some(next) if next.segment == segment => next.offset,
                None if segment == self.end.segment => self.end.offset,
                // A segment that another one follows does not grow.
                Some(_) | None => u64::MAX,
            };
            let Some(LogChunk { from, bytes }) = store.read(log, segment, offset, end - offset)? else { continue };
            if from < offset {
                continue;
            }
            let (mut number, mut offset, mut rest) = (line, from, &bytes[..]);
            while let Some(end) = line_end(rest) {
                let (line, after) = rest.split_at(end);
                rest = after;
                offset += end as u64;
                let (lines, end) = (lines_of(line), LogPosition { segment, offset });
                if lines > 0 && each(LineOfFile { line, number, lines, end }).is_break() {
                    return Ok(());
                }
                number += lines;
            }
        }
        Ok(())
    }
}

/// The place after the first line, if it is complete.
fn line_end(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    // Reading from memory does not fail. It looks at several bytes at once.
    let end = rest.skip_until(b'\n').ok()?;
    (end > 0 && bytes[end - 1] == b'\n').then_some(end)
}

/// How many lines the record of a line of the file has.
fn lines_of(line: &[u8]) -> usize {
    if line.trim_ascii().is_empty() {
        return 0;
    }
    let may_have_several = line.contains(&b'\\') && line.windows(2).any(|two| two == b"\\n");
    match may_have_several {
        true => Lines::new().record(line).map_or(0, |record| record.lines().count()),
        false => 1,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::read::LogFiles;
    use super::super::segments;
    use super::*;

    fn name() -> LogName {
        LogName { run: "r".to_owned(), task: "t".to_owned(), attempt: 1 }
    }

    fn line(message: &str) -> String {
        format!("{}\n", serde_json::json!({"at": "2026-01-31T06:00:00Z", "level": "INFO", "message": message}))
    }

    /// The lines that people see, with their numbers.
    fn seen(records: Vec<(usize, LogRecord)>) -> Vec<(usize, String)> {
        let lines = |(first, record): (usize, LogRecord)| -> Vec<(usize, String)> {
            record.lines().enumerate().map(|(at, text)| (first + at, text.to_owned())).collect()
        };
        records.into_iter().flat_map(lines).collect()
    }

    fn whole(files: &LogFiles) -> Vec<(usize, String)> {
        let mut number = 0;
        let records = files.read("r", "t", 1).unwrap().records.into_iter().map(|record| {
            let first = number;
            number += record.lines().count();
            (first, record)
        });
        seen(records.collect())
    }

    /// A log of several blocks, with messages of several lines, empty lines and broken ones.
    fn written(directory: &std::path::Path, records: usize) -> (LogFiles, std::path::PathBuf) {
        let files = LogFiles::new(directory);
        let path = files.path("r", "t", 1);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = (0..records).map(|at| match at % 7 {
            3 => line(&format!("one {at}\ntwo\n\nfour\n")),
            5 => format!("\n{}", line(&format!("a \\n of {at}"))),
            6 => "{\"at\": broken\\n\n".to_owned(),
            _ => line(&format!("message {at}")),
        });
        fs::write(&path, text.collect::<String>()).unwrap();
        (files, path)
    }

    #[test]
    fn each_part_of_a_log_is_that_of_the_whole() {
        let directory = tempfile::tempdir().unwrap();
        let (files, _) = written(directory.path(), 3 * BLOCK + 10);
        let whole = whole(&files);
        let mut index = LinesIndex::default();
        index.update(&files, &name()).unwrap();
        assert_eq!((index.lines(), index.blocks.len(), index.is_torn()), (whole.len(), 4, false));
        for start in (0..whole.len()).step_by(41) {
            for end in [start, start + 1, start + 30, start + BLOCK, whole.len()] {
                let mut part = seen(index.records(&files, &name(), start..end).unwrap());
                // A record is read as a whole.
                part.retain(|(number, _)| (start..end).contains(number));
                assert_eq!(part, whole[start..end.min(whole.len())], "{start}..{end}");
            }
        }
        let (mut count, mut parsed) = (0, 0);
        index
            .search(
                &files,
                &name(),
                |line| line.windows(3).any(|three| three == b"two"),
                |number, record| {
                    parsed += 1;
                    count += usize::from(whole[number].1 == record.lines().next().unwrap());
                    ControlFlow::Continue(())
                },
            )
            .unwrap();
        assert_eq!((count, parsed), (whole.iter().filter(|(_, text)| text == "two").count(), parsed));
    }

    #[test]
    fn an_index_is_continued_wherever_the_log_was_cut_off() {
        let directory = tempfile::tempdir().unwrap();
        let (files, path) = written(directory.path(), BLOCK + 5);
        let bytes = fs::read(&path).unwrap();
        let expected = whole(&files);
        for cut in (0..bytes.len()).step_by(997) {
            fs::write(&path, &bytes[..cut]).unwrap();
            let mut index = LinesIndex::default();
            index.update(&files, &name()).unwrap();
            assert_eq!(index.is_torn(), cut > 0 && bytes[cut - 1] != b'\n', "{cut}");
            let before = index.lines();
            assert_eq!(index.line_after(&files, &name(), index.end()).unwrap(), before);
            let end = index.end();
            fs::write(&path, &bytes).unwrap();
            index.update(&files, &name()).unwrap();
            assert_eq!(index.line_after(&files, &name(), end).unwrap(), before, "{cut}");
            let all = seen(index.records(&files, &name(), 0..index.lines()).unwrap());
            assert_eq!(all, expected, "{cut}");
        }
        // It was replaced.
        let mut index = LinesIndex::default();
        index.update(&files, &name()).unwrap();
        fs::write(&path, line("new")).unwrap();
        index.update(&files, &name()).unwrap();
        assert_eq!(seen(index.records(&files, &name(), 0..9).unwrap()), [(0, "new".to_owned())]);
    }

    #[test]
    fn segments_are_one_log_and_cut_ones_are_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let (files, path) = written(directory.path(), 10);
        let header = |cut: u64| {
            let at = "2026-01-31T06:00:00Z";
            format!("{}\n", serde_json::json!({"at": at, "level": "WARN", "message": "cut", "dropped": cut}))
        };
        fs::write(segments::path(&path, 1), line("in 1")).unwrap();
        let mut index = LinesIndex::default();
        let all = |index: &mut LinesIndex| {
            index.update(&files, &name()).unwrap();
            let all = seen(index.records(&files, &name(), 0..index.lines()).unwrap());
            assert_eq!(all, whole(&files));
            all.last().unwrap().1.clone()
        };
        assert_eq!(all(&mut index), "in 1");
        // Its predecessor is there, so that the header is no line.
        fs::write(segments::path(&path, 2), header(1) + &line("in 2")).unwrap();
        assert_eq!(all(&mut index), "in 2");
        fs::write(segments::path(&path, 3), header(2) + &line("in 3")).unwrap();
        fs::remove_file(segments::path(&path, 1)).unwrap();
        assert_eq!(all(&mut index), "in 3");
        assert_eq!(
            index.records(&files, &name(), 0..index.lines()).unwrap().iter().filter(|(_, one)| one.dropped > 0).count(),
            1
        );
    }

    #[test]
    fn a_log_that_does_not_exist_yet_has_no_lines() {
        let directory = tempfile::tempdir().unwrap();
        let files = LogFiles::new(directory.path());
        let mut index = LinesIndex::default();
        index.update(&files, &name()).unwrap();
        assert_eq!((index.lines(), index.records(&files, &name(), 0..5).unwrap().len()), (0, 0));
    }
}
