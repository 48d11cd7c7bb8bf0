//! Predicts the page that a visitor will read next, like `examples/recommend`, from a log that
//! Spark prepares because it is too large for one machine.
//!
//! ```sh
//! apt install protobuf-compiler libprotobuf-dev                       # for the build
//! pip install pyspark                                                  # the server; needs Java 17 or newer
//! export SPARK_HOME=$(python -c 'import pyspark; print(pyspark.__path__[0])')
//! bash $SPARK_HOME/sbin/start-connect-server.sh --master 'local[*]' \
//!     --conf spark.connect.execute.reattachable.senderMaxStreamDuration=0 \
//!     --conf spark.connect.execute.reattachable.senderMaxStreamSize=0  # stop it with stop-connect-server.sh
//!
//! export TASKFLOW_CONN_SPARK_CONNECT=sc://localhost
//! cd examples/connect
//! cargo run
//! cargo run -- run --min-lift 3
//! cargo run -- show
//! ```
//!
//! Spark Connect queries parse the log, filter it and group it into visits (`visits.rs`, `*.sql`).
//! The tasks of `examples/recommend` train and evaluate the model. The module `connect` integrates
//! Spark Connect with taskflow: sessions from connections, tags, progress, and interruption when a
//! run is cancelled.

#![allow(unreachable_pub, reason = "the modules of a program, not of a library")]

mod connect;
#[path = "../../recommend/model.rs"]
mod model;
mod visits;

use std::fmt::Write;

use model::{Verdict, Visit, evaluate, judge, popular, publish, reject, split_visits, train};

use taskflow::prelude::*;
use visits::{Day, prepare};

const LOG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/access.log.gz");

/// Splits the visits into a training set and a test set.
#[task]
fn split(days: &[Day], one_in: usize) -> (Vec<Visit>, Vec<Visit>) {
    split_visits(days.iter().flat_map(|day| day.visits.clone()), one_in)
}

/// Writes the size of the data and the outcome.
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

/// Learns what to read next from an access log that Spark prepares.
#[dag(tags = ["web", "ml", "spark"])]
pub fn recommendations(
    #[param(default = LOG.to_owned(), help = "access log in Apache's combined format, at a path that the server can read")]
    log: String,
    #[param(default = 30, range = 1..=1440, help = "minutes without a request after which a session ends")]
    idle_min: u32,
    #[param(default = 5, range = 2..=100, help = "one of this many sessions is used for testing")] one_in: usize,
    #[param(default = 5, range = 1..=100, help = "how many pages to recommend")] count: usize,
    #[param(default = 1.2, help = "how many times as many hits as popularity the model needs")] min_lift: f64,
    #[param(default = "target/recommendations.json", help = "file for the model")] model_file: String,
) -> String {
    let days = prepare(log, idle_min);
    let (training, test) = split(days, one_in).unzip();
    let model = train(training);
    let score = evaluate(model, popular(training), test, count);

    let outcome = branch!(judge(score, min_lift) => {
        Verdict::Better(score) => publish(model, score, model_file),
        Verdict::NotBetter { score, required } => reject(score, required),
    });
    report(days, outcome)
}

taskflow::main!();
