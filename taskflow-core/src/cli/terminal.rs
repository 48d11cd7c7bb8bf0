//! The two output streams of the process: whether they get colours, glyphs and a live view, and
//! writing to them without secrets, without control characters of others, and without failing when
//! the reader is gone.
//!
//! All output of the command line passes through here. What is printed mixes our text with foreign
//! text, so everything is escaped as [`base::text`](crate::base::text) describes, except for the
//! escape sequences of [`Paint`]. These carry a mark, a random number, which is
//! removed when they are written; no foreign text can know it.

use std::env;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, IsTerminal, Write};
use std::sync::LazyLock;

use console::Term;

use super::ascii;
use crate::base::text;
use crate::log::Redactor;
use crate::render::palette::Mark;

/// What the process writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terminal {
    /// Whether stderr gets the progress view.
    pub(super) live: bool,
    pub(super) colour_stdout: bool,
    pub(super) colour_stderr: bool,
    /// Whether stdout is a terminal that shows ASCII only.
    ascii_stdout: bool,
    /// The same for stderr.
    ascii_stderr: bool,
}

impl Terminal {
    pub(super) fn of_process() -> Self {
        let variable = |name: &str| env::var(name).ok();
        let (plain, ascii) = (wants_plain(variable), ascii::is_needed(variable));
        Terminal::new(plain, ascii, io::stdout().is_terminal(), io::stderr().is_terminal())
    }

    fn new(plain: bool, ascii: bool, stdout: bool, stderr: bool) -> Self {
        Terminal {
            live: stderr && !plain,
            colour_stdout: stdout && !plain,
            colour_stderr: stderr && !plain,
            ascii_stdout: stdout && ascii,
            ascii_stderr: stderr && ascii,
        }
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
        self.offer(text).map(drop)
    }

    /// Writes JSON to stdout, which stays valid when secrets are masked.
    pub(super) fn print_json(&self, json: &str) -> io::Result<()> {
        self.offer_json(json).map(drop)
    }

    /// Writes a text that is a value of a task to stdout: unchanged, except for secrets, to a file
    /// or a pipe.
    pub(super) fn print_value(&self, text: &str) -> io::Result<()> {
        self.offer_value(text).map(drop)
    }

    /// The same for a part of a long output; `false` when the reader is gone.
    pub(super) fn offer_value(&self, text: &str) -> io::Result<bool> {
        if io::stdout().is_terminal() {
            return self.offer(text);
        }
        self.write(&Redactor::current().registered(text))
    }

    /// Writes a part of a long output to stdout; `false` when the reader is gone.
    pub(super) fn offer(&self, text: &str) -> io::Result<bool> {
        self.write(&shown(text, self.ascii_stdout))
    }

    /// The same for lines of JSON.
    pub(super) fn offer_json(&self, json: &str) -> io::Result<bool> {
        self.write(&text::visible_json(&Redactor::current().registered_json(json)))
    }

    fn write(&self, text: &str) -> io::Result<bool> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes a line to stderr; if foreign text in it has several lines, the others are indented.
    /// An error is ignored: there is nowhere to report it.
    pub(super) fn note(&self, line: &str) {
        self.note_block(&indented(line));
    }

    /// Writes a text of several lines to stderr, as it is.
    pub(super) fn note_block(&self, text: &str) {
        // In one piece: tasks print to the same terminal.
        let _ = io::stderr().lock().write_all((self.shown_stderr(text) + "\n").as_bytes());
    }

    /// The text as stderr shows it.
    pub(super) fn shown_stderr(&self, text: &str) -> String {
        shown(text, self.ascii_stderr)
    }

    /// Prints a warning.
    pub(super) fn warn(&self, message: &str) {
        self.note(&self.warning(message));
    }

