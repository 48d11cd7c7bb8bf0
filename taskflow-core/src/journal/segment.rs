//! The format of a segment: entries of a run that are stored together.
//!
//! The first byte is the version of the format. The time of the first entry follows, in
//! nanoseconds, and then the entries: each as the nanoseconds since that time and the [`Entry`]
//! itself, in [postcard](https://postcard.jamesmunns.com), where small numbers take few bytes.
//! Values are stored apart, in the *data* of the segment, and entries refer to ranges of it. So a
//! history can be read without its values.

use crate::base::Timestamp;
use crate::run::{Entry, Stored, ValueRef};

/// The format for writing. All earlier formats can be read.
const VERSION: u8 = 1;

/// Entries of the next segment.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    base: i64,
    pub(crate) events: Vec<u8>,
    pub(crate) data: Vec<u8>,
    /// The number of entries.
    pub(crate) count: u64,
}

impl Buffer {
    /// Adds an entry with its value.
    pub(crate) fn push(&mut self, at: Timestamp, mut entry: Entry, value: Option<Stored>) {
        if self.events.is_empty() {
            self.base = at.as_nanos();
            self.events.push(VERSION);
            self.put(&self.base.clone());
        }
        if let Entry::Succeeded { value: place, .. }
        | Entry::Marked { value: place, .. }
        | Entry::Pushed { value: place, .. } = &mut entry
            && let Some(value) = value
        {
            *place = self.place(value);
        }
        self.put(&(at.as_nanos().wrapping_sub(self.base), entry));
        self.count += 1;
    }

    fn place(&mut self, value: Stored) -> ValueRef {
        match value {
            Stored::File(file) => ValueRef::File(file),
            Stored::Inline(bytes) => {
                // The writer stores a segment long before it holds 4 GiB.
                let start = u32::try_from(self.data.len()).unwrap_or(u32::MAX);
                let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                self.data.extend_from_slice(&bytes);
                ValueRef::Inline { start, len }
            }
        }
    }

    fn put(&mut self, fact: &impl serde::Serialize) {
        let events = std::mem::take(&mut self.events);
        // Encoding plain data cannot fail.
        self.events = postcard::to_extend(fact, events).expect("an entry can be written to memory");
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Its size in memory, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.events.len() + self.data.len()
    }
}

/// The entries of a segment.
///
/// # Errors
///
/// When the bytes are not a segment; the error says where.
pub(crate) fn read(events: &[u8]) -> Result<Vec<(Timestamp, Entry)>, Damage> {
    entries(events)?.collect()
}

/// The entries of a segment, decoded one after the other: all at once take many times the memory
/// of their bytes.
///
/// # Errors
///
/// As [`read`]; the iterator ends after an error.
pub(crate) fn entries(events: &[u8]) -> Result<Entries<'_>, Damage> {
    let Some((&version, rest)) = events.split_first() else { return Ok(Entries { events, rest: &[], base: 0 }) };
    if version != VERSION {
        return Err(Damage { at: 0, what: format!("has the format {version}, which this build does not know") });
    }
    let mut entries = Entries { events, rest, base: 0 };
    entries.base = entries.decode()?;
    Ok(entries)
}

/// The entries of a segment that are not decoded yet.
pub(crate) struct Entries<'a> {
    events: &'a [u8],
    rest: &'a [u8],
    /// The time of the first entry.
    base: i64,
}

impl Entries<'_> {
    fn decode<T: serde::de::DeserializeOwned>(&mut self) -> Result<T, Damage> {
        let at = self.events.len() - self.rest.len();
        let (fact, rest) =
            postcard::take_from_bytes(self.rest).map_err(|error| Damage { at, what: error.to_string() })?;
        self.rest = rest;
        Ok(fact)
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<(Timestamp, Entry), Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let entry = self.decode::<(i64, Entry)>();
        if entry.is_err() {
            self.rest = &[];
        }
        Some(entry.map(|(since, entry)| (Timestamp::from_nanos(self.base.wrapping_add(since)), entry)))
    }
}

/// Bytes that are not a segment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {at}: {what}")]
pub(crate) struct Damage {
    at: usize,
    what: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::TaskIndex;

    #[test]
    fn pushed_entries_are_read_back() {
        let mut buffer = Buffer::default();
        let first = Timestamp::from_nanos(1_700_000_000_000_000_000);
        let earlier = Timestamp::from_nanos(1_699_999_999_999_999_999);
        buffer.push(first, Entry::Scheduled { task: TaskIndex::new(3) }, None);
        let success = Entry::Succeeded { task: TaskIndex::new(3), attempt: 1, took: 17, value: ValueRef::Nowhere };
        buffer.push(earlier, success, Some(Stored::Inline(b"value".to_vec())));
        let entries = read(&buffer.events).unwrap();
        assert_eq!(entries[0], (first, Entry::Scheduled { task: TaskIndex::new(3) }));
        let value = ValueRef::Inline { start: 0, len: 5 };
        assert_eq!(entries[1], (earlier, Entry::Succeeded { task: TaskIndex::new(3), attempt: 1, took: 17, value }));
        assert_eq!(buffer.data, b"value");
    }

    #[test]
    fn an_entry_of_a_task_takes_a_few_bytes() {
        let mut buffer = Buffer::default();
        let at = Timestamp::from_nanos(1_700_000_000_000_000_000);
        buffer.push(at, Entry::Scheduled { task: TaskIndex::new(99_999) }, None);
        let before = buffer.events.len();
        buffer.push(at, Entry::Started { task: TaskIndex::new(99_999), attempt: 1 }, None);
        assert!(buffer.events.len() - before <= 6);
    }

    #[test]
    fn damaged_bytes_are_an_error() {
        assert_eq!(read(&[]), Ok(Vec::new()));
        assert!(read(&[9, 0, 0]).is_err());
        assert!(read(&[1, 0, 0, 200]).is_err());
    }

    proptest::proptest! {
        #[test]
        fn reading_arbitrary_bytes_does_not_panic(mut bytes: Vec<u8>) {
            let _ = read(&bytes);
            bytes.insert(0, VERSION);
            let _ = read(&bytes);
        }
    }
}
