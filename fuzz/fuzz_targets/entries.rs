//! Segments, snapshots of graphs and stored parameters, and the history that comes of them.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| taskflow_core::private::fuzz_entries(bytes));
