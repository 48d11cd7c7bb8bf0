//! The real Spark of the other tests, and its cluster.
#![allow(dead_code, unreachable_pub, reason = "a part of it is needed here, which the other tests have from a library")]

#[path = "../../../../tests/src/spark/cluster.rs"]
pub(crate) mod cluster;
#[path = "../../../../tests/src/spark/daemon.rs"]
pub(crate) mod daemon;
#[path = "../../../../tests/src/spark/installed.rs"]
pub(crate) mod installed;
#[path = "../../../../tests/src/spark/server.rs"]
pub(crate) mod server;
