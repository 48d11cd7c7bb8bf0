//! Opens an address in the browser of the person who has called the program.

use std::io;
use std::process::{Command, Stdio};

use super::terminal::Terminal;

/// The program that opens addresses with what the person prefers.
const OPENER: &str = if cfg!(target_os = "macos") {
    "open"
} else if cfg!(windows) {
    "explorer"
} else {
    "xdg-open"
};

/// Opens an address, or says that there is nothing to open it with. Does not wait for the browser.
pub(super) fn open(address: &str, terminal: &Terminal) {
    let started =
        Command::new(OPENER).arg(address).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let why = match started {
        Ok(mut child) => {
            // Nobody else would collect its exit code. It fails only when it is gone already.
            std::thread::spawn(move || child.wait());
            return;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => format!("`{OPENER}` is not installed"),
        Err(error) => format!("`{OPENER}` cannot be started: {error}"),
    };
    terminal.warn(&format!("no browser was opened, because {why}; the address is {address}"));
}
