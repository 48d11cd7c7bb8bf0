//! Ranks airlines by their share of late flights, with confidence intervals, for data that is too
//! large for one machine.
//!
//! ```sh
//! pip install pyspark
//! cargo run --example outgrown --features spark
//! cargo run --example outgrown --features spark -- run --late-after-min 60
//! cargo run --example outgrown --features spark -- show
//! ```
//!
//! A Spark job counts the flights of each carrier (`spark_submit`; the script is `carriers.py`).
//! One Rust task per carrier then resamples its flights to compute a confidence interval. These
//! tasks run on Spark executors (`each`, `.on(..)`). With `TASKFLOW_SPARK=off` they run on threads
//! of this process, with the same results.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use taskflow::prelude::*;
use taskflow::spark::{Executors, SparkSubmit, spark_submit};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/outgrown/carriers.py");
const FLIGHTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/flights-2013-01.csv.gz");
/// Use `spark://host:7077` for a standalone cluster.
const CLUSTER: &str = "local[2]";
/// The number of resamples per carrier.
const DRAWS: u32 = 1000;

/// The number of flights of a carrier that arrived, and of those that were late.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Carrier {
    carrier: String,
    flights: u32,
    late: u32,
}

/// The share of late flights, with the bounds of its 95% confidence interval.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Share {
    carrier: String,
    share: f64,
    low: f64,
    high: f64,
}

/// Computes the interval by the [bootstrap](https://doi.org/10.1214/aos/1176344552): repeatedly
/// draws as many flights as there are.
#[task(retries = 1)]
fn resample(counted: &Carrier) -> Result<Share> {
    let Carrier { carrier, flights, late } = counted;
    if *flights == 0 {
        Err(format!("{carrier} has no flights"))?;
    }
    let mut random = SplitMix64(u64::from(*flights) << 32 | u64::from(*late));
    let mut shares: Vec<f64> = (0..DRAWS)
        .map(|_| {
            let drawn = (0..*flights).filter(|_| random.below(*flights) < *late).count();
            drawn as f64 / f64::from(*flights)
        })
        .collect();
    shares.sort_by(f64::total_cmp);
    let at = |part: f64| shares[(part * f64::from(DRAWS - 1)) as usize];
    let share = f64::from(*late) / f64::from(*flights);
    Ok(Share { carrier: carrier.clone(), share, low: at(0.025), high: at(0.975) })
}

/// [SplitMix64](https://prng.di.unimi.it/splitmix64.c), a generator with the same results on every
/// machine.
struct SplitMix64(u64);

impl SplitMix64 {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % u64::from(limit)) as u32
    }
}

/// The carriers, by descending share of late flights.
#[task]
fn table(mut shares: Vec<Share>) -> String {
    shares.sort_by(|one, two| two.share.total_cmp(&one.share));
    let mut text = "carrier  late   between\n".to_owned();
    for Share { carrier, share, low, high } in shares {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{carrier:<7} {:>5.1}%  {:.1}% and {:.1}%", 100.0 * share, 100.0 * low, 100.0 * high);
    }
    text
}

/// The shares of late flights by airline, with confidence intervals.
#[dag]
fn outgrown(
    #[param(default = FLIGHTS.to_owned(), help = "a CSV file, plain or gzipped, that all machines of the cluster can read")]
    flights: String,
    #[param(default = 15, range = 0..=600, help = "minutes after which an arrival is late")] late_after_min: u32,
) -> String {
    let job = SparkSubmit::app(SCRIPT).arg(flights).arg(late_after_min).master(CLUSTER).driver_memory("512m");
    let counted = spark_submit("count", job.result::<Vec<Carrier>>()).retries(1);
    let executors = Executors::new(CLUSTER);
    table(counted.map(|job| job.result.clone()).each(|carrier| resample(carrier)).on(&executors))
}

taskflow::main!(outgrown);
