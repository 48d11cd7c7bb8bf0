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
