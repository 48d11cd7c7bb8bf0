//! The two output streams of the process: whether they get colours and a live view, and writing to
//! them without secrets and without failing when the reader is gone.

use std::env;
use std::io::{self, IsTerminal, Write};

use console::{Style, Term};

use crate::log::Redactor;

/// What the process writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terminal {
    /// Whether stderr gets the progress view.
    pub(super) live: bool,
    pub(super) colour_stdout: bool,
    pub(super) colour_stderr: bool,
}

impl Terminal {
    pub(super) fn of_process() -> Self {
        let plain = wants_plain(|name| env::var(name).ok());
        Terminal::new(plain, io::stdout().is_terminal(), io::stderr().is_terminal())
    }

    fn new(plain: bool, stdout: bool, stderr: bool) -> Self {
        Terminal { live: stderr && !plain, colour_stdout: stdout && !plain, colour_stderr: stderr && !plain }
    }

    /// The width of stdout in columns, if it is a terminal.
    pub(super) fn width_stdout(&self) -> Option<u16> {
        Term::stdout().size_checked().map(|(_, columns)| columns).filter(|_| io::stdout().is_terminal())
    }

    /// The same for stderr.
    pub(super) fn width_stderr(&self) -> Option<u16> {
        Term::stderr().size_checked().map(|(_, columns)| columns).filter(|_| io::stderr().is_terminal())
    }

    /// Writes to stdout. A reader that is gone, as in `list | head -1`, is not an error.
    pub(super) fn print(&self, text: &str) -> io::Result<()> {
        self.write(&Redactor::current().registered(text))
    }

    /// Writes JSON to stdout, which stays valid when secrets are masked.
    pub(super) fn print_json(&self, json: &str) -> io::Result<()> {
        self.write(&Redactor::current().registered_json(json))
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        ignore_broken_pipe(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()))
    }

    /// Writes a part of a long output to stdout; `false` when the reader is gone.
    #[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "only logs are followed"))]
    pub(super) fn offer(&self, text: &str) -> io::Result<bool> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes a line to stderr. An error is ignored: there is nowhere to report it.
    pub(super) fn note(&self, line: &str) {
        let _ = writeln!(io::stderr().lock(), "{}", Redactor::current().registered(line));
    }

    /// Prints a warning.
    pub(super) fn warn(&self, message: &str) {
        let paint = self.paint_stderr();
        self.note(&format!("{} {message}", paint.odd("warning:")));
    }

    pub(super) fn error(&self, message: &str) {
        let paint = self.paint_stderr();
        self.note(&format!("{} {message}", paint.bad("error:")));
    }

    #[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "used for stored runs only"))]
    pub(super) fn paint_stdout(&self) -> Paint {
        Paint(self.colour_stdout)
    }

    pub(super) fn paint_stderr(&self) -> Paint {
        Paint(self.colour_stderr)
    }
}

pub(super) fn ignore_broken_pipe(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Whether the environment asks for plain text: `NO_COLOR`, `CI`, a dumb terminal or none.
fn wants_plain(variable: impl Fn(&str) -> Option<String>) -> bool {
    let set = |name| variable(name).is_some_and(|value| !value.is_empty());
    let ci = variable("CI").is_some_and(|value| !matches!(&*value, "" | "0" | "false"));
    let dumb = if cfg!(windows) {
        variable("TERM").is_some_and(|term| term == "dumb")
    } else {
        variable("TERM").is_none_or(|term| term.is_empty() || term == "dumb")
    };
    set("NO_COLOR") || ci || dumb
}

/// Colours, if the stream has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Paint(pub(super) bool);

impl Paint {
    pub(super) fn good(self, text: &str) -> String {
        self.apply(Style::new().green(), text)
    }

    pub(super) fn bad(self, text: &str) -> String {
        self.apply(Style::new().red().bold(), text)
    }

    pub(super) fn odd(self, text: &str) -> String {
        self.apply(Style::new().yellow(), text)
    }

    pub(super) fn strong(self, text: &str) -> String {
        self.apply(Style::new().bold(), text)
    }

    pub(super) fn faint(self, text: &str) -> String {
        self.apply(Style::new().dim(), text)
    }

    fn apply(self, style: Style, text: &str) -> String {
        style.force_styling(self.0).apply_to(text).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain_with(variables: &[(&str, &str)]) -> bool {
        wants_plain(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn an_ordinary_terminal_gets_colours() {
        assert!(!plain_with(&[("TERM", "xterm-256color")]));
    }

    #[test]
    fn no_color_ci_and_dumb_terminals_get_plain_text() {
        assert!(plain_with(&[("TERM", "xterm"), ("NO_COLOR", "1")]));
        assert!(plain_with(&[("TERM", "xterm"), ("CI", "true")]));
        assert!(plain_with(&[("TERM", "dumb")]));
    }

    #[test]
    fn empty_variables_are_ignored() {
        assert!(!plain_with(&[("TERM", "xterm"), ("NO_COLOR", ""), ("CI", "false")]));
    }

    #[test]
    fn a_live_view_needs_a_terminal_on_stderr_only() {
        let terminal = Terminal::new(false, false, true);
        assert!(terminal.live && terminal.colour_stderr && !terminal.colour_stdout);
    }
}
