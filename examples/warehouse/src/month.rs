//! What a run loads, and where it keeps it until it is published.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use taskflow::{Date, Result};

/// The month of a run, and its places in the warehouse.
///
/// Everything is written in a directory of the run's own first, beside the tables: nobody sees half a load, and a run that was killed
/// leaves the tables as they were.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Month {
    pub year: i16,
    pub month: i8,
    warehouse: PathBuf,
    run: String,
}

impl Month {
    /// The month of a day, as it is loaded by a run.
    pub fn of(day: Date, warehouse: &str, run: &str) -> Result<Self> {
        if let Some(sign) = warehouse.chars().find(|sign| "*?[]{}".contains(*sign)) {
            return Err(format!(
                "{warehouse}: an engine takes the `{sign}` for a pattern; --warehouse DIR says another directory"
            )
            .into());
        }
        Ok(Month { year: day.year(), month: day.month(), warehouse: PathBuf::from(warehouse), run: run.to_owned() })
    }

    /// `2013-01`
    pub fn name(&self) -> String {
        format!("{:04}-{:02}", self.year, self.month)
    }

    /// Where this run writes.
    pub fn staging(&self) -> PathBuf {
        self.all_staging().join(&self.run)
    }

    /// Where a table is published: a partition in the manner of Hive, or the whole table.
    pub fn place(&self, table: &str, by_month: bool) -> PathBuf {
        let table = self.warehouse.join(table);
        if by_month { table.join(format!("month={}", self.name())) } else { table }
    }

    /// Removes what this run, and loads of this month that were killed before it, have left.
    pub fn clean(&self) -> Result<()> {
        let staging = self.all_staging();
        match fs::remove_dir_all(&staging) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(at(&staging, error).into()),
            _ => Ok(()),
        }
    }

    /// The name begins with a dot, so that no engine takes it for a table.
    fn all_staging(&self) -> PathBuf {
        self.warehouse.join(".staging").join(self.name())
    }
}

/// An error with the path that it is about.
pub fn at(path: &Path, error: impl std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}
