//! The real Spark of the other tests, and its cluster.
#![allow(dead_code, reason = "a part of it is needed here")]

#[path = "../../../../tests/spark/cluster.rs"]
pub(crate) mod cluster;
#[path = "../../../../tests/spark/daemon.rs"]
pub(crate) mod daemon;
#[path = "../../../../tests/spark/installed.rs"]
pub(crate) mod installed;
#[path = "../../../../tests/spark/server.rs"]
pub(crate) mod server;
