//! What can end the process of an attempt before it has answered.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::units;

/// What ended the process of an attempt before it could say what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Crash {
    /// A signal: 11 is a segmentation fault, 6 an abort, 9 a kill by somebody.
    Signal {
        /// Its number.
        number: i32,
    },
    /// Something in it called `exit`.
    Exit {
        /// The exit code.
        code: i32,
    },
    /// It asked for more memory than the `memory` option of its task allows.
    MemoryLimit {
        /// The limit, in bytes.
        limit: u64,
    },
    /// The kernel killed it because the machine or the container had no memory left.
    OutOfMemory,
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Crash::Signal { number: 11 } => f.write_str("its process crashed with a segmentation fault (SIGSEGV)"),
            Crash::Signal { number: 6 } => f.write_str("its process aborted (SIGABRT)"),
            Crash::Signal { number } => write!(f, "its process was killed by {}", SignalName(*number)),
            Crash::Exit { code } => {
                write!(
                    f,
                    "its process exited with code {code} before the task had ended: something in it called `exit`"
                )
            }
            Crash::MemoryLimit { limit } => {
                write!(f, "its process wanted more memory than its limit of {}", units::bytes(*limit))
            }
            Crash::OutOfMemory => {
                f.write_str("its process was killed by the kernel: the machine or the container ran out of memory")
            }
        }
    }
}

/// A signal by number and name: `signal 9 (SIGKILL)`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SignalName(pub(crate) i32);

impl fmt::Display for SignalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Those whose numbers are the same on every Unix.
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
    fn a_crash_says_what_it_was() {
        let said = |crash: Crash| crash.to_string();
        assert_eq!(said(Crash::Signal { number: 9 }), "its process was killed by signal 9 (SIGKILL)");
        assert_eq!(said(Crash::Signal { number: 64 }), "its process was killed by signal 64");
        assert_eq!(
            said(Crash::MemoryLimit { limit: 64 << 20 }),
            "its process wanted more memory than its limit of 64.0 MiB"
        );
    }
}
