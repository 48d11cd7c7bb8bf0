//! Stored values: decoding, previews and JSON of any bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| taskflow_core::private::fuzz_value(bytes));
