//! Parses lines of a log and redacts secrets.
#![no_main]

use taskflow_core::log::{LogRecord, redact};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let _ = redact(&text);
    let _ = text.parse::<LogRecord>();
});
