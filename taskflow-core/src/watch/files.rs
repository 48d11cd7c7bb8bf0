//! A watcher of files.
//!
//! # Protocol
//!
//! 1. It lists the files that match, and compares the list with the one before. Listing 10 000
//!    files takes some milliseconds.
//! 2. It lists them again when the kernel [reports a change](super::changes) in one of the
//!    directories, when a file may have become complete, and in any case after `every`: the kernel
//!    reports nothing about network file systems, and it drops reports when there are too many.
//! 3. Between two lists it rests for nine times as long as the last one took, unless `every` is
//!    shorter. So a directory in which many files are written costs a tenth of a core at most.
//!    Reports wait meanwhile, and many of them are one list.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::changes::Changes;
use super::glob;
use crate::asset::{Batch, Cursor, Watch, WatchError};
use crate::base::units::read_duration;
use crate::base::{Timestamp, hex};

/// The longest key of an event.
const KEY: usize = 512;

/// How much longer than a list the rest after it is.
const REST: u32 = 9;

/// A file that has landed: the payload of [`files`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FileLanded {
    /// Its path: relative if the pattern is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// When it was last written to.
    pub modified: Timestamp,
}

/// Watches for files that match a pattern, such as `landing/*.csv`: an event for each file, once it
/// is complete. `*` and `?` match within a name, a part `**` any directories; hidden files match
/// only a pattern with a dot.
///
/// A change is noticed within milliseconds on Linux, elsewhere and on network file systems within a
/// second ([`every`](FilesWatch::every)).
///
/// A file that is there when the watcher first runs is an event as well, and so is a file that is
/// written again: what counts is its path, its size and the time of its last change. A file that is
/// removed before it is complete is none. Files are events in the order of their last change.
///
/// ```
/// use taskflow::prelude::*;
/// use taskflow::watch::{self, FileLanded};
///
/// taskflow::asset! {
///     /// Exports of the shop.
///     EXPORTS: Asset<FileLanded> = "shop/exports";
/// }
/// taskflow::watch!(EXPORTS = watch::files("landing/*.csv").settle("30s"));
/// ```
pub fn files(pattern: impl Into<String>) -> FilesWatch {
    FilesWatch {
        pattern: pattern.into(),
        settle: Duration::from_secs(10),
        every: Duration::from_secs(1),
        mistake: None,
        known: HashMap::new(),
        next_settles: None,
        took: Duration::ZERO,
        changes: Changes::default(),
        is_first: true,
    }
}

/// A watcher of files: see [`files`].
#[derive(Debug)]
pub struct FilesWatch {
    pattern: String,
    settle: Duration,
    every: Duration,
    /// What is wrong with an option.
    mistake: Option<String>,
    known: HashMap<PathBuf, Known>,
    /// How long after the last list the next file may be complete.
    next_settles: Option<Duration>,
    /// How long the last list took.
    took: Duration,
    changes: Changes,
    is_first: bool,
}

/// What was seen of a file.
#[derive(Clone, Copy, Debug)]
struct Known {
    size: u64,
    modified: SystemTime,
    /// Since when it is like this.
    since: Instant,
    is_reported: bool,
}

impl FilesWatch {
    /// How long a file must not have changed to be complete, such as `30s`. Default: 10 seconds.
    /// `0s` is right for files that are moved into place.
    #[must_use]
    pub fn settle(mut self, time: &str) -> Self {
        self.settle = self.option("settle", time);
        self
    }

    /// How often the files are listed if no change is reported. Default: every second. On Linux the
    /// system reports files at once unless another machine writes them, so that a longer time saves
    /// work in large directories.
    #[must_use]
    pub fn every(mut self, time: &str) -> Self {
        self.every = self.option("every", time).max(Duration::from_millis(10));
        self
    }

    fn option(&mut self, name: &str, time: &str) -> Duration {
        read_duration(time).unwrap_or_else(|reason| {
            self.mistake.get_or_insert(format!("`{name}` of the watcher: {reason}"));
            Duration::ZERO
        })
    }

    /// The files that are complete now and were not before, the one that was changed first first.
    fn scan(&mut self) -> Result<Vec<FileLanded>, WatchError> {
        let (now, wall) = (Instant::now(), SystemTime::now());
        let mut found = Vec::new();
        let changes = &mut self.changes;
        glob::find(&self.pattern, &mut |directory| changes.cover(directory), &mut |path| found.push(path))?;
        changes.drop_others();
        let mut present = HashMap::with_capacity(found.len());
        let mut landed = Vec::new();
        self.next_settles = None;
        for path in found {
            // It may be gone by now.
            let Ok(meta) = std::fs::metadata(&path) else { continue };
            let (size, modified) = (meta.len(), meta.modified()?);
            let before = self.known.get(&path).filter(|known| (known.size, known.modified) == (size, modified));
            let mut known = before.copied().unwrap_or(Known { size, modified, since: now, is_reported: false });
            // The clock of a file server may differ: what was seen counts as well.
            let age = wall.duration_since(modified).unwrap_or_default();
            let unchanged = age.max(now.duration_since(known.since));
            if !known.is_reported && unchanged >= self.settle {
                known.is_reported = true;
                landed.push(FileLanded { path: path.clone(), size, modified: timestamp(modified) });
            } else if !known.is_reported {
                let settles = self.settle - unchanged;
                self.next_settles = Some(self.next_settles.map_or(settles, |next| next.min(settles)));
            }
            present.insert(path, known);
        }
        self.known = present;
        self.took = now.elapsed();
        landed.sort_by(|one, other| (one.modified, &one.path).cmp(&(other.modified, &other.path)));
        Ok(landed)
    }

    /// Waits until the files should be listed again.
    async fn wait(&mut self) {
        let rest = self.took * REST;
        let pause = self.next_settles.map_or(self.every, |settles| settles.max(rest).min(self.every));
        let changes = &mut self.changes;
        let reported = async {
            tokio::time::sleep(rest).await;
            changes.reported().await;
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = reported => {}
        }
    }
}

fn timestamp(time: SystemTime) -> Timestamp {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => Timestamp::EPOCH + since,
        Err(before) => Timestamp::EPOCH - before.duration(),
    }
}

/// The key of an event: a file that is written again is another event.
fn key(file: &FileLanded) -> String {
    let key = format!("{}|{}|{}", file.path.display(), file.modified.as_nanos(), file.size);
    if key.len() <= KEY { key } else { hex(&Sha256::digest(key)) }
}

impl Watch for FilesWatch {
    type Event = FileLanded;

    fn source(&self) -> String {
        format!("files:{}", self.pattern)
    }

    async fn next(&mut self, _: Option<Cursor>) -> Result<Batch<FileLanded>, WatchError> {
        if let Some(mistake) = &self.mistake {
            return Err(WatchError::new(mistake.clone()));
        }
        loop {
            if std::mem::take(&mut self.is_first) {
                self.changes.open();
            } else {
                self.wait().await;
            }
            // The list of a directory on a slow network must not hold up other watchers.
            let mut own = std::mem::replace(self, files(""));
            let scanned = tokio::task::spawn_blocking(move || {
                let landed = own.scan();
                (own, landed)
            });
            let (own, landed) = scanned.await.map_err(WatchError::new)?;
            *self = own;
            let landed = landed?;
            if landed.is_empty() {
                continue;
            }
            // What was reported is known by its keys: there is nothing else to remember.
            let mut batch = Batch::up_to(Cursor::new(""));
            landed.into_iter().for_each(|file| batch.push_once(key(&file), file));
            return Ok(batch);
        }
    }
}
