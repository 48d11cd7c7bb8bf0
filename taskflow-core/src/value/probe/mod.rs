//! Finds what MessagePack would lose before it is written.
//!
//! A serializer without output walks the value and finds what would be stored without an error, but
//! decoded as something else or not at all:
//!
//! - `Some` of something that is itself stored as nil: `Some(None)`, `Some(())`. It would be
//!   decoded as `None`.
//! - lists, maps and texts of 2^32 or more elements or bytes: their length would be cut to 32 bits.
//! - a manual `Serialize` that announces another number of elements than it writes.
//! - more levels than [`MAX_DEPTH`]: reading them could overflow the stack.
//!
//! The path of a mistake is assembled on the way out, so a valid value costs nothing extra. A
//! separate walk, instead of wrapping the real serializer, keeps both simple; for numbers and texts
//! the compiler removes most of it.

mod compound;
mod lost;
mod serializer;
#[cfg(test)]
mod tests;

use serde::Serialize;

use self::compound::Compound;
use self::lost::Lost;
use super::msgpack::MAX_DEPTH;

/// Checks that `value` can be stored without loss.
///
/// # Errors
///
/// The first problem and its path, as a sentence, or the error of the value's own `Serialize`.
pub(super) fn check<T: Serialize + ?Sized>(value: &T) -> Result<(), String> {
    value.serialize(Probe { level: 0 }).map(drop).map_err(|lost| lost.to_string())
}

/// Whether a value is stored as nil.
type IsNil = bool;

#[derive(Clone, Copy)]
struct Probe {
    level: usize,
}

impl Probe {
    fn inner(self) -> Result<Probe, Lost> {
        if self.level < MAX_DEPTH {
            return Ok(Probe { level: self.level + 1 });
        }
        Err(Lost::new(format!(
            "it is nested deeper than {MAX_DEPTH} levels; store its parts in a list that refer to each other by index"
        )))
    }

    fn compound(self, announced: Option<usize>) -> Result<Compound, Lost> {
        if let Some(len) = announced {
            length(len)?;
        }
        Ok(Compound { inner: self.inner()?, announced, count: 0 })
    }
}

fn length(len: usize) -> Result<(), Lost> {
    match u32::try_from(len) {
        Ok(_) => Ok(()),
        Err(_) => Err(Lost::new(format!(
            "it has {len} elements or bytes, and MessagePack holds up to {}; return it in several parts, or write it to a \
             file and return the path",
            u32::MAX
        ))),
    }
}
