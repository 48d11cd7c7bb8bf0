//! Reads arbitrary bytes as all parts of a request to the server: addresses, queries, bodies,
//! headers, cursors, the places of streams, the signatures of webhooks.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| taskflow_core::private::fuzz_request(bytes));
