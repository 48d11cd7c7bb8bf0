//! The example as its users run it: what it loads, again and again, killed and with broken files, and on a real Spark.

mod cells;
mod common;
mod engines;
mod figures;
mod loads;
mod mistakes;
mod spark;
