//! The lock that a service holds on its home.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

use crate::base::private;
use crate::ops::OpsError;
use crate::store::worker;

/// The process that serves a home, `host:process`, if one does.
pub fn serving_process(home: &Path) -> Option<String> {
    let mut file = File::open(home.join("serve.lock")).ok()?;
    // The lock is shared and released at once; a service that starts in this moment tries again.
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Some(holder(&mut file)),
        Ok(()) | Err(TryLockError::Error(_)) => None,
    }
}

/// The text in the lock file, which only names the process.
fn holder(file: &mut File) -> String {
    let mut by = String::new();
    let _ = file.read_to_string(&mut by);
    if by.trim().is_empty() { "another process".to_owned() } else { by.trim().to_owned() }
}

/// Held while a service lives. The operating system releases it when the process dies.
#[derive(Debug)]
pub(super) struct ServeLock {
    _file: File,
}

impl ServeLock {
    /// Takes the lock of a home.
    pub(super) fn take(home: &Path) -> Result<Self, OpsError> {
        let path = home.join("serve.lock");
        let not_writable = |error: std::io::Error| OpsError::NotWritable {
            home: home.to_path_buf(),
            source: format!("the lock file {} cannot be written: {error}", path.display()).into(),
        };
        let open = private::options().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open.map_err(not_writable)?;
        let mut locked = file.try_lock();
        for _ in 0..5 {
            // Whoever only looks who serves holds it for a moment.
            if !matches!(locked, Err(TryLockError::WouldBlock)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
            locked = file.try_lock();
        }
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpsError::Served { by: holder(&mut file) }),
            Err(TryLockError::Error(error)) => return Err(not_writable(error)),
        }
        let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", worker()));
        written.map_err(not_writable)?;
        Ok(ServeLock { _file: file })
    }
}
