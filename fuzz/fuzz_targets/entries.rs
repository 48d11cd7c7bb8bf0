//! Decodes segments, graph snapshots, stored parameters, rollups, and the states of schedules,
//! backfills and accounts, and builds a history from them.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| taskflow_core::private::fuzz_entries(bytes));
