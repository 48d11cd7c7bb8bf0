//! Finds, checks and unpacks the CSV files.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

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
    let mut lines = open(&path)?;
    let mut header = String::new();
    lines.read_line(&mut header).map_err(|error| at(&path, error))?;
    check(source, &path, &header)?;

    let unpacked = month.staging().join("csv").join(format!("{name}.csv"));
    fs::create_dir_all(unpacked.parent().unwrap_or(&unpacked)).map_err(|error| at(&unpacked, error))?;
    let mut file = BufWriter::new(File::create(&unpacked).map_err(|error| at(&unpacked, error))?);
    file.write_all(header.as_bytes())?;
    let rows = copy(&mut lines, &path, &mut file, &unpacked)?;
    if rows == 0 {
        return Err(format!("{}: no rows after the header", path.display()).into());
    }
    Ok(Table { name: format!("{name}_csv"), path: unpacked, rows })
}

/// Copies line by line. Returns the number of lines that are not blank.
fn copy(from: &mut dyn BufRead, path: &Path, to: &mut dyn Write, unpacked: &Path) -> Result<u64> {
    let (mut line, mut rows) = (Vec::new(), 0);
    while from.read_until(b'\n', &mut line).map_err(|error| at(path, error))? > 0 {
        rows += u64::from(!line.trim_ascii().is_empty());
        to.write_all(&line).map_err(|error| at(unpacked, error))?;
        line.clear();
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

fn check(source: &Source, path: &Path, header: &str) -> Result<()> {
    let found: Vec<&str> = header.trim_end().split(',').collect();
    let missing: Vec<&str> = source.columns.iter().copied().filter(|column| !found.contains(column)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{}: the header has no column {}; its columns are {}",
        path.display(),
        missing.join(", "),
        if header.trim().is_empty() { "none: the file is empty".to_owned() } else { found.join(", ") }
    )
    .into())
}

fn open(path: &Path) -> Result<Box<dyn BufRead>> {
    let file = BufReader::new(File::open(path).map_err(|error| at(path, error))?);
    let is_gzipped = path.extension().is_some_and(|extension| extension == "gz");
    Ok(if is_gzipped { Box::new(BufReader::new(MultiGzDecoder::new(file))) } else { Box::new(file) })
}
