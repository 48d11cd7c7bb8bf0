//! Finds, checks and unpacks the CSV files.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use csv::{ByteRecord, Reader, ReaderBuilder, Writer, WriterBuilder};
use flate2::read::MultiGzDecoder;
use taskflow::Result;

use super::month::{Month, at};
use super::table::Table;

/// A CSV file, with the columns that the queries read.
struct Source {
    name: &'static str,
    /// Whether a file of the month, such as `flights-2013-01.csv`, is preferred to one of all
    /// months.
    has_months: bool,
    columns: &'static [&'static str],
}

const SOURCES: [Source; 4] = [
    Source {
        name: "flights",
        has_months: true,
        columns: &[
            "year",
            "month",
            "day",
            "carrier",
            "flight",
            "origin",
            "dest",
            "sched_dep_time",
            "dep_time",
            "dep_delay",
            "arr_delay",
            "distance",
            "time_hour",
        ],
    },
    Source {
        name: "weather",
        has_months: true,
        columns: &["origin", "year", "month", "time_hour", "wind_speed", "precip"],
    },
    Source { name: "airlines", has_months: false, columns: &["carrier", "name"] },
    Source { name: "airports", has_months: false, columns: &["faa", "name", "lat", "lon", "alt", "tzone"] },
];

/// Unpacks a file into the staging directory, because Spark cannot read parts of a gzipped file in
/// parallel. Checks the columns here, for a better message than that of a query.
pub fn unpack(name: &str, data: &str, month: &Month) -> Result<Table> {
    let source =
        SOURCES.iter().find(|source| source.name == name).ok_or_else(|| format!("there is no source {name}"))?;
    let path = find(source, Path::new(data), month)?;
    let mut rows = open(&path)?;
    let columns = columns(&mut rows, &path)?;
    check(source, &path, &columns)?;

    let unpacked = month.staging().join("csv").join(format!("{name}.csv"));
    fs::create_dir_all(unpacked.parent().unwrap_or(&unpacked)).map_err(|error| at(&unpacked, error))?;
    let file = File::create(&unpacked).map_err(|error| at(&unpacked, error))?;
    let mut written = WriterBuilder::new().flexible(true).from_writer(file);
    written.write_record(&columns).map_err(|error| at(&unpacked, error))?;
    let rows = copy(&mut rows, &path, &mut written, &unpacked)?;
    if rows == 0 {
        return Err(format!("{}: no rows after the header", path.display()).into());
    }
    Ok(Table { name: format!("{name}_csv"), path: unpacked, rows })
}

/// The names of the columns of a CSV file.
pub fn columns_of(path: &Path) -> Result<Vec<String>> {
    columns(&mut open(path)?, path)
}

/// The same, of rows that are read.
fn columns(rows: &mut Reader<impl Read>, path: &Path) -> Result<Vec<String>> {
    let header = rows.headers().map_err(|error| at(path, error))?;
    Ok(header.iter().map(str::to_owned).collect())
}

/// Copies row by row. Returns their number. A row of another length than the header is left to the
/// engines, which name the table that it is for.
fn copy(from: &mut Reader<impl Read>, path: &Path, to: &mut Writer<impl Write>, unpacked: &Path) -> Result<u64> {
    let (mut row, mut rows) = (ByteRecord::new(), 0);
    while from.read_byte_record(&mut row).map_err(|error| at(path, error))? {
        // Parts of a file are read in parallel, and begin at the ends of lines.
        if let Some(column) = row.iter().position(|value| value.contains(&b'\n') || value.contains(&b'\r')) {
            let line = row.position().map_or(0, csv::Position::line);
            let column = column + 1;
            return Err(format!(
                "{}: line {line}: the value of column {column} has a line break; replace it by a space",
                path.display()
            )
            .into());
        }
        to.write_byte_record(&row).map_err(|error| at(unpacked, error))?;
        rows += 1;
    }
    to.flush().map_err(|error| at(unpacked, error))?;
    Ok(rows)
}

