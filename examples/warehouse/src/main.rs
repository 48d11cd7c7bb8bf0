//! A warehouse of flights: loads CSV files into tables of Parquet files, with DataFusion in this
//! process or Spark on a cluster.
//!
//! From the root of the repository:
//!
//! ```sh
//! cargo run --manifest-path examples/warehouse/Cargo.toml -- run --day 2013-01-31
//! cargo run --manifest-path examples/warehouse/Cargo.toml -- values last daily_report
//! cargo run --manifest-path examples/warehouse/Cargo.toml -- show
//! pip install pyspark
//! cargo run --manifest-path examples/warehouse/Cargo.toml -- run --day 2013-01-31 --engine spark
//! cargo run --manifest-path examples/warehouse/Cargo.toml -- run --day 2013-01-31 --engine spark --master spark://host:7077
//! cargo run --manifest-path examples/warehouse/Cargo.toml -- run --data DIR --day 2013-07-04   # see examples/data/README.md
//! ```
//!
//! A run loads the month of a day: `--day`, or else the start of its data interval. It follows the
//! pattern write, audit, publish: it writes all tables to a staging directory, audits them, and
//! then replaces the published ones. A load can therefore be repeated, and one that fails or is
//! killed changes nothing.
//!
//! The directory `sql/` has one query for each table. Both engines run the same queries. A table is
//! a directory of Parquet files. Tables that grow have a partition for each month, such as
//! `fact_flights/month=2013-01`.

#![allow(unreachable_pub, reason = "the modules of a program, not of a library")]

mod embedded;
mod month;
mod on_spark;
mod report;
mod source;
mod table;

use datafusion::arrow::datatypes::DataType;
use datafusion::prelude::{cast, col, lit};
use month::Month;
use serde::{Deserialize, Serialize};
use table::Table;
use taskflow::arrow::Frame;
use taskflow::prelude::*;

/// The engine that runs the queries.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Engine {
    Embedded,
    Spark,
}

/// Determines the month to load, and its directories.
#[task]
fn begin(ctx: &TaskContext, day: Date, warehouse: &str) -> Result<Month> {
    Month::of(day, warehouse, ctx.run_id())
}

/// Finds a CSV file, plain or gzipped, checks its columns and unpacks it.
#[task(blocking)]
fn unpack(file: &str, data: &str, month: &Month) -> Result<Table> {
    source::unpack(file, data, month)
}

/// Runs the query of a table in this process.
#[task(timeout = "30m")]
async fn load(table: &str, from: &[Table], month: &Month) -> Result<Table> {
    embedded::load(table::definition(table)?, from, month).await
}

/// Collects the tables that were loaded separately.
#[task]
fn loaded(tables: Vec<Table>) -> Vec<Table> {
    tables
}

/// Runs the queries of all tables on a cluster.
#[task(deferrable)]
async fn load_on_spark(
    ctx: &TaskContext,
    files: &[Table],
    month: &Month,
    master: Option<String>,
) -> Result<Vec<Table>> {
    on_spark::load(ctx, files, month, master.as_deref()).await
}

/// Compares the rows of files and tables. Nothing is published if they differ.
#[task]
async fn audit(ctx: &TaskContext, files: &[Table], tables: &[Table], month: &Month) -> Result<Frame> {
    if tables.iter().any(|table| table.name == "raw_flights" && table.rows == 0) {
        let file = files.iter().find(|file| file.name == "flights_csv").map_or(0, |file| file.rows);
        return Err(ctx.fail(format!(
            "no flights of {} among the {file} in the file; --day DAY selects another month",
            month.name()
        )))?;
    }
    let session = embedded::session(&[files, tables].concat(), month).await?;
    let compared = session.sql(include_str!("../sql/audit.sql")).await?;
    let different = compared.clone().filter(col("found").not_eq(col("expected")))?.collect().await?;
    let different = Frame::try_from(different)?;
    if different.num_rows() > 0 {
        return Err(
            ctx.fail(format!("the tables of {} fail the audit and are not published:\n{different}", month.name()))
        )?;
    }
    Ok(compared.collect().await?.try_into()?)
}

/// Moves the tables from the staging directory to their final locations.
#[task(blocking)]
fn publish(tables: &[Table], month: &Month) -> Result<Vec<Table>> {
    let published = tables.iter().map(|table| table::publish(table, month)).collect::<Result<_>>()?;
    month.clean()?;
    Ok(published)
}

/// The delays of one day by airline.
#[task]
async fn delays_of(day: Date, tables: &[Table], month: &Month) -> Result<Frame> {
    let delays = embedded::session(tables, month).await?.table("daily_delays").await?;
    let day = cast(lit(day.to_string()), DataType::Date32);
    Ok(delays.filter(col("flight_date").eq(day))?.sort_by(vec![col("carrier")])?.collect().await?.try_into()?)
}

/// Destinations that are missing from `dim_airport`.
#[task]
async fn unmatched_airports(tables: &[Table], month: &Month) -> Result<Frame> {
    let session = embedded::session(tables, month).await?;
    let unmatched = session.sql(include_str!("../sql/unmatched_airports.sql")).await?;
    Ok(unmatched.collect().await?.try_into()?)
}

/// Writes the figures of the day as a table.
#[task]
fn daily_report(day: Date, delays: &Frame, unmatched: &Frame) -> Result<String> {
    report::report(day, delays, unmatched)
}

/// Loads the flights of a month and their delays into tables, and reports one day.
#[dag(schedule = "@daily", max_active_runs = 1, tags = ["etl"])]
fn warehouse(
    #[param(default = |run| run.data_interval().start_date(), help = "a day of the month to load")] day: Date,
    #[param(default = "embedded", choices = ["embedded", "spark"], help = "the engine that runs the queries")]
    engine: Engine,
    #[param(default = None, help = "the Spark master; by default that of the connection spark_default, or local[2]")]
    master: Option<String>,
    #[param(default = "examples/data", help = "directory of the CSV files, plain or gzipped")] data: String,
    #[param(default = "target/warehouse", help = "directory of the tables")] warehouse: String,
) -> String {
    let month = begin(day, warehouse);
    let files =
        ["flights", "weather", "airlines", "airports"].map(|file| unpack(file, data, month).id(format!("{file}_csv")));
    let [flights_csv, weather_csv, airlines_csv, airports_csv] = files;

    let tables = branch!(engine => {
        Engine::Embedded => {
            let table = |name: &str, from: &[Output<Table>]| load(name, from.to_vec(), month).id(name);
            let raw_flights = table("raw_flights", &[flights_csv]);
            let raw_weather = table("raw_weather", &[weather_csv]);
            let dim_airline = table("dim_airline", &[airlines_csv]);
            let dim_airport = table("dim_airport", &[airports_csv]);
            let fact_flights = table("fact_flights", &[raw_flights, raw_weather]);
            let daily_delays = table("daily_delays", &[fact_flights, dim_airline]);
            loaded([raw_flights, raw_weather, dim_airline, dim_airport, fact_flights, daily_delays])
        }
        Engine::Spark => load_on_spark(files, month, master),
    });
    let published = publish(tables, month).after(audit(files, tables, month));
    daily_report(day, delays_of(day, published, month), unmatched_airports(published, month))
}

taskflow::main!();
