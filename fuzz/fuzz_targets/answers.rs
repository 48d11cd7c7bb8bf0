//! Reads arbitrary bytes as what other programs answer and print: children, HTTP servers, Spark and
//! its clusters, providers of OpenID Connect, services that the command line asks.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| taskflow_core::private::fuzz_answers(bytes));
