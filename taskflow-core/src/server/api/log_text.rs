//! A text of logs that is larger than what the server holds of it.
//!
//! 1. One pass over the logs finds the length of the text, its tag, and of which times the records
//!    are in each block of the files. It keeps the first lines.
//! 2. If these are all, they are the text. If not, they are its first part. Each further part is a
//!    pass over the blocks that have records of its times. A log is nearly in the order of time, so
//!    about as much is read as is sent.
//! 3. The text is what the first pass has found. What is logged meanwhile is left out. If something
//!    is cut or deleted meanwhile, the next part that needs it cannot be read.
//! 4. At most twice a part is held, and a hundred bytes for each block.

use std::io;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::logs::Selection;
use crate::base::Timestamp;
use crate::log::{LogBlock, LogName, LogStore, each_record_at, each_record_of};

/// The length of a block of a file. A line that is longer is a block of its own.
const BLOCK: u64 = 64 * 1024;

/// The place of a line in the text: its time, its log, its segment, and where it begins there.
pub(super) type LineKey = (Timestamp, usize, u32, u64);

/// A text, as far as it is known after the first pass.
#[derive(Debug)]
pub(super) struct LogText {
    names: Vec<LogName>,
    selection: Selection,
    /// By their first lines.
    blocks: Vec<TimedBlock>,
    length: u64,
    tag: String,
    /// How many bytes a part has at most; more, if a line has.
    most: usize,
}

/// A block of a log, with the first and the last of its lines in the order of the text.
#[derive(Debug)]
struct TimedBlock {
    log: usize,
    block: LogBlock,
    first: LineKey,
    last: LineKey,
}

/// A part of a text.
#[derive(Debug)]
pub(super) struct TextPart {
    pub(super) text: String,
    /// The first line of the next part; `None` after the last one.
    pub(super) next: Option<LineKey>,
}

/// What the first pass has found.
#[derive(Debug)]
pub(super) enum FoundText {
    Whole(String),
    /// A text of several parts, and the first of them.
    Larger(Arc<LogText>, TextPart),
}

impl LogText {
    /// How many bytes of a text are held.
    pub(super) const PART: usize = 2 << 20;

    /// Finds the text of logs, of which parts have so many bytes.
    pub(super) fn find(
        logs: &dyn LogStore,
        names: Vec<LogName>,
        selection: Selection,
        most: usize,
    ) -> io::Result<FoundText> {
        let (mut lines, mut length, mut sum) = (FirstLines::new(most), 0_u64, Sha256::new());
        let mut blocks: Vec<TimedBlock> = Vec::new();
        for (log, name) in names.iter().enumerate() {
            each_record_at(logs, name, |block, record| {
                let Some(line) = selection.line(name, &record) else { return };
                length += line.len() as u64 + 1;
                // The lines in the order of the files say what the text is.
                sum.update(line.as_bytes());
                sum.update(b"\n");
                let key = (record.at, log, block.segment, block.start);
                let goes_on = |known: &TimedBlock| {
                    known.log == log
                        && known.block.segment == block.segment
                        && block.end.saturating_sub(known.block.start) <= BLOCK
                };
                match blocks.last_mut().filter(|known| goes_on(known)) {
                    Some(known) => {
                        known.block.end = block.end;
                        known.first = known.first.min(key);
                        known.last = known.last.max(key);
                    }
                    None => blocks.push(TimedBlock { log, block, first: key, last: key }),
                }
                lines.add(key, line);
            })?;
        }
        let first = lines.part();
        if first.next.is_none() {
            return Ok(FoundText::Whole(first.text));
        }
        blocks.sort_by_key(|known| known.first);
        let tag: String = sum.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        let text = LogText { names, selection, blocks, length, tag: format!("\"{tag}\""), most };
        Ok(FoundText::Larger(Arc::new(text), first))
    }

    /// The value of its `ETag`.
    pub(super) fn tag(&self) -> &str {
        &self.tag
    }

    /// How many bytes it has.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The part that begins with a line.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is not there any more.
    pub(super) fn part(&self, logs: &dyn LogStore, from: LineKey) -> io::Result<TextPart> {
        let mut lines = FirstLines::new(self.most);
        for TimedBlock { log, block, first, last } in &self.blocks {
            if *last < from {
                continue;
            }
            // Nor is anything of the blocks that follow.
            if !lines.takes(*first) {
                break;
            }
            let name = &self.names[*log];
            each_record_of(logs, name, block, |line, record| {
                let key = (record.at, *log, line.segment, line.start);
                if key >= from
                    && lines.takes(key)
                    && let Some(text) = self.selection.line(name, &record)
                {
                    lines.add(key, text);
                }
            })?;
        }
        Ok(lines.part())
    }
}

/// The first lines of all that are added, up to a number of bytes. It holds twice as many.
struct FirstLines {
    most: usize,
    bytes: usize,
    lines: Vec<(LineKey, String)>,
    /// The first line that is not among them.
    end: Option<LineKey>,
}

impl FirstLines {
    fn new(most: usize) -> Self {
        FirstLines { most, bytes: 0, lines: Vec::new(), end: None }
    }

