//! Tests of the program as its users run it: repeated and killed loads, damaged files, and a real
//! Spark.

mod cells;
mod common;
mod engines;
mod figures;
mod loads;
mod mistakes;
#[path = "../../../../tests/src/patience.rs"]
#[allow(unreachable_pub, reason = "the tests of the workspace use it")]
mod patience;
mod spark;
