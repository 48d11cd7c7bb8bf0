//! Reads the CSV files, plain or gzipped. Every row is either used or reported.

use std::fmt::{self, Display};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use csv::{ErrorKind, ReaderBuilder, StringRecord, Terminator, Trim};
use flate2::read::MultiGzDecoder;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use taskflow::prelude::*;

/// The content of one file: the selected rows, the invalid ones, and the number of all rows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Table<T> {
    pub rows: Vec<T>,
    pub bad: Vec<BadRow>,
    pub read: usize,
}

/// An invalid row, and the reason.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BadRow {
    pub file: String,
    pub line: u64,
    pub reason: String,
}

/// A scheduled departure. `delay` is `None` for a cancelled flight.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Flight {
    pub carrier: String,
    pub origin: String,
    pub dest: String,
    pub hour: Timestamp,
    pub delay: Option<i32>,
}

/// The weather of one hour at one airport: wind in miles per hour, rain and snow in inches.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Weather {
    pub origin: String,
    pub hour: Timestamp,
    pub wind: Option<f64>,
    pub rain: Option<f64>,
}

/// The name of an airline or airport.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Name {
    pub code: String,
    pub name: String,
}

/// A row of the flights. The text of `time_hour`, and of what may be `NA`, is parsed later, for
/// errors that name the column.
#[derive(Debug, Deserialize)]
struct FlightRow {
    year: i16,
    month: i8,
    day: i8,
    dep_time: String,
    dep_delay: String,
    carrier: String,
    origin: String,
    dest: String,
    time_hour: String,
}

/// A row of the weather.
#[derive(Debug, Deserialize)]
struct WeatherRow {
    origin: String,
    wind_speed: String,
    precip: String,
    time_hour: String,
}

/// A row of the airlines or airports.
#[derive(Debug, Deserialize)]
struct NameRow {
    #[serde(alias = "carrier", alias = "faa")]
    code: String,
    name: String,
}

/// The flights of a month (`2013-01`) or a year (`2013`), from the file of that month if there is
/// one.
pub fn flights(dir: &Path, month: &str) -> Result<Table<Flight>> {
    let flights = read(dir, &[&format!("flights-{month}"), "flights"], |row: FlightRow| {
        let date = Date::new(row.year, row.month, row.day).ok_or("year, month, day: no such date")?;
        if !date.to_string().starts_with(month) {
            return Ok(None);
        }
        let delay = match (parse_or_na("dep_time", &row.dep_time)?, parse_or_na("dep_delay", &row.dep_delay)?) {
            (None, None) => None,
            (Some(1..=2400), Some(delay @ -180..=2880)) => Some(delay),
            (Some(1..=2400), Some(delay)) => {
                return Err(format!("dep_delay: {delay} minutes is out of range"));
            }
            (Some(time), Some(_)) => return Err(format!("dep_time: {time} is not a time of day")),
            (Some(_), None) => return Err("dep_delay: NA, but the flight departed".into()),
            (None, Some(_)) => return Err("dep_time: NA, but the flight has a delay".into()),
        };
        let hour = parse("time_hour", &row.time_hour)?;
        Ok(Some(Flight { carrier: row.carrier, origin: row.origin, dest: row.dest, hour, delay }))
    })?;
    if flights.rows.is_empty() {
        let bad =
            flights.bad.first().map_or("none of them invalid".into(), |bad| format!("the first invalid one is {bad}"));
        return Err(format!("no flights of {month} among {} rows, {bad}", flights.read).into());
    }
    Ok(flights)
}

pub fn weather(dir: &Path) -> Result<Table<Weather>> {
    read(dir, &["weather"], |row: WeatherRow| {
        let wind = parse_or_na("wind_speed", &row.wind_speed)?;
        if wind.is_some_and(|wind| !(0.0..=250.0).contains(&wind)) {
            return Err(format!("wind_speed: {} mph is out of range", row.wind_speed));
        }
        let rain = parse_or_na("precip", &row.precip)?;
        Ok(Some(Weather { origin: row.origin, hour: parse("time_hour", &row.time_hour)?, wind, rain }))
    })
}

