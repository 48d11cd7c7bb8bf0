//! The writer thread: groups the lines of each attempt and appends them to its file.
//!
//! The lines of one attempt in a batch are written at once. Nothing is buffered between batches, so
//! what was taken from the queue has been passed to the operating system before the next batch is
//! taken.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::attempt::Attempt;
use super::page::Page;
use super::queue::{Batch, Queue};
use super::record::LogRecord;
use super::redact::Redactor;
use super::sink::{LogError, LogStatus};
use crate::base::{Timestamp, panics};

/// The most files that are open at once, whatever the number of running attempts.
const MOST_OPEN: usize = 64;
/// The most bytes a batch buffers for one file before writing.
const MOST_BUFFERED: usize = 256 * 1024;

/// Identifies an attempt. The page holds the attempt, so its address is unique.
type Key = *const Attempt;

/// The state of the thread.
pub(super) struct Writer {
    root: PathBuf,
    limit: u64,
    queue: Arc<Queue>,
    status: Arc<Mutex<LogStatus>>,
}

/// The open pages. Created on the thread itself, because pointers are not `Send`.
struct Pages<'w> {
    writer: &'w Writer,
    pages: HashMap<Key, Page>,
    /// Pages with an open file, most recently used last.
    open: Vec<Key>,
    /// Pages with unwritten lines.
    dirty: Vec<Key>,
}

impl Writer {
    pub(super) fn new(root: PathBuf, limit: u64, queue: Arc<Queue>, status: Arc<Mutex<LogStatus>>) -> Self {
        Writer { root, limit, queue, status }
    }

    /// Writes until the queue is closed and empty.
    pub(super) fn run(self) {
        let gone = Gone(&self.queue);
        let mut pages = Pages { writer: &self, pages: HashMap::new(), open: Vec::new(), dirty: Vec::new() };
        while let Some((batches, count)) = self.queue.take() {
            let redactor = Redactor::current();
            for Batch { attempt, dropped, records, ended } in batches {
                let page = pages.page(&attempt);
                let at = records.front().map_or_else(Timestamp::now, |record| record.at);
                pages.quietly(page, |pages, page| pages.note_dropped(page, dropped, at));
                for record in records {
                    // A record that makes this code panic is lost; other records and the tasks are
                    // not affected.
                    pages.quietly(page, |pages, page| pages.add(page, record, &redactor));
                }
                if ended {
                    pages.quietly(page, Pages::end);
                }
            }
            pages.write_dirty();
            self.queue.done(count);
        }
        pages.close();
        drop(gone);
    }

    fn note(&self, change: impl FnOnce(&mut LogStatus)) {
        change(&mut self.status.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Marks the writer as ended when dropped, however it ended.
struct Gone<'q>(&'q Queue);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.0.gone();
    }
}

impl Pages<'_> {
    fn add(&mut self, key: Key, mut record: Box<LogRecord>, redactor: &Redactor) {
        redactor.record(&mut record);
        let Some(page) = self.pages.get_mut(&key) else { return };
        if let Some(line) = page.add(&record) {
            // The segment is full.
            self.write(key);
            let Some(page) = self.pages.get_mut(&key) else { return };
            let cut = page.turn(line, record.at);
            self.writer.note(|status| status.over_limit += cut);
        } else if page.buffered() > MOST_BUFFERED {
            self.write(key);
        }
    }

    fn note_dropped(&mut self, key: Key, dropped: u64, at: Timestamp) {
        if let Some(page) = self.pages.get_mut(&key) {
            page.add_dropped(dropped, at);
        }
    }

    /// The page of an attempt, marked as dirty.
    fn page(&mut self, attempt: &Arc<Attempt>) -> Key {
        let key = Arc::as_ptr(attempt);
        let page = match self.pages.entry(key) {
            Entry::Occupied(page) => page.into_mut(),
            Entry::Vacant(free) => {
                let path = attempt.file(&self.writer.root);
                free.insert(Page::new(Arc::clone(attempt), path, self.writer.limit))
            }
        };
        if !std::mem::replace(&mut page.dirty, true) {
            self.dirty.push(key);
        }
        key
    }

    fn write_dirty(&mut self) {
        for key in std::mem::take(&mut self.dirty) {
            // A page that ended in this batch is gone. If another page has its address by now,
            // writing that twice is harmless.
            if let Some(page) = self.pages.get_mut(&key) {
                page.dirty = false;
                self.quietly(key, Self::write);
            }
        }
    }

    /// Writes the buffer of a page.
    fn write(&mut self, key: Key) {
        let Some(page) = self.pages.get_mut(&key) else { return };
        if page.buffered() == 0 {
            return;
        }
        let records = page.records();
        let result = page.write();
        let is_open = page.is_open();
        match result {
            Ok(()) => self.writer.note(|status| status.written += records),
            Err(error) => {
                let path = page.path().to_owned();
                self.writer.note(|status| {
                    status.failed += records;
                    status.first_error.get_or_insert_with(|| LogError { path, message: error.to_string() });
                });
            }
        }
        self.open.retain(|open| *open != key);
        if is_open {
            self.open.push(key);
        }
        if self.open.len() > MOST_OPEN {
            let oldest = self.open.remove(0);
            if let Some(page) = self.pages.get_mut(&oldest) {
                page.shut();
            }
        }
    }

    /// Writes a page and removes it.
    fn end(&mut self, key: Key) {
        self.write(key);
        self.open.retain(|open| *open != key);
        self.pages.remove(&key);
    }

    /// Ends every page: those of attempts still running when the sink was dropped.
    fn close(&mut self) {
        let keys: Vec<Key> = self.pages.keys().copied().collect();
        for key in keys {
            self.quietly(key, Self::end);
        }
    }

    /// Applies `action` to a page; if it panics, only a record is lost.
    fn quietly(&mut self, key: Key, action: impl FnOnce(&mut Self, Key)) {
        if panics::catch(|| action(self, key)).is_err() {
            self.writer.note(|status| status.failed += 1);
        }
    }
}
