//! Tests of the example and its sessions on a real Spark Connect server.
#![cfg(unix)]
#![allow(unreachable_pub, reason = "the modules of programs")]

#[path = "../../src/connect/mod.rs"]
mod connect;
#[path = "../../../../tests/src/spark/daemon.rs"]
#[allow(dead_code, reason = "the tests of clusters use more of it")]
mod daemon;
#[path = "../../../../tests/src/spark/installed.rs"]
#[allow(dead_code, reason = "the tests of clusters use more of it")]
mod installed;
#[path = "../../../clicks/log.rs"]
#[allow(dead_code, reason = "only the example `clicks` reads invalid lines")]
mod log;
#[path = "../../../recommend/model.rs"]
#[allow(dead_code, reason = "these tests train no model")]
mod model;
#[path = "../../../recommend/visits.rs"]
mod on_one_machine;
#[path = "../../src/visits.rs"]
mod on_spark;
#[path = "../../../../tests/src/patience.rs"]
mod patience;

mod cancelling;
mod errors;
mod preparation;
mod server;
mod sessions;
