//! What the tests of Spark share: a real Spark and a cluster of it, and ones that are made up.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod cluster;
pub(crate) mod daemon;
pub(crate) mod fake_master;
pub(crate) mod fake_spark;
pub(crate) mod installed;
pub(crate) mod server;
