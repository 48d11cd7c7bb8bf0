//! What a manual run is about: `--logical-date`, and `--interval`. Days are those of the time zone
//! of the DAG.

use clap::{Arg, ArgMatches};

use super::error::CliError;
use crate::base::{Date, Interval, Timestamp};
use crate::dag::DagDef;
use crate::ops::{self, Draft};
use crate::schedule::Zone;

/// A point in time, or a day.
#[derive(Clone, Copy, Debug)]
enum Moment {
    Day(Date),
    Time(Timestamp),
}

impl Moment {
    fn parse(text: &str) -> Result<Self, String> {
        match text.parse::<Date>() {
            Ok(day) => Ok(Moment::Day(day)),
            Err(_) => match text.parse() {
                Ok(time) => Ok(Moment::Time(time)),
                Err(error) => Err(<Timestamp as std::str::FromStr>::Err::to_string(&error)),
            },
        }
    }

    /// A day is its first point in time.
    fn in_zone(self, zone: &Zone) -> Result<Timestamp, CliError> {
        match self {
            Moment::Time(time) => Ok(time),
            Moment::Day(day) => zone
                .start_of(day)
                .ok_or_else(|| CliError::usage(format!("there is no {day} in the time zone {}", zone.name()))),
        }
    }
}

/// `--logical-date`.
pub(super) fn logical_date() -> Arg {
    Arg::new("logical-date")
        .long("logical-date")
        .visible_alias("at")
        .value_name("TIME")
        .value_parser(Moment::parse)
        .help("Logical date of the run, a time or a day [default: now, or the end of the interval]")
}

/// `--interval`.
pub(super) fn interval() -> Arg {
    Arg::new("interval")
        .long("interval")
        .value_name("FROM/TO")
        .value_parser(|text: &str| match text.split_once('/') {
            Some((from, to)) => Ok((Moment::parse(from)?, Moment::parse(to)?)),
            None => {
                Err("an interval is two times or days with `/` between them, such as 2026-01-30/2026-01-31".to_owned())
            }
        })
        .help("Data interval of the run [default: the last complete one before the logical date]")
}

/// The logical date and the interval that these flags give.
pub(super) fn given(
    matches: &ArgMatches,
    dag: &'static DagDef,
) -> Result<(Option<Timestamp>, Option<Interval>), CliError> {
    let zone = dag.options.timezone().unwrap_or(Zone::UTC);
    let date = matches.get_one::<Moment>("logical-date").map(|date| date.in_zone(&zone)).transpose()?;
    let interval = match matches.get_one::<(Moment, Moment)>("interval") {
        Some((from, to)) => Some(Interval { start: from.in_zone(&zone)?, end: to.in_zone(&zone)? }),
        None => None,
    };
    Ok((date, interval))
}

/// A manual run about what these flags say.
pub(super) fn draft(matches: &ArgMatches, dag: &'static DagDef) -> Result<Draft, CliError> {
    Ok(match given(matches, dag)? {
        (date, Some(interval)) => ops::draft_of_interval(dag, interval, date)?,
        (date, None) => ops::draft(dag, date)?,
    })
}
