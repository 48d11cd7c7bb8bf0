//! Departure delays from New York City: turns CSV files into a warehouse table and a report.
//!
//! ```sh
//! cargo run --example delays                                  # January 2013; a flight is late after 15 minutes
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

use input::{Flight, Name, Table, Weather, directory};
use summary::{Joined, Summary, rain, summarise, wind};
use taskflow::prelude::*;

/// Reads the flights of the month. Invalid rows are collected with their line numbers.
#[task(timeout = "10m", blocking)]
fn flights(data: &str, month: &str) -> Result<Table<Flight>> {
    input::flights(&directory(data), month)
}

/// Reads the hourly weather at the three airports.
#[task(blocking)]
fn weather(data: &str) -> Result<Table<Weather>> {
    input::weather(&directory(data))
}

/// Reads the names of airlines or airports.
#[task(blocking)]
fn names(data: &str, file: &str) -> Result<Table<Name>> {
    input::names(&directory(data), file)
}

/// Joins each flight with the weather of its hour, and counts flights without a match.
#[task]
fn join(flights: Table<Flight>, weather: &Table<Weather>, airlines: &Table<Name>, airports: &Table<Name>) -> Joined {
    summary::join(flights, weather, airlines, airports)
}

/// Late and cancelled flights by airline.
#[task]
fn by_carrier(joined: &Joined, airlines: &Table<Name>, late_after_min: u32) -> Summary {
    summarise("carrier", &joined.departures, late_after_min, &airlines.rows, |d| &d.carrier)
}

/// Late and cancelled flights by airport of departure.
#[task]
fn by_origin(joined: &Joined, airports: &Table<Name>, late_after_min: u32) -> Summary {
    summarise("origin", &joined.departures, late_after_min, &airports.rows, |d| &d.origin)
}

/// Late and cancelled flights by destination.
#[task]
fn by_destination(joined: &Joined, airports: &Table<Name>, late_after_min: u32) -> Summary {
    summarise("destination", &joined.departures, late_after_min, &airports.rows, |d| &d.dest)
}

/// Late and cancelled flights by the wind at departure.
#[task]
fn by_wind(joined: &Joined, late_after_min: u32) -> Summary {
    summarise("wind", &joined.departures, late_after_min, &[], wind)
}

/// Late and cancelled flights by the rain or snow at departure.
#[task]
fn by_rain(joined: &Joined, late_after_min: u32) -> Summary {
    summarise("rain", &joined.departures, late_after_min, &[], rain)
}

/// Replaces the month in the warehouse, so that a second run changes nothing.
#[task(retries = 3, retry_delay = "1s")]
async fn load(warehouse: &str, month: &str, joined: &Joined, summaries: Vec<Summary>) -> Result<usize> {
    warehouse::replace(Path::new(warehouse), month, joined, &summaries).await
}

/// Writes the figures as tables with bars.
#[task]
fn report(month: &str, late_after_min: u32, joined: &Joined, summaries: Vec<Summary>, loaded: usize) -> Result<String> {
    let report = text::report(month, late_after_min, joined, summaries)?;
    Ok(format!("{report}rows loaded into the warehouse: {loaded}"))
}

/// Delays of flights from New York by carrier, airport, destination and weather.
#[dag(schedule = "0 6 * * *", timezone = "America/New_York", tags = ["etl"])]
pub fn delays(
    #[param(default = "examples/data", help = "directory of the CSV files, plain or gzipped")] data: String,
    #[param(default = "2013-01", pattern = r"^\d{4}(-\d{2})?$", help = "a month, or a whole year")] month: String,
    #[param(default = 15, range = 0..=600, help = "a flight is late after this many minutes")] late_after_min: u32,
    #[param(default = "target/warehouse.db", help = "SQLite file of the results")] warehouse: String,
) -> String {
    let flights = flights(data, month);
    let airlines = names(data, "airlines").id("airlines");
    let airports = names(data, "airports").id("airports");
    let joined = join(flights, weather(data), airlines, airports);

    let summaries = [
        by_carrier(joined, airlines, late_after_min),
        by_origin(joined, airports, late_after_min),
        by_destination(joined, airports, late_after_min),
        by_wind(joined, late_after_min),
        by_rain(joined, late_after_min),
    ];
    let loaded = load(warehouse, month, joined, summaries);
    report(month, late_after_min, joined, summaries, loaded)
}

taskflow::main!();
