//! The lock that a service holds on its home.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use crate::base::private;
use crate::dag::DagDef;
use crate::ops::{OpsError, SERVE_DAGS, SERVE_LIMIT as LIMIT, SERVE_LOCK};
use crate::store::worker;

/// Held while a service lives. The operating system releases it when the process dies.
#[derive(Debug)]
pub(super) struct ServeLock {
    _file: File,
}

impl ServeLock {
    /// Takes the lock of a home. The file also names the limit of the service and its DAGs.
    pub(super) fn take(home: &Path, max_active_runs: NonZeroUsize, dags: &[&'static DagDef]) -> Result<Self, OpsError> {
        let path = home.join(SERVE_LOCK);
        let not_writable = |error: std::io::Error| OpsError::NotWritable {
            home: home.to_path_buf(),
            source: format!("the lock file {} cannot be written: {error}", path.display()).into(),
        };
        let open = private::options().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open.map_err(not_writable)?;
        // Whoever looks for the service of a home takes the lock for a moment.
        let mut patience = 10;
        while patience > 0 && matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
            std::thread::sleep(Duration::from_millis(5));
            patience -= 1;
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut by = String::new();
                // The text only names the process.
                let _ = file.read_to_string(&mut by);
                let by = by.lines().next().map(str::trim).filter(|by| !by.is_empty());
                let by = by.unwrap_or("another process").to_owned();
                return Err(OpsError::Served { by });
            }
            Err(TryLockError::Error(error)) => return Err(not_writable(error)),
        }
        let dags: Vec<&str> = dags.iter().map(|dag| dag.id).collect();
        let text = format!("{}\n{LIMIT}{max_active_runs}\n{SERVE_DAGS}{}\n", worker(), dags.join(" "));
        let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(text.as_bytes()));
        written.map_err(not_writable)?;
        Ok(ServeLock { _file: file })
    }
}
