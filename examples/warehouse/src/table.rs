//! The tables of the warehouse: what they are made of, and how a new version takes the place of the old one.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use taskflow::Result;

use super::month::{Month, at};

/// A file, or the Parquet files of a directory, under the name by which queries read it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Table {
    pub name: String,
    pub path: PathBuf,
    pub rows: u64,
}

/// A table of the warehouse: the query whose rows it has.
#[derive(Debug)]
pub struct Definition {
    pub name: &'static str,
    pub sql: &'static str,
    /// Whether each month has a partition, which is loaded as a whole. A table without is loaded as a whole itself.
    pub by_month: bool,
}

/// In the order in which they are made: a query reads the files, and tables before its own.
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
    Ok(TABLES.iter().find(|table| table.name == name).ok_or_else(|| format!("no table is called {name}"))?)
}

/// Puts a staged table into its place: the old version aside, the new one there. Where this was interrupted it goes on, and where it was done
/// it does nothing.
///
/// A reader may find no partition for a moment, and never half of one. Formats with a log of versions (Iceberg, Delta) spare it the moment.
pub fn publish(staged: &Table, month: &Month) -> Result<Table> {
    let place = month.place(&staged.name, definition(&staged.name)?.by_month);
    if staged.path.exists() {
        if place.exists() {
            let aside = month.staging().join("replaced").join(&staged.name);
            // From an attempt that got no further than this: the version that is in place is the one before it.
            if aside.exists() {
                fs::remove_dir_all(&aside).map_err(|error| at(&aside, error))?;
            }
            rename(&place, &aside)?;
        }
        rename(&staged.path, &place)?;
    } else if !place.exists() {
        return Err(format!(
            "{} is neither staged nor published: what was staged is gone; run the DAG again, a load may be repeated",
            staged.name
        )
        .into());
    }
    Ok(Table { path: place, ..staged.clone() })
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

    /// A month with a version that is published and one that is staged.
    fn with_two_versions() -> (tempfile::TempDir, Month, Table) {
        let folder = tempfile::tempdir().unwrap();
        let day = taskflow::Date::new(2013, 1, 31).unwrap();
        let month = Month::of(day, folder.path().to_str().unwrap(), "run").unwrap();
        let staged = month.staging().join("fact_flights");
        for (dir, version) in [(&month.place("fact_flights", true), "old"), (&staged, "new")] {
            fs::create_dir_all(dir).unwrap();
            fs::write(dir.join("part-0.parquet"), version).unwrap();
        }
        (folder, month, Table { name: "fact_flights".to_owned(), path: staged, rows: 1 })
    }

    fn published(month: &Month) -> String {
        fs::read_to_string(month.place("fact_flights", true).join("part-0.parquet")).unwrap()
    }

    #[test]
    fn a_staged_table_takes_the_place_of_the_old_one_once() {
        let (_folder, month, staged) = with_two_versions();
        for _ in 0..2 {
            let table = publish(&staged, &month).unwrap();
            assert_eq!(table.path, month.place("fact_flights", true));
            assert_eq!(published(&month), "new");
        }
    }

    #[test]
    fn publishing_goes_on_where_a_crash_has_interrupted_it() {
        let (_folder, month, staged) = with_two_versions();
        // The old version is aside, and the new one not yet in place.
        rename(&month.place("fact_flights", true), &month.staging().join("replaced/fact_flights")).unwrap();
        publish(&staged, &month).unwrap();
        assert_eq!(published(&month), "new");
    }

    #[test]
    fn a_table_that_is_nowhere_is_an_error_with_the_way_out() {
        let (folder, month, staged) = with_two_versions();
        fs::remove_dir_all(folder.path()).unwrap();
        let error = publish(&staged, &month).unwrap_err().to_string();
        assert!(error.starts_with("fact_flights is neither staged nor published"), "{error}");
        assert!(error.ends_with("run the DAG again, a load may be repeated"), "{error}");
    }
}
