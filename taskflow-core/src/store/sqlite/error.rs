//! Explains errors of SQLite: what is wrong with which file, and what to do.

use std::path::Path;

use super::lock_holder::lock_holder;
use crate::store::error::StoreError;

/// The operation that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    Open,
    Read,
    Write,
}

/// The primary result codes of SQLite that have an explanation.
pub(super) const BUSY: i32 = 5;
const READ_ONLY: i32 = 8;
const IO: i32 = 10;
pub(super) const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANNOT_OPEN: i32 = 14;
pub(super) const NOT_A_DATABASE: i32 = 26;

/// Why a file cannot be a store.
pub(super) const NO_DATABASE: &str = "the file is not a SQLite database, or its beginning was overwritten or cut off; \
                                      restore a backup or move the file away; `db check` lists the damage";

/// The primary result code of SQLite, if the error is one of SQLite's.
pub(super) fn code(error: &sqlx::Error) -> Option<i32> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    // The upper bits are the extended code.
    Some(code & 0xff)
}

/// An error of SQLite or of the connection to it.
pub(super) fn explain(path: &Path, doing: Doing, error: &sqlx::Error) -> StoreError {
    let place = path.display().to_string();
    match error {
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => {
            return StoreError::Damaged { place, what: error.to_string() };
        }
        _ => {}
    }
    if code(error) == Some(BUSY) {
        let doing = match doing {
            Doing::Open => "open",
            Doing::Read => "read",
            Doing::Write => "write to",
        };
        return StoreError::Busy { doing, place, holder: lock_holder(path) };
    }
    let reason = match error.as_database_error() {
        Some(error) => error.message().to_owned(),
        None => error.to_string(),
    };
    let reason = match code(error) {
        Some(FULL) => "the disk is full; free some space, then resume the run".to_owned(),
        Some(IO) => format!("the disk or file system reports an error ({reason}); check it, then try again"),
        Some(READ_ONLY) => {
            "the file or its directory is read-only; change the permissions or name another store".to_owned()
        }
        Some(CANNOT_OPEN) => cannot_open(path),
        Some(CORRUPT) => {
            format!(
                "the file is damaged ({reason}); restore a backup or move the file away; `db check` lists the damage"
            )
        }
        Some(NOT_A_DATABASE) => NO_DATABASE.to_owned(),
        _ if reason.contains("no such table") || reason.contains("no such column") => {
            format!("its tables are not those of a taskflow store ({reason}); restore a backup or move the file away")
        }
        _ => match error {
            sqlx::Error::WorkerCrashed => "the thread of its connection has died; try again".to_owned(),
            _ => reason,
        },
    };
    match doing {
        Doing::Open => StoreError::Open { place, reason },
        Doing::Read => StoreError::Read { place, reason },
        Doing::Write => StoreError::Write { place, reason },
    }
}

/// SQLite says only *that* it cannot open a file. The file system knows more.
pub(super) fn cannot_open(path: &Path) -> String {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if path.is_dir() {
        return "it is a directory; name a file in it".to_owned();
    }
    match std::fs::metadata(parent) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return format!("there is no directory {}; create it first", parent.display());
        }
        Err(error) => return format!("its directory {} cannot be read: {error}", parent.display()),
        Ok(found) if !found.is_dir() => return format!("{} is not a directory", parent.display()),
        Ok(_) => {}
    }
    match std::fs::File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => format!(
            "there is no such file, and none can be created in {}; change the permissions or name another store",
            parent.display()
        ),
        Err(error) => format!("{error}; change the permissions or name another store"),
        Ok(_) => format!(
            "SQLite needs to write beside it, in {}, and cannot; change the permissions or copy the file elsewhere",
            parent.display()
        ),
    }
}

/// A write that a failpoint has stopped.
pub(super) fn stopped(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Write { place: path.display().to_string(), reason: error.to_string() }
}
