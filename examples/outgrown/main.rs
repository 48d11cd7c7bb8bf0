//! Which airline is late most often, and how sure is that? For flights that have outgrown one machine.
//!
//! ```sh
//! pip install pyspark
//! cargo run --example outgrown --features spark
//! cargo run --example outgrown --features spark -- run --late-after-min 60
//! cargo run --example outgrown --features spark -- show
//! ```
//!
//! A job of Spark counts the flights of each carrier (`spark_submit`, the script is `carriers.py`). How far chance could have moved
//! each share is found by drawing flights again, some thousand times a carrier: Rust tasks on executors of Spark, one for each
//! carrier (`each`, `.on(..)`). With `TASKFLOW_SPARK=off` these run on threads of this process, with the same results.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use taskflow::prelude::*;
use taskflow::spark::{Executors, SparkSubmit, spark_submit};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/outgrown/carriers.py");
const FLIGHTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/flights-2013-01.csv.gz");
/// A standalone cluster would be `spark://host:7077`.
const CLUSTER: &str = "local[2]";
/// How often the flights of a carrier are drawn again.
const DRAWS: u32 = 1000;

/// The flights of a carrier that arrived.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Carrier {
    carrier: String,
    flights: u32,
    late: u32,
}

/// The share of late flights, with the bounds between which it lies in 19 of 20 draws.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Share {
    carrier: String,
    share: f64,
    low: f64,
    high: f64,
}

/// Draws as many flights as there were, again and again: the [bootstrap](https://doi.org/10.1214/aos/1176344552).
#[task(retries = 1)]
fn resample(counted: &Carrier) -> Result<Share> {
    let Carrier { carrier, flights, late } = counted;
    if *flights == 0 {
        Err(format!("{carrier} has no flights"))?;
    }
    let mut dice = Dice(u64::from(*flights) << 32 | u64::from(*late));
    let mut shares: Vec<f64> = (0..DRAWS)
        .map(|_| {
            let drawn = (0..*flights).filter(|_| dice.roll(*flights) < *late).count();
            drawn as f64 / f64::from(*flights)
        })
        .collect();
    shares.sort_by(f64::total_cmp);
    let at = |part: f64| shares[(part * f64::from(DRAWS - 1)) as usize];
    let share = f64::from(*late) / f64::from(*flights);
    Ok(Share { carrier: carrier.clone(), share, low: at(0.025), high: at(0.975) })
}

/// [SplitMix64](https://prng.di.unimi.it/splitmix64.c): the same on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % u64::from(sides)) as u32
    }
}

/// The carriers, from the one that is late most often.
#[task]
fn table(mut shares: Vec<Share>) -> String {
    shares.sort_by(|one, two| two.share.total_cmp(&one.share));
    let mut text = "carrier  late   between\n".to_owned();
    for Share { carrier, share, low, high } in shares {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{carrier:<7} {:>5.1}%  {:.1}% and {:.1}%", 100.0 * share, 100.0 * low, 100.0 * high);
    }
    text
}

/// How late are the airlines, and how sure is that?
#[dag]
fn outgrown(
    #[param(default = FLIGHTS.to_owned(), help = "a CSV file, plain or gzipped, that all machines of the cluster see")]
    flights: String,
    #[param(default = 15, range = 0..=600, help = "minutes after which an arrival is late")] late_after_min: u32,
) -> String {
    let job = SparkSubmit::app(SCRIPT).arg(flights).arg(late_after_min).master(CLUSTER).driver_memory("512m");
    let counted = spark_submit("count", job.result::<Vec<Carrier>>()).retries(1);
    let executors = Executors::new(CLUSTER);
    table(counted.map(|job| job.result.clone()).each(|carrier| resample(carrier)).on(&executors))
}

taskflow::main!(outgrown);
