//! Decodes segments, graph snapshots and stored parameters, and builds a history from them.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| taskflow_core::private::fuzz_entries(bytes));
