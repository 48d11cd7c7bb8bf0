//! Reads the CSV files, plain or gzipped. Every row is either used or reported.

use std::fmt::{self, Display};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use flate2::read::MultiGzDecoder;
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

/// The flights of a month (`2013-01`) or a year (`2013`), from the file of that month if there is
/// one.
pub fn flights(dir: &Path, month: &str) -> Result<Table<Flight>> {
    let flights = read(dir, &[&format!("flights-{month}"), "flights"], |row| {
        let date = Date::new(row.read("year")?, row.read("month")?, row.read("day")?);
        let date = date.ok_or("year, month, day: no such date")?;
        if !date.to_string().starts_with(month) {
            return Ok(None);
        }
        let delay = match (row.read_or_na("dep_time")?, row.read_or_na("dep_delay")?) {
            (None, None) => None,
            (Some(1..=2400), Some(delay @ -180..=2880)) => Some(delay),
            (Some(1..=2400), Some(delay)) => {
                return Err(format!("dep_delay: {delay} minutes is out of range"));
            }
            (Some(time), Some(_)) => return Err(format!("dep_time: {time} is not a time of day")),
            (Some(_), None) => return Err("dep_delay: NA, but the flight departed".into()),
            (None, Some(_)) => return Err("dep_time: NA, but the flight has a delay".into()),
        };
        Ok(Some(Flight {
            carrier: row.read("carrier")?,
            origin: row.read("origin")?,
            dest: row.read("dest")?,
            hour: row.read("time_hour")?,
            delay,
        }))
    })?;
    if flights.rows.is_empty() {
        let bad =
            flights.bad.first().map_or("none of them invalid".into(), |bad| format!("the first invalid one is {bad}"));
        return Err(format!("no flights of {month} among {} rows, {bad}", flights.read).into());
    }
    Ok(flights)
}

pub fn weather(dir: &Path) -> Result<Table<Weather>> {
    read(dir, &["weather"], |row| {
        let wind = row.read_or_na("wind_speed")?;
        if wind.is_some_and(|wind| !(0.0..=250.0).contains(&wind)) {
            return Err(format!("wind_speed: {} mph is out of range", row.text("wind_speed")?));
        }
        let rain = row.read_or_na("precip")?;
        Ok(Some(Weather { origin: row.read("origin")?, hour: row.read("time_hour")?, wind, rain }))
    })
}

pub fn names(dir: &Path, file: &str, code: &str) -> Result<Table<Name>> {
    read(dir, &[file], |row| Ok(Some(Name { code: row.read(code)?, name: row.read("name")? })))
}

/// Reads the first of the `files` that exists in `dir`. `keep` converts a row, skips it (`None`),
/// or returns what is wrong.
fn read<T>(dir: &Path, files: &[&str], keep: impl Fn(Row<'_>) -> Result<Option<T>, String>) -> Result<Table<T>> {
    let path = find(dir, files)?;
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let mut lines = (1..).zip(open(&path)?.split(b'\n')).map(|(number, line)| match line {
        Ok(line) => Ok((number, line)),
        Err(error) => Err(format!("{}:{number}: {error}", path.display())),
    });
    let (_, header) = lines.next().ok_or_else(|| format!("{}: empty", path.display()))??;
    let header = split(&header)?;

    let mut table = Table { rows: Vec::new(), bad: Vec::new(), read: 0 };
    for line in lines {
        let (number, line) = line?;
        if line.trim_ascii().is_empty() {
            continue;
        }
        table.read += 1;
        match split(&line).and_then(|columns| Row::new(&header, columns)).and_then(&keep) {
            Ok(row) => table.rows.extend(row),
            Err(reason) => table.bad.push(BadRow { file: file.to_string(), line: number, reason }),
        }
    }
    Ok(table)
}

/// These files quote nothing, so every comma separates columns and every newline separates rows.
fn split(line: &[u8]) -> Result<Vec<&str>, String> {
    let line = str::from_utf8(line).map_err(|error| error.to_string())?;
    Ok(line.trim_end().split(',').collect())
}

/// A row, with access to its columns by name.
struct Row<'a> {
    header: &'a [&'a str],
    columns: Vec<&'a str>,
}

impl<'a> Row<'a> {
    fn new(header: &'a [&'a str], columns: Vec<&'a str>) -> Result<Self, String> {
        if columns.len() != header.len() {
            return Err(format!("{} columns instead of {}", columns.len(), header.len()));
        }
        Ok(Row { header, columns })
    }

    fn text(&self, column: &str) -> Result<&'a str, String> {
        let index = self.header.iter().position(|name| *name == column);
        let text = index.map_or("", |index| self.columns[index]);
        if text.is_empty() { Err(format!("{column}: missing")) } else { Ok(text) }
    }

    fn read<T: FromStr<Err: Display>>(&self, column: &str) -> Result<T, String> {
        let text = self.text(column)?;
        text.parse().map_err(|error| format!("{column}: {error}: {text}"))
    }

    fn read_or_na<T: FromStr<Err: Display>>(&self, column: &str) -> Result<Option<T>, String> {
        if self.text(column)? == "NA" { Ok(None) } else { self.read(column).map(Some) }
    }
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

fn open(path: &Path) -> Result<Box<dyn BufRead>> {
    let file = BufReader::new(File::open(path).map_err(|error| format!("{}: {error}", path.display()))?);
    let gzipped = path.extension().is_some_and(|extension| extension == "gz");
    Ok(if gzipped { Box::new(BufReader::new(MultiGzDecoder::new(file))) } else { Box::new(file) })
}

impl Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.reason)
    }
}
