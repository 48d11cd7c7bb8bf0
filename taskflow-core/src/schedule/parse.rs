//! Schedules from the texts of `#[dag(schedule = ..)]`.

use std::sync::Arc;

use super::cron::{Cron, CronError};
use super::spec::Recurrence;
use super::timetables::{Crons, Every, EveryError};
use super::zone::Zone;

/// Airflow's presets with a period, and what they mean.
const PRESETS: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@quarterly", "0 0 1 */3 *"),
    ("@yearly", "0 0 1 1 *"),
];

/// A text is not a schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecurrenceError {
    /// It is not a cron expression.
    #[error(transparent)]
    Cron(#[from] CronError),
    /// It is not a period.
    #[error(transparent)]
    Every(#[from] EveryError),
    /// It begins with `@` and is not a preset.
    #[error("there is no preset `{0}`; write one of @once, @continuous, {names}", names = PRESETS.map(|(name, _)| name).join(", "))]
    Preset(String),
}

impl Recurrence {
    /// Parses a cron expression, several of them with `;` between them, a preset such as `@daily`,
    /// or a period such as `every 15m` or `every 15m offset 5m`.
    ///
    /// # Errors
    ///
    /// When the text is none of these.
    pub fn parse(text: &str, zone: &Zone) -> Result<Self, RecurrenceError> {
        match text.trim() {
            "@once" => return Ok(Recurrence::Once),
            "@continuous" => return Ok(Recurrence::Continuous),
            _ => {}
        }
        if let Some(period) = text.trim().strip_prefix("every ") {
            let every = match period.split_once(" offset ") {
                // It is written as a period is.
                Some((period, offset)) => {
                    Every::parse(period, zone.clone())?.offset(Every::parse(offset, Zone::UTC)?.length())?
                }
                None => Every::parse(period, zone.clone())?,
            };
            return Ok(Recurrence::Timetable(Arc::new(every)));
        }
        let crons: Result<Vec<Cron>, RecurrenceError> = text.split(';').map(|text| cron(text.trim(), zone)).collect();
        Ok(Recurrence::Timetable(Arc::new(Crons::new(crons?))))
    }

    /// The pattern with a fingerprint, if that says what its slots are: those of cron expressions
    /// and of most periods do.
    pub(super) fn of_fingerprint(fingerprint: &str) -> Option<Self> {
        Some(Recurrence::Timetable(match Every::of_fingerprint(fingerprint) {
            Some(every) => Arc::new(every),
            None => Arc::new(Crons::of_fingerprint(fingerprint)?),
        }))
    }
}

fn cron(text: &str, zone: &Zone) -> Result<Cron, RecurrenceError> {
    let expression = match PRESETS.iter().find(|(name, _)| *name == text) {
        Some((_, expression)) => expression,
        None if text.starts_with('@') => return Err(RecurrenceError::Preset(text.to_owned())),
        None => text,
    };
    Ok(Cron::parse(expression, zone.clone())?)
}