pub fn names(dir: &Path, file: &str) -> Result<Table<Name>> {
    read(dir, &[file], |row: NameRow| Ok(Some(Name { code: row.code, name: row.name })))
}

/// Reads the first of the `files` that exists in `dir`. `keep` converts a row, skips it (`None`),
/// or returns what is wrong.
fn read<R: DeserializeOwned, T>(
    dir: &Path,
    files: &[&str],
    keep: impl Fn(R) -> Result<Option<T>, String>,
) -> Result<Table<T>> {
    let path = find(dir, files)?;
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    // These files quote nothing, so a row is a line, and a stray quote is part of its cell. With a
    // newline after the last row, the reader has always passed one more line than it has read.
    let mut reader = ReaderBuilder::new()
        .quoting(false)
        .flexible(true)
        .terminator(Terminator::Any(b'\n'))
        .trim(Trim::All)
        .from_reader(open(&path)?.chain(&b"\n"[..]));
    let header = reader.headers().map_err(|error| format!("{}: {error}", path.display()))?.clone();
    if header.is_empty() {
        return Err(format!("{}: empty", path.display()).into());
    }

    let mut table = Table { rows: Vec::new(), bad: Vec::new(), read: 0 };
    let mut record = StringRecord::new();
    loop {
        let row = match reader.read_record(&mut record) {
            Ok(false) => return Ok(table),
            Ok(true) if record.iter().eq([""]) => continue, // a line of spaces
            Ok(true) => row(&record, &header).and_then(&keep),
            Err(error) if error.is_io_error() => return Err(format!("{}: {error}", path.display()).into()),
            Err(error) => Err(reason(&error, &header)),
        };
        table.read += 1;
        match row {
            Ok(row) => table.rows.extend(row),
            Err(reason) => {
                table.bad.push(BadRow { file: file.to_string(), line: reader.position().line() - 1, reason });
            }
        }
    }
}

fn row<R: DeserializeOwned>(record: &StringRecord, header: &StringRecord) -> Result<R, String> {
    if record.len() != header.len() {
        return Err(format!("{} columns instead of {}", record.len(), header.len()));
    }
    // A missing value is `NA`, never empty.
    if let Some(column) = record.iter().position(str::is_empty) {
        return Err(format!("{}: missing", &header[column]));
    }
    record.deserialize(Some(header)).map_err(|error| reason(&error, header))
}

/// What is wrong with a row, with the name of the column instead of its number.
fn reason(error: &csv::Error, header: &StringRecord) -> String {
    let (column, reason) = match error.kind() {
        ErrorKind::Utf8 { err, .. } => (Some(err.field()), format!("invalid UTF-8 from byte {}", err.valid_up_to())),
        ErrorKind::Deserialize { err, .. } => (err.field().map(|field| field as usize), err.kind().to_string()),
        _ => (None, error.to_string()),
    };
    match column.and_then(|column| header.get(column)) {
        Some(column) => format!("{column}: {reason}"),
        None => reason,
    }
}

fn parse<T: FromStr<Err: Display>>(column: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("{column}: {error}: {text}"))
}

fn parse_or_na<T: FromStr<Err: Display>>(column: &str, text: &str) -> Result<Option<T>, String> {
    if text == "NA" { Ok(None) } else { parse(column, text).map(Some) }
}

/// The directory of that name, relative to the working directory or else to the repository of this
/// example.
pub fn directory(name: &str) -> PathBuf {
    let here = PathBuf::from(name);
    if here.is_dir() { here } else { Path::new(env!("CARGO_MANIFEST_DIR")).join(here) }
}

fn find(dir: &Path, files: &[&str]) -> Result<PathBuf> {
    let names = files.iter().flat_map(|file| [format!("{file}.csv"), format!("{file}.csv.gz")]);
    let found = names.map(|name| dir.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| format!("{}: no {}.csv[.gz]", dir.display(), files.join(".csv[.gz] or ")).into())
}

fn open(path: &Path) -> Result<Box<dyn Read>> {
    let file = BufReader::new(File::open(path).map_err(|error| format!("{}: {error}", path.display()))?);
    let gzipped = path.extension().is_some_and(|extension| extension == "gz");
    Ok(if gzipped { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) })
}

impl Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.reason)
    }
}
