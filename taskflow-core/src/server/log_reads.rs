//! Reads logs for a request, on a thread that may block.
//!
//! The thread goes on when the client does not: the guard drops the handler, and a thread cannot be
//! stopped. So it reads through a store that fails once nobody waits for the answer.

use std::io;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::costly::Turn;
use crate::log::{LogChunk, LogName, LogStore};

/// Reads logs, of which a costly request holds its turn meanwhile. Once the future is dropped, the
/// next read fails.
///
/// # Errors
///
/// If they cannot be read.
pub(super) async fn read_logs<T: Send + 'static>(
    logs: Arc<dyn LogStore>,
    turn: Option<Arc<Turn>>,
    read: impl FnOnce(&dyn LogStore) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    // Nothing is sent: dropping its other end with this future closes it.
    let (awaited, _end) = oneshot::channel();
    let logs = WhileAwaited { logs, awaited };
    let reading = tokio::task::spawn_blocking(move || {
        let read = read(&logs);
        drop(turn);
        read
    });
    reading.await?
}

/// Logs that can be read as long as somebody waits for it.
#[derive(Debug)]
struct WhileAwaited {
    logs: Arc<dyn LogStore>,
    awaited: oneshot::Sender<()>,
}

impl WhileAwaited {
    fn logs(&self) -> io::Result<&dyn LogStore> {
        if self.awaited.is_closed() {
            return Err(io::Error::other("nobody waits for it any more"));
        }
        Ok(&*self.logs)
    }
}

impl LogStore for WhileAwaited {
    fn tasks(&self, run: &str) -> io::Result<Vec<String>> {
        self.logs()?.tasks(run)
    }

    fn attempts(&self, run: &str, task: &str) -> io::Result<Vec<u32>> {
        self.logs()?.attempts(run, task)
    }

    fn tail(&self, log: &LogName) -> io::Result<Vec<u32>> {
        self.logs()?.tail(log)
    }

    fn read(&self, log: &LogName, segment: u32, from: u64, most: u64) -> io::Result<Option<LogChunk>> {
        self.logs()?.read(log, segment, from, most)
    }

    fn remove_run(&self, run: &str) -> io::Result<()> {
        self.logs()?.remove_run(run)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::log::LogFiles;

    #[tokio::test]
    async fn nothing_more_is_read_once_nobody_waits_for_it() {
        let directory = tempfile::tempdir().unwrap();
        let logs: Arc<dyn LogStore> = Arc::new(LogFiles::new(directory.path()));
        let (begun, has_begun) = oneshot::channel();
        let (go_on, may_go_on) = mpsc::channel();
        let (read, was_read) = oneshot::channel();
        let asked = tokio::spawn(read_logs(logs, None, move |logs| {
            let before = logs.tasks("run").is_ok();
            begun.send(()).unwrap();
            may_go_on.recv().unwrap();
            read.send((before, logs.tasks("run").is_ok())).unwrap();
            Ok(())
        }));
        has_begun.await.unwrap();
        asked.abort();
        assert!(asked.await.unwrap_err().is_cancelled());
        go_on.send(()).unwrap();
        assert_eq!(was_read.await.unwrap(), (true, false));
    }
}
