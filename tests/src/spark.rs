//! What the tests of Spark share: a real Spark and a cluster of it, and ones that are made up.

pub mod cluster;
pub mod daemon;
pub mod fake_master;
pub mod fake_spark;
pub mod installed;
pub mod server;
