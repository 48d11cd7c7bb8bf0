//! Tests of the program as its users run it: repeated and killed loads, damaged files, and a real
//! Spark.

mod cells;
mod common;
mod engines;
mod figures;
mod loads;
mod mistakes;
mod spark;