fn find(source: &Source, data: &Path, month: &Month) -> Result<PathBuf> {
    let of_month = source.has_months.then(|| format!("{}-{}", source.name, month.name()));
    let names: Vec<String> = of_month.into_iter().chain([source.name.to_owned()]).collect();
    let files = names.iter().flat_map(|name| [format!("{name}.csv"), format!("{name}.csv.gz")]);
    if let Some(path) = files.map(|file| data.join(file)).find(|path| path.is_file()) {
        return Ok(path);
    }
    let mut found: Vec<String> = fs::read_dir(data)
        .map_err(|error| format!("{}; --data DIR selects the directory of the CSV files", at(data, error)))?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|file| file.starts_with(source.name))
        .collect();
    found.sort();
    let (found, wanted) = (found.join(", "), names.join(".csv[.gz] or "));
    let found = if found.is_empty() { "nothing similar".to_owned() } else { found };
    let day = if source.has_months { "--day DAY selects another month, " } else { "" };
    Err(format!("{}: no {wanted}.csv[.gz], found {found}; {day}--data DIR another directory", data.display()).into())
}

fn check(source: &Source, path: &Path, found: &[String]) -> Result<()> {
    let is_found = |column: &str| found.iter().any(|found| found == column);
    let missing: Vec<&str> = source.columns.iter().copied().filter(|column| !is_found(column)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{}: the header has no column {}; its columns are {}",
        path.display(),
        missing.join(", "),
        if found.is_empty() { "none: the file is empty".to_owned() } else { found.join(", ") }
    )
    .into())
}

fn open(path: &Path) -> Result<Reader<Box<dyn Read>>> {
    let file = File::open(path).map_err(|error| at(path, error))?;
    let is_gzipped = path.extension().is_some_and(|extension| extension == "gz");
    let bytes: Box<dyn Read> = if is_gzipped { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    Ok(ReaderBuilder::new().flexible(true).from_reader(bytes))
}

#[cfg(test)]
mod tests {
    use taskflow::Date;

    use super::*;

    /// Unpacks a file of airlines, and returns its rows as the engines read them.
    fn unpacked(airlines: &str) -> Result<(u64, String)> {
        let directory = tempfile::tempdir()?;
        fs::write(directory.path().join("airlines.csv"), airlines)?;
        let path = directory.path().to_str().ok_or("temporary paths are text")?;
        let month = Month::of("2013-01-31".parse::<Date>()?, path, "run")?;
        let Table { path, rows, .. } = unpack("airlines", path, &month)?;
        assert_eq!(columns_of(&path)?, ["carrier", "name"]);
        Ok((rows, fs::read_to_string(path)?))
    }

    #[test]
    fn a_quoted_comma_or_quote_splits_no_value() -> Result<()> {
        let quoted = "\"carrier\",\"name\"\r\n\"9E\",\"Endeavor, Inc.\"\r\n\r\nAA,\"The \"\"American\"\"\"";
        let expected = "carrier,name\n9E,\"Endeavor, Inc.\"\nAA,\"The \"\"American\"\"\"\n";
        assert_eq!(unpacked(quoted)?, (2, expected.to_owned()));
        Ok(())
    }

    #[test]
    fn a_line_break_in_a_value_is_refused_with_its_line() {
        let error = unpacked("carrier,name\nAA,American\n9E,\"Endeavor\nInc.\"\n").expect_err("it is two lines");
        let error = error.to_string();
        assert!(error.ends_with("airlines.csv: line 3: the value of column 2 has a line break; replace it by a space"));
    }

    #[test]
    fn a_short_row_is_left_to_the_engines() -> Result<()> {
        assert_eq!(unpacked("carrier,name\nAA\n")?, (1, "carrier,name\nAA\n".to_owned()));
        Ok(())
    }
}
