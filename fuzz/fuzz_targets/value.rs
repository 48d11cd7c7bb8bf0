//! Decodes arbitrary bytes as stored values, and renders previews and JSON of them.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| taskflow_core::private::fuzz_value(bytes));
