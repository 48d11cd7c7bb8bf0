//! Each morning the flights of the day are counted, and a ranking follows the counts.
//!
//! ```sh
//! cargo run --example daily -- next                           # when it is due
//! cargo run --example daily -- serve                          # and, in another terminal:
//! cargo run --example daily -- backfill flights 2013-01-01/2013-12-31 --limit 4
//! cargo run --example daily -- backfills show 1               # how far it is
//! cargo run --example daily -- events dag:busiest             # what its events have started
//! cargo run --example daily -- slots flights                  # what became of each slot
//! ```
//!
//! The data in the repository is that of January 2013. Days without data have no flights.

use std::fs::File;
use std::io::{BufReader, ErrorKind};

use flate2::bufread::GzDecoder;
use serde::{Deserialize, Serialize};
use taskflow::asset::Day;
use taskflow::prelude::*;

/// The flights of a day.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Counted {
    flights: u64,
    cancelled: u64,
}

/// The days with the most flights.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Busiest {
    days: usize,
    flights: u64,
    busiest: Vec<String>,
}

taskflow::asset! {
    /// The flights of a day.
    pub COUNTED: Asset<Counted, Day> = "flights/by_day";
}

/// Counts the flights of a day. Its value is an event of the asset, for the day of the run.
#[task(produces = COUNTED, blocking)]
fn count(data: &str, day: Date) -> Result<Counted> {
    let mut counted = Counted { flights: 0, cancelled: 0 };
    let month = format!("{data}/flights-{:04}-{:02}.csv.gz", day.year(), day.month());
    let file = match File::open(&month) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(counted),
        file => file?,
    };
    let mut rows = csv::Reader::from_reader(GzDecoder::new(BufReader::new(file)));
    let place = |name: &str, columns: &csv::StringRecord| {
        columns.iter().position(|column| column == name).ok_or_else(|| format!("{month} has no column `{name}`"))
    };
    let columns = rows.headers()?.clone();
    let (of_day, departure) = (place("day", &columns)?, place("dep_time", &columns)?);
    let wanted = day.day().to_string();
    let mut row = csv::ByteRecord::new();
    while rows.read_byte_record(&mut row)? {
        if &row[of_day] == wanted.as_bytes() {
            counted.flights += 1;
            counted.cancelled += u64::from(&row[departure] == b"NA");
        }
    }
    Ok(counted)
}

/// The days with the most flights among those that were counted since the last ranking.
#[task]
fn rank(counts: &Events<Counted, Day>) -> Busiest {
    let mut days: Vec<(u64, String)> = counts
        .iter()
        .map(|count| (count.flights, count.partition.to_string()))
        .filter(|(flights, _)| *flights > 0)
        .collect();
    days.sort_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(&other.1)));
    Busiest {
        days: counts.len(),
        flights: counts.values().map(|count| count.flights).sum(),
        busiest: days.into_iter().take(3).map(|(flights, day)| format!("{day}: {flights}")).collect(),
    }
}

/// The flights of each day.
#[dag(schedule = "0 6 * * *", timezone = "America/New_York")]
pub fn flights(
    #[param(default = "examples/data", help = "directory of the CSV files")] data: String,
    #[param(default = |run| run.day(), help = "the day")] day: Date,
) -> Counted {
    count(data, day)
}

/// Starts on the events of `flights`: one run for all days that were counted meanwhile.
#[dag]
pub fn busiest(#[event(COUNTED, max = 1000)] counts: Events<Counted, Day>) -> Busiest {
    rank(counts)
}

taskflow::main!();