    /// A warning as it is printed.
    pub(super) fn warning(&self, message: &str) -> String {
        format!("{} {message}", self.paint_stderr().odd("warning:"))
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

/// The text as it is written: without secrets, with unsafe characters made visible, and with ASCII
/// in place of our signs where a terminal does not show them.
fn shown(text: &str, is_ascii: bool) -> String {
    let text = escaped(&Redactor::current().registered(text));
    if is_ascii { ascii::of(&text) } else { text }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(ESCAPE) {
        out.push_str(&text::visible(&rest[..at]));
        rest = match own_sequence(&rest[at..]) {
            Some((codes, behind)) => {
                out.extend([SEQUENCE, codes, "m"]);
                behind
            }
            None => {
                out.push_str(&text::visible(ESCAPE));
                &rest[at + ESCAPE.len()..]
            }
        };
    }
    out.push_str(&text::visible(rest));
    out
}

const ESCAPE: &str = "\x1b";
const SEQUENCE: &str = "\x1b[";

/// The mark of the escape sequences of this process: their last codes. Libraries that measure text
/// know numbers of up to four digits.
static MARK: LazyLock<String> = LazyLock::new(|| {
    let random = RandomState::new();
    let codes: String = (0..5).map(|place| format!(";{}", random.hash_one(place) % 10_000)).collect();
    codes + "m"
});

/// The codes of the marked sequence at the beginning of a text, and what follows it.
fn own_sequence(text: &str) -> Option<(&str, &str)> {
    let (codes, behind) = text.strip_prefix(SEQUENCE)?.split_once('m')?;
    let codes = codes.strip_suffix(MARK.trim_end_matches('m'))?;
    // Otherwise it is a foreign sequence before one of ours.
    codes.bytes().all(|byte| byte.is_ascii_digit() || byte == b';').then_some((codes, behind))
}

/// Indents the further lines of a message, so that none of them looks like a message of its own.
fn indented(message: &str) -> String {
    let mut lines = message.trim_end().split('\n');
    let mut text = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        text += if line.starts_with(' ') || line.is_empty() { "\n" } else { "\n  " };
        text += line;
    }
    text
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

/// Colours and glyphs, if the stream has them: plain text has neither.
///
/// Of the 16 colours of a terminal, each family has one that can be seen on light and on dark
/// ground: yellow vanishes on one of them and blue on the other in the palettes of most terminals.
/// Only the glyph has the colour of its family. The word beside it has the colour of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Paint(pub(super) bool);

impl Paint {
    pub(super) fn good(self, text: &str) -> String {
        self.apply("32", text)
    }

    pub(super) fn bad(self, text: &str) -> String {
        self.apply("31;1", text)
    }

    pub(super) fn odd(self, text: &str) -> String {
        self.apply("33", text)
    }

    /// The glyph of a state and a space, in front of its name.
    pub(super) fn glyph(self, mark: Mark) -> String {
        if self.0 { self.apply(codes(mark.family), mark.sign()) + " " } else { String::new() }
    }

    /// A state by its name: `✕ failed`.
    pub(super) fn state(self, mark: Mark, name: &str) -> String {
        let name = if mark.family == "bad" { self.strong(name) } else { name.to_owned() };
        self.glyph(mark) + &name
    }

    pub(super) fn strong(self, text: &str) -> String {
        self.apply("1", text)
    }

    pub(super) fn faint(self, text: &str) -> String {
        self.apply("2", text)
    }

    fn apply(self, codes: &str, text: &str) -> String {
        let mark = &**MARK;
        if self.0 { format!("{SEQUENCE}{codes}{mark}{text}{SEQUENCE}0{mark}") } else { text.to_owned() }
    }
}

/// The colour of a family of states.
fn codes(family: &str) -> &'static str {
    match family {
        "ok" => "32",
        "bad" => "31;1",
        "blocked" => "31",
        "run" => "36",
        "other" => "35",
        _ => "2",
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
        let terminal = Terminal::new(false, false, false, true);
        assert!(terminal.live && terminal.colour_stderr && !terminal.colour_stdout);
    }

    #[test]
    fn only_our_own_colours_are_written() {
        let text = Paint(true).bad("\x1b[2J\x1b[31mforged\x1b[0m");
        assert_eq!(escaped(&text), "\x1b[31;1m\\u{1b}[2J\\u{1b}[31mforged\\u{1b}[0m\x1b[0m");
        assert_eq!(escaped("\x1b[31;1m\x1b["), "\\u{1b}[31;1m\\u{1b}[");
        let behind = format!("\x1b[2J{}", Paint(true).faint("ours"));
        assert_eq!(escaped(&behind), "\\u{1b}[2J\x1b[2mours\x1b[0m");
    }

    #[test]
    fn a_state_is_its_name_behind_its_glyph() {
        let [failed, success] = ["failed", "success"].map(Mark::of);
        assert_eq!(escaped(&Paint(true).state(failed, "failed")), "\x1b[31;1m✕\x1b[0m \x1b[1mfailed\x1b[0m");
        assert_eq!(escaped(&Paint(true).state(success, "success")), "\x1b[32m✓\x1b[0m success");
        assert_eq!(Paint(false).state(failed, "failed"), "failed");
    }

    #[test]
    fn a_terminal_without_utf_8_gets_ascii_and_a_file_does_not() {
        let terminal = Terminal::new(false, true, false, true);
        assert!(terminal.ascii_stderr && !terminal.ascii_stdout);
        assert_eq!(terminal.shown_stderr(&terminal.paint_stderr().glyph(Mark::of("failed"))), "\x1b[31;1mx\x1b[0m ");
        assert_eq!(shown("✕ failed…", terminal.ascii_stdout), "✕ failed…");
    }

    #[test]
    fn a_mark_takes_no_space() {
        let text = Paint(true).good("12345");
        assert_eq!(console::measure_text_width(&text), 5);
        assert_eq!(escaped(&console::truncate_str(&text, 4, "..")), "\x1b[32m12..\x1b[0m");
    }

    #[test]
    fn further_lines_of_a_message_are_indented() {
        assert_eq!(indented("one\nerror: two\n    three\n"), "one\n  error: two\n    three");
    }
}
