//! Compares the tables with figures that these tests count from the same files.

use std::collections::BTreeMap;
use std::path::Path;

use super::cells::Cells;
use super::common::{DATA, Warehouse, flights, succeeds};

/// A row of `daily_delays`.
#[derive(Default)]
struct Counted {
    flights: u32,
    cancelled: u32,
    arrived: u32,
    late: u32,
    delay_min: i64,
    wind: Option<f64>,
    rain: Option<f64>,
}

type Hours = BTreeMap<(String, String), (Option<f64>, Option<f64>)>;

/// The rows of a CSV file, with cells by column name.
fn rows(csv: &str) -> impl Iterator<Item = BTreeMap<&str, &str>> {
    let mut lines = csv.lines();
    let names: Vec<&str> = lines.next().expect("there is a header").split(',').collect();
    lines.map(move |line| names.iter().copied().zip(line.split(',')).collect())
}

/// Wind and rain by airport and hour.
fn weather() -> Hours {
    let csv = std::fs::read_to_string(Path::new(DATA).join("weather.csv")).expect("the data is there");
    let hour = |row: BTreeMap<&str, &str>| {
        let key = (row["origin"].to_owned(), row["time_hour"].to_owned());
        (key, (row["wind_speed"].parse().ok(), row["precip"].parse().ok()))
    };
    rows(&csv).map(hour).collect()
}

/// Figures by day and carrier.
fn counted(hours: &Hours) -> BTreeMap<(String, String), Counted> {
    let mut counted: BTreeMap<_, Counted> = BTreeMap::new();
    for row in rows(&flights()) {
        let date = format!("{}-{:0>2}-{:0>2}", row["year"], row["month"], row["day"]);
        let of = counted.entry((date, row["carrier"].to_owned())).or_default();
        of.flights += 1;
        of.cancelled += u32::from(row["dep_time"] == "NA");
        if let Ok(delay) = row["arr_delay"].parse::<i64>() {
            of.arrived += 1;
            of.late += u32::from(delay > 15);
            of.delay_min += delay;
        }
        let hour = (row["origin"].to_owned(), row["time_hour"].to_owned());
        let (wind, rain) = hours.get(&hour).copied().unwrap_or_default();
        of.wind = worse(of.wind, wind);
        of.rain = worse(of.rain, rain);
    }
    counted
}

fn worse(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    one.into_iter().chain(other).max_by(f64::total_cmp)
}

#[test]
fn the_tables_match_the_files() {
    let warehouse = Warehouse::new();
    let report = warehouse.load(Path::new(DATA));

    let hours = weather();
    let counted = counted(&hours);
    let delays = Cells::of(&warehouse.table("daily_delays"));
    let found: Vec<String> = delays.rows.iter().map(|row| [&row[..2], &row[3..]].concat().join(" ")).collect();
    let number = |number: Option<f64>| number.map_or_else(|| "null".to_owned(), |number| format!("{number:?}"));
    let expected: Vec<String> = counted
        .iter()
        .map(|((date, carrier), of)| {
            let Counted { flights, cancelled, arrived, late, delay_min, wind, rain } = of;
            let delay_min = if *arrived == 0 { "null".to_owned() } else { delay_min.to_string() };
            let (wind, rain) = (number(*wind), number(*rain));
            format!("{date} {carrier} {flights} {cancelled} {arrived} {late} {delay_min} {wind} {rain}")
        })
        .collect();
    assert_eq!(found, expected);

    // See examples/data/README.md.
    let facts = Cells::of(&warehouse.table("fact_flights"));
    assert_eq!(facts.rows.len(), 27_004);
    assert_eq!(facts.column("cancelled").filter(|cancelled| *cancelled == "true").count(), 521);
    let without_weather =
        rows(&flights()).filter(|row| !hours.contains_key(&(row["origin"].into(), row["time_hour"].into()))).count();
    assert_eq!(without_weather, 52);
    assert_eq!(Cells::of(&warehouse.table("dim_airline")).rows.len(), 16);
    assert_eq!(Cells::of(&warehouse.table("dim_airport")).rows.len(), 1_458);
    assert!(report.contains("airports that are not in dim_airport: 680 (SJU "), "{report}");

    let of_day = || counted.iter().filter(|((date, _), _)| date == "2013-01-15").map(|(_, of)| of);
    let (flights, cancelled): (u32, u32) = (of_day().map(|of| of.flights).sum(), of_day().map(|of| of.cancelled).sum());
    let first = format!("2013-01-15: {flights} flights were to leave New York, {cancelled} were cancelled\n");
    assert!(report.starts_with(&first), "{report}");
}

#[test]
fn the_default_day_is_the_start_of_the_data_interval() {
    let warehouse = Warehouse::new();
    let path = warehouse.path();
    let path = path.to_str().expect("temporary paths are UTF-8");
    // The last complete interval before midnight of 1 February is 31 January.
    let args = ["run", "--logical-date", "2013-02-01", "--data", DATA, "--warehouse", path];
    assert!(succeeds(&mut warehouse.program(&args)).starts_with("2013-01-31: "));
    let shown = succeeds(&mut warehouse.program(&["values", "last", "delays_of"]));
    assert!(shown.contains("flight_date") && shown.contains("2013-01-31"), "{shown}");
}
