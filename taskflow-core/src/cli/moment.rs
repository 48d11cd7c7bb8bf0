//! What a manual run is about: `--logical-date`, and `--interval`. Days are those of the time zone
//! of the DAG.

use std::str::FromStr as _;

use clap::{Arg, ArgMatches};

use super::error::CliError;
use crate::base::{Interval, Timestamp};
use crate::dag::DagDef;
use crate::ops::{self, Draft};
use crate::schedule::{Moment, Zone};

/// `--logical-date`.
pub(super) fn logical_date() -> Arg {
    Arg::new("logical-date")
        .long("logical-date")
        .visible_alias("at")
        .value_name("TIME")
        .value_parser(Moment::from_str)
        .help("Logical date of the run, a time or a day [default: now, or the end of the interval]")
}

/// `--interval`.
pub(super) fn interval() -> Arg {
    Arg::new("interval")
        .long("interval")
        .value_name("FROM/TO")
        .value_parser(Moment::interval)
        .help("Data interval of the run [default: the last complete one before the logical date]")
}

/// The logical date and the interval that these flags give.
pub(super) fn given(
    matches: &ArgMatches,
    dag: &'static DagDef,
) -> Result<(Option<Timestamp>, Option<Interval>), CliError> {
    let zone = dag.options.timezone().unwrap_or(Zone::UTC);
    let at = |moment: &Moment| moment.in_zone(&zone).map_err(CliError::usage);
    let date = matches.get_one::<Moment>("logical-date").map(at).transpose()?;
    let interval = match matches.get_one::<(Moment, Moment)>("interval") {
        Some((from, to)) => Some(Interval { start: at(from)?, end: at(to)? }),
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
