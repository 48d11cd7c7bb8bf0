//! Reasons why the process of an attempt can end before the attempt has a result.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::units;

/// Why the process of an attempt ended before the attempt had a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Crash {
    /// Killed by a signal: 11 is a segmentation fault, 6 an abort, 9 a kill from outside.
    Signal {
        /// Its number.
        number: i32,
    },
    /// The process called `exit`.
    Exit {
        /// The exit code.
        code: i32,
    },
    /// The process exceeded the `memory` option of its task.
    MemoryLimit {
        /// The limit, in bytes.
        limit: u64,
    },
    /// Killed by the kernel because the machine or the container ran out of memory.
    OutOfMemory,
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Crash::Signal { number: 11 } => f.write_str("its process crashed with a segmentation fault (SIGSEGV)"),
            Crash::Signal { number: 6 } => f.write_str("its process aborted (SIGABRT)"),
            Crash::Signal { number } => write!(f, "its process was killed by {}", SignalName(*number)),
            Crash::Exit { code } => {
                write!(f, "its process called `exit` with code {code} before the task had ended")
            }
            Crash::MemoryLimit { limit } => {
                write!(f, "its process exceeded its memory limit of {}", units::bytes(*limit))
            }
            Crash::OutOfMemory => {
                f.write_str("its process was killed by the kernel: the machine or the container ran out of memory")
            }
        }
    }
}

/// Displays a signal as number and name: `signal 9 (SIGKILL)`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SignalName(pub(crate) i32);

impl fmt::Display for SignalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Only signals with the same number on every Unix.
        let name = match self.0 {
            1 => "SIGHUP",
            2 => "SIGINT",
            3 => "SIGQUIT",
            4 => "SIGILL",
            5 => "SIGTRAP",
            6 => "SIGABRT",
            8 => "SIGFPE",
            9 => "SIGKILL",
            11 => "SIGSEGV",
            13 => "SIGPIPE",
            14 => "SIGALRM",
            15 => "SIGTERM",
            number => return write!(f, "signal {number}"),
        };
        write!(f, "signal {} ({name})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_is_displayed_with_its_cause() {
        let text = |crash: Crash| crash.to_string();
        assert_eq!(text(Crash::Signal { number: 9 }), "its process was killed by signal 9 (SIGKILL)");
        assert_eq!(text(Crash::Signal { number: 64 }), "its process was killed by signal 64");
        assert_eq!(text(Crash::MemoryLimit { limit: 64 << 20 }), "its process exceeded its memory limit of 64.0 MiB");
    }
}
