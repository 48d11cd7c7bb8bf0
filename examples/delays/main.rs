//! Departure delays from New York City: CSV files in, a warehouse table and a report out.
//!
//! ```sh
//! cargo run --example delays                                  # January 2013, late is more than 15 minutes
//! cargo run --example delays -- run --late-after-min 60
//! cargo run --example delays -- run --data DIR --month 2013   # a whole year, see examples/data/README.md
//! cargo run --example delays -- show
//! ```

#![allow(unreachable_pub, reason = "the modules of a program, not of a library")]

mod input;

mod summary;
mod text;
mod warehouse;

use std::path::Path;

use input::{Flight, Name, Table, Weather};
use summary::{Joined, Summary, rain, summarise, wind};
use taskflow::prelude::*;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data");
const WAREHOUSE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/warehouse.db");

/// Reads the flights of the month; a row that makes no sense is kept aside with its line number.
#[task(retries = 2, retry_delay = "5s", timeout = "10m", blocking)]
fn flights(data: &str, month: &str) -> Result<Table<Flight>> {
    input::flights(Path::new(data), month)
}

/// Reads the hourly weather at the three airports.
#[task(retries = 2, retry_delay = "5s", blocking)]
fn weather(data: &str) -> Result<Table<Weather>> {
    input::weather(Path::new(data))
}

/// Reads the names of airlines or airports.
#[task(retries = 2, retry_delay = "5s", blocking)]
fn names(data: &str, file: &str, code: &str) -> Result<Table<Name>> {
    input::names(Path::new(data), file, code)
}

/// Gives each flight the weather of its hour, and counts what has no match.
#[task]
fn join(flights: Table<Flight>, weather: &Table<Weather>, airlines: &Table<Name>, airports: &Table<Name>) -> Joined {
    summary::join(flights, weather, airlines, airports)
}

#[task]
fn by_carrier(joined: &Joined, airlines: &Table<Name>, late_after_min: u32) -> Summary {
    summarise("carrier", &joined.departures, late_after_min, &airlines.rows, |d| &d.carrier)
}

#[task]
fn by_origin(joined: &Joined, airports: &Table<Name>, late_after_min: u32) -> Summary {
    summarise("origin", &joined.departures, late_after_min, &airports.rows, |d| &d.origin)
}

#[task]
fn by_destination(joined: &Joined, airports: &Table<Name>, late_after_min: u32) -> Summary {
    summarise("destination", &joined.departures, late_after_min, &airports.rows, |d| &d.dest)
}

#[task]
fn by_wind(joined: &Joined, late_after_min: u32) -> Summary {
    summarise("wind", &joined.departures, late_after_min, &[], wind)
}

#[task]
fn by_rain(joined: &Joined, late_after_min: u32) -> Summary {
    summarise("rain", &joined.departures, late_after_min, &[], rain)
}

/// Replaces the month in the warehouse, so that running twice changes nothing.
#[task(retries = 3, retry_delay = "1s")]
async fn load(warehouse: &str, month: &str, joined: &Joined, summaries: Vec<Summary>) -> Result<usize> {
    warehouse::replace(Path::new(warehouse), month, joined, &summaries).await
}

#[task]
fn report(month: &str, late_after_min: u32, joined: &Joined, summaries: Vec<Summary>, loaded: usize) -> Result<String> {
    let report = text::report(month, late_after_min, joined, &summaries)?;
    Ok(format!("{report}rows in the warehouse: {loaded}"))
}

#[allow(dead_code)]
pub async fn run_plain(data: &str, month: &str, late: u32, warehouse: &str) -> Result<String> {
    let f = flights(data, month)?;
    let w = weather(data)?;
    let al = names(data, "airlines", "carrier")?;
    let ap = names(data, "airports", "faa")?;
    let j = join(f, &w, &al, &ap);
    let s = vec![
        by_carrier(&j, &al, late),
        by_origin(&j, &ap, late),
        by_destination(&j, &ap, late),
        by_wind(&j, late),
        by_rain(&j, late),
    ];
    let n = load(warehouse, month, &j, s.clone()).await?;
    report(month, late, &j, s, n)
}
#[tokio::main(flavor = "current_thread")]
#[allow(dead_code)]
async fn main() -> Result<()> {
    let a: Vec<String> = std::env::args().collect();
    println!("{}", run_plain(&a[1], &a[2], 15, WAREHOUSE).await?);
    Ok(())
}
