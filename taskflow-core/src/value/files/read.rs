//! Reads values, and finds damage.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;

use super::{FileRef, ValueFileError, ValueFiles};

impl ValueFiles {
    /// Returns a value of `run`, verified against its hash.
    ///
    /// # Errors
    ///
    /// If the file is missing, truncated, corrupt or cannot be read.
    pub(crate) fn get(&self, run: &str, file: &FileRef) -> Result<Vec<u8>, ValueFileError> {
        let (path, bytes) = self.read(run, file, 0..u64::MAX)?;
        if bytes.len() as u64 != file.len {
            return Err(ValueFileError::Truncated { path, expected: file.len, found: bytes.len() as u64 });
        }
        if FileRef::of(&bytes) != *file {
            return Err(ValueFileError::Corrupt { path });
        }
        Ok(bytes)
    }

    /// A range of a value of `run`, cut at its end. Not compared with its hash, which would take
    /// all of it.
    ///
    /// # Errors
    ///
    /// When the file is missing, truncated or cannot be read.
    pub(crate) fn range(&self, run: &str, file: &FileRef, range: Range<u64>) -> Result<Vec<u8>, ValueFileError> {
        self.read(run, file, range).map(|(_, bytes)| bytes)
    }

    /// A range of a file that has the right length.
    fn read(&self, run: &str, file: &FileRef, range: Range<u64>) -> Result<(PathBuf, Vec<u8>), ValueFileError> {
        let path = self.path(run, file);
        let read = || {
            let mut opened = File::open(&path)?;
            let found = opened.metadata()?.len();
            let mut bytes = Vec::new();
            // Only now is the length known to be correct, so that memory can be allocated for it.
            if found == file.len {
                let len = range.end.min(found).saturating_sub(range.start);
                bytes.reserve_exact(usize::try_from(len).map_err(io::Error::other)?);
                opened.seek(SeekFrom::Start(range.start))?;
                opened.take(len).read_to_end(&mut bytes)?;
            }
            Ok((found, bytes))
        };
        match read() {
            Ok((found, bytes)) if found == file.len => Ok((path, bytes)),
            Ok((found, _)) => Err(ValueFileError::Truncated { path, expected: file.len, found }),
            Err(error) if io::Error::kind(&error) == io::ErrorKind::NotFound => Err(ValueFileError::Missing { path }),
            Err(source) => Err(ValueFileError::Io { path, source }),
        }
    }
}
