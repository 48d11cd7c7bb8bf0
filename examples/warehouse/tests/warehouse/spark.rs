//! The Spark installation and the cluster of the workspace's tests.
#![allow(dead_code, unreachable_pub, reason = "these tests use only part of it")]

#[path = "../../../../tests/src/spark/cluster.rs"]
pub(crate) mod cluster;
#[path = "../../../../tests/src/spark/daemon.rs"]
pub(crate) mod daemon;
#[path = "../../../../tests/src/spark/installed.rs"]
pub(crate) mod installed;
#[path = "../../../../tests/src/spark/server.rs"]
pub(crate) mod server;
