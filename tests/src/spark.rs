//! Shared helpers for Spark: a real installation and cluster, and fake ones.

pub mod cluster;
pub mod daemon;
pub mod fake_master;
pub mod fake_spark;
pub mod installed;
pub mod server;
