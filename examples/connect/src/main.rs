//! Which page will a visitor read next? As `examples/recommend`, for a log that has outgrown one machine: Spark prepares it.
//!
//! ```sh
//! apt install protobuf-compiler libprotobuf-dev                       # to build
//! pip install pyspark                                                  # a server, with Java 17 or newer
//! export SPARK_HOME=$(python -c 'import pyspark; print(pyspark.__path__[0])')
//! bash $SPARK_HOME/sbin/start-connect-server.sh --master 'local[*]' \
//!     --conf spark.connect.execute.reattachable.senderMaxStreamDuration=0 \
//!     --conf spark.connect.execute.reattachable.senderMaxStreamSize=0  # later: stop-connect-server.sh
//!
//! export TASKFLOW_CONN_SPARK_CONNECT=sc://localhost
//! cd examples/connect
//! cargo run
//! cargo run -- run --min-lift 3
//! cargo run -- show
//! ```
//!
//! The log is parsed, filtered and cut into visits by queries of Spark Connect (`visits.rs`, `*.sql`); the model is learned and
//! judged by the tasks of `examples/recommend`. `connect/` is what taskflow and Spark Connect have to do with each other:
//! sessions from connections, tags, progress, and interruption when a run is cancelled.

#![allow(unreachable_pub, reason = "the modules of a program, not of a library")]

mod connect;
#[path = "../../recommend/model.rs"]
mod model;
mod visits;

use std::fmt::Write;

use model::{Verdict, Visit, evaluate, halves, judge, popular, publish, refuse, train};

use taskflow::prelude::*;
use visits::{Day, prepare};

const LOG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/access.log.gz");

/// Those to learn from, and those to test with.
#[task]
fn split(days: &[Day], one_in: usize) -> (Vec<Visit>, Vec<Visit>) {
    halves(days.iter().flat_map(|day| day.visits.clone()), one_in)
}

/// How much there was to learn from, and what came of it.
#[task]
fn report(days: &[Day], outcome: &str) -> Result<String> {
    let mut out = String::new();
    writeln!(out, "day         pages read  sessions")?;
    for day in days {
        writeln!(out, "{}  {:>10}  {:>8}", day.date, day.pages_read, day.visits.len())?;
    }
    write!(out, "{outcome}")?;
    Ok(out)
}

/// What to read next, learned from an access log that Spark has prepared.
#[dag(tags = ["web", "ml", "spark"])]
pub fn recommendations(
    #[param(default = LOG.to_owned(), help = "access log in Apache's combined format, where the server sees it")]
    log: String,
    #[param(default = 30, range = 1..=1440, help = "minutes without a request that end a session")] idle_min: u32,
    #[param(default = 5, range = 2..=100, help = "one session in so many is for testing")] one_in: usize,
    #[param(default = 5, range = 1..=100, help = "how many pages are recommended")] count: usize,
    #[param(default = 1.2, help = "how many times the hits of popularity are wanted")] min_lift: f64,
    #[param(default = "target/recommendations.json", help = "file for the model")] model_file: String,
) -> String {
    let days = prepare(log, idle_min);
    let (training, test) = split(days, one_in).unzip();
    let model = train(training);
    let score = evaluate(model, popular(training), test, count);

    let outcome = branch!(judge(score, min_lift) => {
        Verdict::Better(score) => publish(model, score, model_file),
        Verdict::NoBetter { score, wanted } => refuse(score, wanted),
    });
    report(days, outcome)
}

taskflow::main!();
