//! The files of the log of an attempt.
//!
//! A log keeps its beginning and its end. Half of its limit is for the first *segment*,
//! `<attempt>.jsonl`. What follows goes to `<attempt>.tail-<n>.jsonl`, a quarter of the limit each,
//! of which the last two stay. From the second on, the first line of such a segment, its *header*,
//! says how many records came between the first segment and this one. If the segments between are
//! gone, these records were cut, and the header is part of the log; otherwise readers skip it.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use super::read::{found, names};
use super::record::LogRecord;

/// Whether a segment begins with a header.
pub(super) fn has_header(segment: u32) -> bool {
    segment > 1
}

/// The file of a segment; `first` is that of the first one, number 0.
pub(super) fn path(first: &Path, segment: u32) -> PathBuf {
    if segment == 0 {
        return first.to_owned();
    }
    let stem = first.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    first.with_file_name(format!("{stem}.tail-{segment}.jsonl"))
}

/// The numbers of the segments after the first one, in order.
pub(super) fn tail(first: &Path) -> io::Result<Vec<u32>> {
    let Some(directory) = first.parent() else { return Ok(Vec::new()) };
    let stem = first.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let number = |name: &String| name.strip_prefix(stem)?.strip_prefix(".tail-")?.strip_suffix(".jsonl")?.parse().ok();
    let mut segments: Vec<u32> = names(directory)?.iter().filter_map(number).collect();
    segments.sort_unstable();
    Ok(segments)
}

/// How many records come before a segment after the first one, and how many are in it.
pub(super) fn counts(first: &Path, segment: u32) -> io::Result<(u64, u64)> {
    let Some(file) = found(File::open(path(first, segment)))? else { return Ok((0, 0)) };
    let mut lines = BufReader::new(file).split(b'\n');
    let mut before = 0;
    if has_header(segment)
        && let Some(header) = lines.next()
    {
        before = serde_json::from_slice(&header?).map_or(0, |header: LogRecord| header.dropped);
    }
    let mut count = 0;
    for line in lines {
        count += u64::from(!line?.is_empty());
    }
    Ok((before, count))
}