    /// Whether a line with this key may be among them.
    fn takes(&self, key: LineKey) -> bool {
        self.end.is_none_or(|end| key < end)
    }

    fn add(&mut self, key: LineKey, line: String) {
        if !self.takes(key) {
            return;
        }
        self.bytes += line.len() + 1;
        self.lines.push((key, line));
        if self.bytes > self.most.saturating_mul(2) {
            self.cut();
        }
    }

    /// Sorts them, and leaves out those that are too many. The first one stays, however long it is.
    fn cut(&mut self) {
        self.lines.sort_unstable_by_key(|(key, _)| *key);
        let (mut kept, mut bytes) = (0, 0);
        for (_, line) in &self.lines {
            if kept > 0 && bytes + line.len() + 1 > self.most {
                break;
            }
            kept += 1;
            bytes += line.len() + 1;
        }
        if let Some((key, _)) = self.lines.get(kept) {
            self.end = Some(*key);
            self.lines.truncate(kept);
        }
        self.bytes = bytes;
    }

    fn part(mut self) -> TextPart {
        self.cut();
        let mut text = String::with_capacity(self.bytes);
        for (_, line) in self.lines {
            text += &line;
            text.push('\n');
        }
        TextPart { text, next: self.end }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::log::{LogFiles, LogLevel};

    fn line(second: u32, message: &str) -> String {
        format!("{{\"at\":\"2026-01-31T06:00:{second:02}Z\",\"level\":\"INFO\",\"message\":\"{message}\"}}\n")
    }

    fn write(files: &LogFiles, attempt: u32, text: &str) {
        let path = files.path("run", "task", attempt);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn find(files: &LogFiles, most: usize) -> FoundText {
        let name = |attempt| LogName { run: "run".to_owned(), task: "task".to_owned(), attempt };
        let selection = Selection { level: LogLevel::Trace, text: String::new(), is_plain: true };
        LogText::find(files, (1..=3).map(name).collect(), selection, most).unwrap()
    }

    /// Three logs whose times overlap, are equal, and are out of order in a log, with a line that
    /// is longer than a block.
    fn written(directory: &Path) -> LogFiles {
        let files = LogFiles::new(directory);
        let of = |step: u32, name: &str| -> String {
            (0..60).map(|n| line(n * step % 60, &format!("{name}{n} {}", "x".repeat(3_000)))).collect()
        };
        write(&files, 1, &of(1, "rising "));
        write(&files, 2, &(of(7, "mixed ") + &line(30, &"y".repeat(100_000)) + "no json\n"));
        write(&files, 3, &of(0, "same "));
        files
    }

    /// All parts, one after the other.
    fn parts(files: &LogFiles, text: &LogText, first: TextPart) -> io::Result<(String, usize)> {
        let (mut whole, mut next, mut count) = (first.text, first.next, 1);
        while let Some(key) = next {
            let part = text.part(files, key)?;
            whole += &part.text;
            (next, count) = (part.next, count + 1);
        }
        Ok((whole, count))
    }

    #[test]
    fn the_parts_of_a_text_are_what_it_is_as_a_whole() {
        let directory = tempfile::tempdir().unwrap();
        let files = written(directory.path());
        let FoundText::Whole(whole) = find(&files, usize::MAX) else { panic!("it is whole") };
        assert_eq!(whole.lines().count(), 182);
        let times = |text: &str| text.lines().map(|line| line[..20].to_owned()).collect::<Vec<_>>();
        assert!(times(&whole).is_sorted());
        let mut tags = std::collections::BTreeSet::new();
        for most in [1, 10_000, 150_000, whole.len() - 1] {
            let FoundText::Larger(text, first) = find(&files, most) else { panic!("{most}: it has parts") };
            assert_eq!(text.length(), whole.len() as u64);
            tags.insert(text.tag().to_owned());
            let (read, count) = parts(&files, &text, first).unwrap();
            assert!(read == whole && count > 1, "{most}: {count} parts");
        }
        assert_eq!(tags.len(), 1, "{tags:?}");
        assert!(matches!(find(&files, whole.len()), FoundText::Whole(text) if text == whole));
    }

    /// A log that grows is the text that it was; one that is cut or deleted is no text any more.
    #[test]
    fn a_text_is_what_was_found_first_or_cannot_be_read() {
        let directory = tempfile::tempdir().unwrap();
        let files = written(directory.path());
        let FoundText::Whole(whole) = find(&files, usize::MAX) else { panic!("it is whole") };
        let more = |text: &str| std::fs::read_to_string(files.path("run", "task", 3)).unwrap() + text;
        for (changed, is_whole) in [(more(&line(0, "late")), true), (line(0, "same 0"), false)] {
            let FoundText::Larger(text, first) = find(&files, 10_000) else { panic!("it has parts") };
            write(&files, 3, &changed);
            match parts(&files, &text, first) {
                Ok((read, _)) => assert!(is_whole && read == whole),
                Err(error) => assert!(!is_whole && error.to_string().contains("was cut or deleted"), "{error}"),
            }
            write(&files, 3, &more("").replace(&line(0, "late"), ""));
        }
    }
}
