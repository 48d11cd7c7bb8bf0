//! Formats a log record of a task as one line:
//! `2026-01-31T06:00:00.120Z INFO  load: 3 rows table=flights`.

use std::fmt::Write;

use super::format;
use super::terminal::Paint;
use crate::base::text::one_line;
use crate::log::{LogLevel, LogRecord};

/// The line, without its line break. Further lines of a message are indented.
pub(super) fn line(task: &str, attempt: u32, record: &LogRecord, paint: Paint) -> String {
    let level = format!("{:<5}", record.level);
    let level = match record.level {
        LogLevel::Error => paint.bad(&level),
        LogLevel::Warn => paint.odd(&level),
        LogLevel::Info => level,
        LogLevel::Debug | LogLevel::Trace => paint.faint(&level),
    };
    let attempt = if attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
    let mut line =
        format!("{} {level} {}{attempt}:", paint.faint(&format::time(record.at)), paint.strong(&one_line(task)));
    if !record.message.is_empty() {
        line += " ";
        line += &record.message.trim_end().replace('\n', "\n    ");
    }
    let of_spans = record.spans.iter().flat_map(|span| &span.fields);
    for (key, value) in record.fields.iter().chain(of_spans) {
        // Writing to a string does not fail.
        let _ = match value {
            serde_json::Value::String(text) if !text.is_empty() && !text.contains(char::is_whitespace) => {
                write!(line, " {}{text}", paint.faint(&format!("{}=", one_line(key))))
            }
            value => write!(line, " {}{value}", paint.faint(&format!("{}=", one_line(key)))),
        };
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(json: &str, attempt: u32) -> String {
        line("load", attempt, &json.parse().unwrap(), Paint(false))
    }

    #[test]
    fn a_record_is_a_line_with_its_fields() {
        let json = r#"{"at":"2026-01-31T06:00:00.12Z","level":"INFO","message":"done","fields":{"rows":3,"of":"a b"}}"#;
        assert_eq!(shown(json, 1), r#"2026-01-31T06:00:00.120Z INFO  load: done of="a b" rows=3"#);
    }

    #[test]
    fn later_attempts_are_numbered_and_long_messages_are_indented() {
        let json = r#"{"at":"1970-01-01T00:00:00Z","level":"ERROR","message":"one\ntwo\n"}"#;
        assert_eq!(shown(json, 2), "1970-01-01T00:00:00.000Z ERROR load (attempt 2): one\n    two");
    }
}
