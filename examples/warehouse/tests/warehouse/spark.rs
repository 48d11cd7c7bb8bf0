//! The Spark installation and the cluster of the workspace's tests.
#![allow(dead_code, reason = "these tests use only part of it")]

#[path = "../../../../tests/spark/cluster.rs"]
pub(crate) mod cluster;
#[path = "../../../../tests/spark/daemon.rs"]
pub(crate) mod daemon;
#[path = "../../../../tests/spark/installed.rs"]
pub(crate) mod installed;
#[path = "../../../../tests/spark/server.rs"]
pub(crate) mod server;
