//! The tables of the warehouse: their queries, and how a new version replaces the old one.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use taskflow::Result;

use super::month::{Month, at};

/// A file, or a directory of Parquet files, with its name in queries.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Table {
    pub name: String,
    pub path: PathBuf,
    pub rows: u64,
}

/// A table of the warehouse, defined by a query.
#[derive(Debug)]
pub struct Definition {
    pub name: &'static str,
    pub sql: &'static str,
    /// Whether the table has a partition for each month. A load replaces one partition, or the
    /// whole table.
    pub by_month: bool,
}

/// In load order: a query reads the files and earlier tables.
pub const TABLES: [Definition; 6] = [
    Definition { name: "raw_flights", sql: include_str!("../sql/raw_flights.sql"), by_month: true },
    Definition { name: "raw_weather", sql: include_str!("../sql/raw_weather.sql"), by_month: true },
    Definition { name: "dim_airline", sql: include_str!("../sql/dim_airline.sql"), by_month: false },
    Definition { name: "dim_airport", sql: include_str!("../sql/dim_airport.sql"), by_month: false },
    Definition { name: "fact_flights", sql: include_str!("../sql/fact_flights.sql"), by_month: true },
    Definition { name: "daily_delays", sql: include_str!("../sql/daily_delays.sql"), by_month: true },
];

/// The table of that name.
pub fn definition(name: &str) -> Result<&'static Definition> {
    Ok(TABLES.iter().find(|table| table.name == name).ok_or_else(|| format!("there is no table {name}"))?)
}

/// Replaces the published version of a table by the staged one. Continues after an interruption,
/// and does nothing if it is done.
///
/// A reader may briefly find no partition, but never a partial one. Table formats with a version
/// log (Iceberg, Delta) avoid that moment.
pub fn publish(staged: &Table, month: &Month) -> Result<Table> {
    let target = month.published(&staged.name, definition(&staged.name)?.by_month);
    if staged.path.exists() {
        if target.exists() {
            let replaced = month.staging().join("replaced").join(&staged.name);
            // Left by an attempt that was interrupted before it moved the new version.
            if replaced.exists() {
                fs::remove_dir_all(&replaced).map_err(|error| at(&replaced, error))?;
            }
            rename(&target, &replaced)?;
        }
        rename(&staged.path, &target)?;
    } else if !target.exists() {
        return Err(format!(
            "{} is neither staged nor published; run the DAG again (a load can be repeated)",
            staged.name
        )
        .into());
    }
    Ok(Table { path: target, ..staged.clone() })
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).map_err(|error| at(parent, error))?;
    }
    Ok(fs::rename(from, to).map_err(|error| at(to, error))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A month with a published and a staged version of a table.
    fn with_two_versions() -> (tempfile::TempDir, Month, Table) {
        let folder = tempfile::tempdir().unwrap();
        let day = taskflow::Date::new(2013, 1, 31).unwrap();
        let month = Month::of(day, folder.path().to_str().unwrap(), "run").unwrap();
        let staged = month.staging().join("fact_flights");
        for (dir, version) in [(&month.published("fact_flights", true), "old"), (&staged, "new")] {
            fs::create_dir_all(dir).unwrap();
            fs::write(dir.join("part-0.parquet"), version).unwrap();
        }
        (folder, month, Table { name: "fact_flights".to_owned(), path: staged, rows: 1 })
    }

    fn published(month: &Month) -> String {
        fs::read_to_string(month.published("fact_flights", true).join("part-0.parquet")).unwrap()
    }

    #[test]
    fn a_staged_table_replaces_the_published_one_once() {
        let (_folder, month, staged) = with_two_versions();
        for _ in 0..2 {
            let table = publish(&staged, &month).unwrap();
            assert_eq!(table.path, month.published("fact_flights", true));
            assert_eq!(published(&month), "new");
        }
    }

    #[test]
    fn publishing_continues_after_a_crash() {
        let (_folder, month, staged) = with_two_versions();
        // The old version has been moved, and the new one has not.
        rename(&month.published("fact_flights", true), &month.staging().join("replaced/fact_flights")).unwrap();
        publish(&staged, &month).unwrap();
        assert_eq!(published(&month), "new");
    }

    #[test]
    fn a_missing_table_is_an_error_with_the_next_step() {
        let (folder, month, staged) = with_two_versions();
        fs::remove_dir_all(folder.path()).unwrap();
        let error = publish(&staged, &month).unwrap_err().to_string();
        assert!(error.starts_with("fact_flights is neither staged nor published"), "{error}");
        assert!(error.ends_with("run the DAG again (a load can be repeated)"), "{error}");
    }
}
