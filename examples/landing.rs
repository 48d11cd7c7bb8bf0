//! Files that land in a directory are counted, and a ranking follows the counts.
//!
//! ```sh
//! cargo run --example landing -- serve                        # and, in another terminal:
//! mkdir -p target/landing && cp examples/data/flights-2013-01.csv.gz target/landing
//! cargo run --example landing -- events                       # the file, the count, the ranking
//! cargo run --example landing -- consumers                    # what is pending for which DAG
//! cargo run --example landing -- run ranking --counts last    # again, by hand
//! ```
//!
//! Nothing here asks whether a file is there: a watcher emits an event for each file, `count`
//! starts for each event, and its value is the event that starts `ranking`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;

use flate2::bufread::GzDecoder;
use serde::{Deserialize, Serialize};
use taskflow::asset::Month;
use taskflow::prelude::*;
use taskflow::watch::{self, FileLanded};

/// The flights of a month, by carrier.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Counted {
    flights: BTreeMap<String, u64>,
}

taskflow::asset! {
    /// Files with the flights of a month.
    pub LANDED: Asset<FileLanded> = "flights/landed";
    /// The flights of a month, by carrier.
    pub COUNTED: Asset<Counted, Month> = "flights/counted";
}
taskflow::watch!(LANDED = watch::files(pattern()).settle("1s"));

fn pattern() -> String {
    let directory = std::env::var("LANDING").unwrap_or_else(|_| "target/landing".to_owned());
    format!("{directory}/flights-*.csv.gz")
}

#[derive(Deserialize)]
struct Row {
    carrier: String,
}

/// Counts the flights of each carrier. The month is in the name of the file.
#[task(blocking)]
fn count_flights(file: &Event<FileLanded>, ctx: &TaskContext) -> Result<u64> {
    let name = file.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let month = name.trim_start_matches("flights-").trim_end_matches(".csv.gz").parse::<Month>()?;
    let mut flights = BTreeMap::new();
    let reader = GzDecoder::new(BufReader::new(File::open(&file.path)?));
    for row in csv::Reader::from_reader(reader).deserialize() {
        let Row { carrier } = row?;
        *flights.entry(carrier).or_default() += 1;
    }
    let total = flights.values().sum();
    ctx.emit_partition(&COUNTED, month, Counted { flights })?;
    Ok(total)
}

/// The carriers with the most flights, over all months that were counted since the last ranking.
#[task]
fn rank(counts: &Events<Counted, Month>) -> Vec<String> {
    let months: Vec<String> = counts.iter().map(|count| count.partition.to_string()).collect();
    let mut total: BTreeMap<&str, u64> = BTreeMap::new();
    for (carrier, flights) in counts.values().flat_map(|count| &count.flights) {
        *total.entry(carrier).or_default() += flights;
    }
    let mut ranking: Vec<(&str, u64)> = total.into_iter().collect();
    ranking.sort_by_key(|&(carrier, flights)| (std::cmp::Reverse(flights), carrier));
    let lines = ranking.iter().take(3).map(|(carrier, flights)| format!("{carrier} {flights}"));
    [format!("months: {}", months.join(", "))].into_iter().chain(lines).collect()
}

/// One run for each file.
#[dag(max_active_runs = 2)]
pub fn count(#[event(LANDED)] file: Event<FileLanded>) -> u64 {
    count_flights(file)
}

/// One run for the months that were counted while the last ranking ran.
#[dag]
pub fn ranking(#[event(COUNTED, max = 24)] counts: Events<Counted, Month>) -> Vec<String> {
    rank(counts)
}

taskflow::main!();
