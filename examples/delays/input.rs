//! Reading the CSV files, plain or gzipped, without losing a row.

use std::fmt::Display;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use flate2::read::MultiGzDecoder;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};

use super::Result;

/// What one file gave: the rows that were asked for, the bad ones, and how many there were in all.
#[derive(Debug, Serialize, Deserialize)]
pub struct Table<T> {
    pub rows: Vec<T>,
    pub bad: Vec<BadRow>,
    pub read: usize,
}

/// A row that could not be used, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadRow {
    pub file: String,
    pub line: u64,
    pub reason: String,
}

/// A scheduled departure. A cancelled flight has no delay.
#[derive(Debug, Serialize, Deserialize)]
pub struct Flight {
    pub carrier: String,
    pub origin: String,
    pub dest: String,
    pub hour: Timestamp,
    pub delay: Option<i32>,
}

/// The weather of one hour at one airport: wind in miles an hour, rain and snow in inches.
#[derive(Debug, Serialize, Deserialize)]
pub struct Weather {
    pub origin: String,
    pub hour: Timestamp,
    pub wind: Option<f64>,
    pub rain: Option<f64>,
}

/// The name of an airline or airport.
#[derive(Debug, Serialize, Deserialize)]
pub struct Name {
    #[serde(alias = "carrier", alias = "faa")]
    pub code: String,
    pub name: String,
}

#[derive(Deserialize)]
struct FlightRow {
    year: i16,
    month: i8,
    day: i8,
    #[serde(deserialize_with = "na")]
    dep_time: Option<u16>,
    #[serde(deserialize_with = "na")]
    dep_delay: Option<i32>,
    carrier: String,
    origin: String,
    dest: String,
    time_hour: Timestamp,
}

#[derive(Deserialize)]
struct WeatherRow {
    origin: String,
    time_hour: Timestamp,
    #[serde(deserialize_with = "na")]
    wind_speed: Option<f64>,
    #[serde(deserialize_with = "na")]
    precip: Option<f64>,
}

/// The flights of a month (`2013-01`) or a year (`2013`), from that month's own file if there is one.
pub fn flights(dir: &Path, month: &str) -> Result<Table<Flight>> {
    let table = read(dir, &[&format!("flights-{month}"), "flights"], |row: FlightRow| {
        let date = Date::new(row.year, row.month, row.day).map_err(|e| e.to_string())?;
        if !date.to_string().starts_with(month) {
            return Ok(None);
        }
        let delay = match (row.dep_time, row.dep_delay) {
            (None, None) => None,
            (Some(1..=2400), Some(delay @ -180..=2880)) => Some(delay),
            (Some(1..=2400), Some(delay)) => return Err(format!("dep_delay: {delay} minutes cannot be")),
            (Some(time), Some(_)) => return Err(format!("dep_time: {time} is no time of day")),
            (Some(_), None) => return Err("dep_delay: NA, but the flight departed".into()),
            (None, Some(_)) => return Err("dep_time: NA, but the flight has a delay".into()),
        };
        let FlightRow { carrier, origin, dest, time_hour: hour, .. } = row;
        Ok(Some(Flight { carrier, origin, dest, hour, delay }))
    })?;
    if table.rows.is_empty() {
        let bad = table.bad.first().map_or("none bad".into(), |b| format!("the first bad one: {b}"));
        return Err(format!("no flights of {month} among {} rows, {bad}", table.read).into());
    }
    Ok(table)
}

pub fn weather(dir: &Path) -> Result<Table<Weather>> {
    read(dir, &["weather"], |row: WeatherRow| {
        let WeatherRow { origin, time_hour: hour, wind_speed: wind, precip: rain } = row;
        match wind {
            Some(wind) if !(0.0..=250.0).contains(&wind) => Err(format!("wind_speed: {wind} mph cannot be")),
            _ => Ok(Some(Weather { origin, hour, wind, rain })),
        }
    })
}

pub fn names(dir: &Path, file: &str) -> Result<Table<Name>> {
    read(dir, &[file], |name: Name| Ok(Some(name)))
}

/// Reads the first of the `files` that is in `dir`; `keep` takes a row, leaves it out (`None`), or says what is wrong.
fn read<R: DeserializeOwned, T>(
    dir: &Path,
    files: &[&str],
    keep: impl Fn(R) -> Result<Option<T>, String>,
) -> Result<Table<T>> {
    let path = find(dir, files)?;
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    // These files quote nothing, so a stray quote must not swallow the lines after it.
    let mut reader = csv::ReaderBuilder::new().quoting(false).from_reader(open(&path)?);
    let header = reader.headers()?.clone();

    let mut table = Table { rows: Vec::new(), bad: Vec::new(), read: 0 };
    let mut record = csv::StringRecord::new();
    loop {
        let line = reader.position().line();
        let row = match reader.read_record(&mut record) {
            Ok(false) => return Ok(table),
            Ok(true) => record.deserialize(Some(&header)).map_err(|e| reason(&e, &header)),
            Err(e) if e.is_io_error() => return Err(format!("{}:{line}: {e}", path.display()).into()),
            Err(e) => Err(reason(&e, &header)),
        };
        table.read += 1;
        match row.and_then(&keep) {
            Ok(row) => table.rows.extend(row),
            Err(reason) => table.bad.push(BadRow { file: file.to_string(), line, reason }),
        }
    }
}

fn find(dir: &Path, files: &[&str]) -> Result<PathBuf> {
    let names = files.iter().flat_map(|file| [format!("{file}.csv"), format!("{file}.csv.gz")]);
    let mut tried = names.map(|name| dir.join(name));
    tried.find(|path| path.is_file()).ok_or_else(|| format!("{}: no {}.csv[.gz]", dir.display(), files.join(".csv[.gz] or ")).into())
}

fn open(path: &Path) -> Result<Box<dyn Read>> {
    let file = File::open(path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(match path.extension() {
        Some(gz) if gz == "gz" => Box::new(MultiGzDecoder::new(BufReader::new(file))),
        _ => Box::new(file),
    })
}

/// Says what is wrong with a row, naming the column.
fn reason(error: &csv::Error, header: &csv::StringRecord) -> String {
    match error.kind() {
        csv::ErrorKind::Deserialize { err, .. } => match err.field().and_then(|i| header.get(i as usize)) {
            Some(column) => format!("{column}: {}", err.kind()),
            None => err.kind().to_string(),
        },
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => format!("{len} columns instead of {expected_len}"),
        csv::ErrorKind::Utf8 { err, .. } => format!("column {}: not UTF-8", err.field() + 1),
        _ => error.to_string(),
    }
}

/// A number, or `NA` where there is none.
fn na<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(column: D) -> Result<Option<T>, D::Error> {
    match String::deserialize(column)?.as_str() {
        "NA" => Ok(None),
        number => number.parse().map(Some).map_err(D::Error::custom),
    }
}

impl Display for BadRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.reason)
    }
}
