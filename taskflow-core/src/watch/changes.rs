//! Reports that something in some directories has changed: inotify, on Linux.
//!
//! # Protocol
//!
//! 1. A directory is [covered](Changes::cover) before it is listed. What appears in between is in
//!    the list, or in a report, or in both.
//! 2. If the directory does not exist, the closest one above it that does is covered instead, and
//!    the directory is tried again: it may have appeared before the other one was covered.
//! 3. A report means that a list may differ now: a file was closed by who wrote it, or moved into a
//!    directory; a directory was made, or moved, or deleted; or the kernel has dropped reports,
//!    because nobody took them for too long. It does not say which file: the list does.
//! 4. Directories that were not covered for the last list [are dropped](Changes::drop_others).
//! 5. The kernel reports nothing about files on network file systems that another machine writes,
//!    about hard and symbolic links, and beyond `fs.inotify.max_user_watches` directories. Other
//!    systems report nothing at all. So whoever waits for a report lists at intervals as well.

#[cfg(target_os = "linux")]
pub(super) use linux::Changes;
#[cfg(not(target_os = "linux"))]
pub(super) use other::Changes;

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::HashSet;
    use std::mem::MaybeUninit;
    use std::os::fd::OwnedFd;
    use std::path::Path;

    use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
    use rustix::io::Errno;
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    use crate::base::catch;

    /// What the kernel reports of a directory.
    const REPORTED: WatchFlags = WatchFlags::CLOSE_WRITE
        .union(WatchFlags::MOVED_TO)
        .union(WatchFlags::CREATE)
        .union(WatchFlags::DELETE_SELF)
        .union(WatchFlags::MOVE_SELF)
        .union(WatchFlags::ONLYDIR);

    /// After which reports a list may differ.
    const NEWS: ReadFlags = ReadFlags::CLOSE_WRITE
        .union(ReadFlags::MOVED_TO)
        .union(ReadFlags::DELETE_SELF)
        .union(ReadFlags::MOVE_SELF)
        .union(ReadFlags::UNMOUNT)
        .union(ReadFlags::QUEUE_OVERFLOW);

    /// A directory was made. A file that was made is not written yet: its close is reported.
    const NEW_DIRECTORY: ReadFlags = ReadFlags::CREATE.union(ReadFlags::ISDIR);

    /// The reports about some directories.
    #[derive(Debug, Default)]
    pub(in super::super) struct Changes {
        /// `None` if the kernel reports nothing to this process.
        reports: Option<AsyncFd<OwnedFd>>,
        /// What the kernel calls the directories that are covered.
        covered: HashSet<i32>,
        /// Those of the present list.
        listed: HashSet<i32>,
        is_open: bool,
    }

    impl Changes {
        /// Asks the kernel for reports, unless that was done before.
        pub(in super::super) fn open(&mut self) {
            if std::mem::replace(&mut self.is_open, true) {
                return;
            }
            // Too many watchers of this user, for example.
            let Ok(reports) = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC) else {
                return;
            };
            #[allow(deprecated, reason = "its successor is unsafe, for types with another descriptor each time")]
            let register = || AsyncFd::with_interest(reports, Interest::READABLE);
            // It panics in a runtime without I/O.
            self.reports = catch(register).ok().and_then(Result::ok);
        }

        /// Has the changes in a directory reported that is about to be listed.
        pub(in super::super) fn cover(&mut self, directory: &Path) {
            if self.add(directory) != Err(Errno::NOENT) {
                return;
            }
            let Some(above) = directory.parent() else {
                return;
            };
            let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
            if above != directory {
                self.cover(above);
                // What is wrong with it is found by who lists it.
                let _ = self.add(directory);
            }
        }

        fn add(&mut self, directory: &Path) -> Result<(), Errno> {
            let Some(reports) = &self.reports else {
                return Ok(());
            };
            let number = inotify::add_watch(reports.get_ref(), directory, REPORTED)?;
            self.listed.insert(number);
            Ok(())
        }

        /// The list is complete: other directories than those that were covered for it are of no
        /// interest any more.
        pub(in super::super) fn drop_others(&mut self) {
            let Some(reports) = &self.reports else { return };
            for &number in self.covered.difference(&self.listed) {
                // The kernel has dropped a directory that was deleted.
                let _ = inotify::remove_watch(reports.get_ref(), number);
            }
            self.covered = std::mem::take(&mut self.listed);
        }

        /// Waits for a report. Cancel safe. Waits for ever if the kernel reports nothing.
        pub(in super::super) async fn reported(&mut self) {
            loop {
                let Some(reports) = &self.reports else {
                    return std::future::pending().await;
                };
                let news = match reports.readable().await {
                    Ok(mut ready) => {
                        let news = news(ready.get_inner());
                        ready.clear_ready();
                        news
                    }
                    // The runtime shuts down.
                    Err(_) => None,
                };
                match news {
                    Some(true) => return,
                    Some(false) => {}
                    None => self.reports = None,
                }
            }
        }
    }

    /// Takes all reports. Returns whether one is of interest; `None` if they cannot be read.
    fn news(reports: &OwnedFd) -> Option<bool> {
        let mut buffer = [MaybeUninit::uninit(); 4_096];
        let mut reader = Reader::new(reports, &mut buffer);
        let mut is_news = false;
        loop {
            match reader.next() {
                Ok(report) => {
                    let what = report.events();
                    is_news |= what.intersects(NEWS) || what.contains(NEW_DIRECTORY);
                }
                Err(Errno::AGAIN) => return Some(is_news),
                Err(Errno::INTR) => {}
                Err(_) => return None,
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use std::fs;

        use super::*;

        /// Reports about a directory.
        fn about(directory: &Path) -> Changes {
            let mut changes = Changes::default();
            changes.open();
            changes.cover(directory);
            changes.drop_others();
            changes
        }

        /// Whether there is news, without waiting for it.
        fn has_news(changes: &Changes) -> bool {
            let reports = changes.reports.as_ref().expect("the kernel reports changes");
            news(reports.get_ref()).expect("the reports can be read")
        }

        #[tokio::test]
        async fn a_file_is_reported_once_it_is_written() {
            let directory = tempfile::tempdir().unwrap();
            let changes = about(directory.path());
            assert!(!has_news(&changes));
            let file = fs::File::create(directory.path().join("a.csv")).unwrap();
            assert!(!has_news(&changes), "it is empty");
            drop(file);
            assert!(has_news(&changes));
            assert!(!has_news(&changes), "it was reported");
            fs::rename(directory.path().join("a.csv"), directory.path().join("b.csv")).unwrap();
            assert!(has_news(&changes));
            fs::remove_file(directory.path().join("b.csv")).unwrap();
            assert!(!has_news(&changes), "nothing has come");
        }

        #[tokio::test]
        async fn a_directory_that_does_not_exist_is_reported_when_it_does() {
            let directory = tempfile::tempdir().unwrap();
            let landing = directory.path().join("in/landing");
            let mut changes = about(&landing);
            fs::create_dir_all(&landing).unwrap();
            changes.reported().await;
            changes.cover(&landing);
            changes.drop_others();
            fs::write(landing.join("a.csv"), "1").unwrap();
            changes.reported().await;
        }

        #[tokio::test]
        async fn a_directory_that_is_not_listed_any_more_is_not_reported() {
            let directory = tempfile::tempdir().unwrap();
            let (one, other) = (directory.path().join("one"), directory.path().join("other"));
            fs::create_dir(&one).unwrap();
            fs::create_dir(&other).unwrap();
            let mut changes = about(&one);
            changes.cover(&other);
            changes.drop_others();
            fs::write(one.join("a.csv"), "1").unwrap();
            assert!(!has_news(&changes));
            fs::write(other.join("a.csv"), "1").unwrap();
            assert!(has_news(&changes));
        }

        #[test]
        fn a_runtime_without_io_has_no_reports() {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let _guard = runtime.enter();
            let changes = about(&std::env::temp_dir());
            assert!(changes.reports.is_none());
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use std::path::Path;

    /// No reports: the directories are listed at intervals only.
    #[derive(Debug, Default)]
    pub(in super::super) struct Changes;

    impl Changes {
        pub(in super::super) fn open(&mut self) {}

        pub(in super::super) fn cover(&mut self, _: &Path) {}

        pub(in super::super) fn drop_others(&mut self) {}

        pub(in super::super) async fn reported(&mut self) {
            std::future::pending().await
        }
    }
}
