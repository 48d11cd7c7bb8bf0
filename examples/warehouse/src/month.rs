//! The month that a run loads, and its directories.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use taskflow::{Date, Result};

/// The month of a run, and its directories in the warehouse.
///
/// A run first writes to a staging directory of its own. Readers therefore never see a partial
/// load, and a run that is killed leaves the tables unchanged.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Month {
    pub year: i16,
    pub month: i8,
    warehouse: PathBuf,
    run: String,
}

impl Month {
    /// The month of `day`, loaded by `run`.
    pub fn of(day: Date, warehouse: &str, run: &str) -> Result<Self> {
        if let Some(character) = warehouse.chars().find(|&character| "*?[]{}".contains(character)) {
            return Err(format!(
                "{warehouse}: the engines treat `{character}` as a pattern; --warehouse DIR selects another directory"
            )
            .into());
        }
        Ok(Month { year: day.year(), month: day.month(), warehouse: PathBuf::from(warehouse), run: run.to_owned() })
    }

    /// `2013-01`
    pub fn name(&self) -> String {
        format!("{:04}-{:02}", self.year, self.month)
    }

    /// The directory that this run writes to.
    pub fn staging(&self) -> PathBuf {
        self.all_staging().join(&self.run)
    }

    /// The directory where a table is published: a Hive partition, or the whole table.
    pub fn published(&self, table: &str, by_month: bool) -> PathBuf {
        let table = self.warehouse.join(table);
        if by_month { table.join(format!("month={}", self.name())) } else { table }
    }

    /// Removes the staging directories of this run and of loads of this month that were killed.
    pub fn clean(&self) -> Result<()> {
        let staging = self.all_staging();
        match fs::remove_dir_all(&staging) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(at(&staging, error).into()),
            _ => Ok(()),
        }
    }

    /// The name starts with a dot, so that engines do not treat it as a table.
    fn all_staging(&self) -> PathBuf {
        self.warehouse.join(".staging").join(self.name())
    }
}

/// An error message with the path that it concerns.
pub fn at(path: &Path, error: impl std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}
