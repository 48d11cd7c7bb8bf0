//! `pause` and `unpause`, and what other verbs say about a pause.

use clap::{Arg, ArgMatches, Command};

use super::{all, dag, each};
use crate::base::{ErrorKind, Timestamp};
use crate::cli::error::{CliError, Exit};
use crate::cli::home::Home;
use crate::cli::source::Source;
use crate::cli::terminal::Terminal;
use crate::cli::{format, run_args};
use crate::dag::DagDef;
use crate::journal::Journal;
use crate::ops::{self, PastSlots};
use crate::schedule::{Catchup, Pause, Unpause, is_of_events};

pub(in crate::cli) fn pause_command() -> Command {
    Command::new("pause")
        .about("Pause the schedule and the events of a DAG")
        .after_help("Runs that are active go on, `run` starts runs as before, and events stay pending.")
        .arg(dag())
        .arg(all())
        .arg(tag())
        .arg(run_args::reason().help("Reason, stored with the pause"))
        .arg(run_args::by().help("Who pauses it [default: the account]"))
        .arg(
            Arg::new("until")
                .long("until")
                .value_name("TIME")
                .value_parser(|text: &str| text.parse::<Timestamp>().map_err(|error| error.to_string()))
                .help("Unpause it by itself at this time, such as 2026-12-01T09:00:00+09:00"),
        )
}

pub(in crate::cli) fn unpause_command() -> Command {
    Command::new("unpause")
        .about("Unpause the schedule and the events of a DAG")
        .arg(dag())
        .arg(all())
        .arg(tag())
        .arg(run_args::reason().help("Reason, stored in the history of the schedule"))
        .arg(run_args::by().help("Who unpauses it [default: the account]"))
        .arg(
            Arg::new("catchup")
                .long("catchup")
                .value_name("WHICH")
                .value_parser(["none", "last", "all"])
                .hide_possible_values(true)
                .help("Of the slots that passed during the pause, run `none`, the `last` one or `all` [default: none]"),
        )
        .arg(
            Arg::new("events")
                .long("events")
                .value_name("WHICH")
                .value_parser(["all", "newest", "skip"])
                .hide_possible_values(true)
                .help(
                    "Of the events that are pending, consume `all`, the `newest` of each asset, or `skip` them \
                     [default: all]",
                ),
        )
}

fn tag() -> Arg {
    Arg::new("tag")
        .long("tag")
        .value_name("TAG")
        .conflicts_with_all(["dag", "all"])
        .help("All DAGs with this tag that have a schedule or event parameters")
}

pub(in crate::cli) fn pause(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    let until = matches.get_one::<Timestamp>("until").copied();
    let note = run_args::note(matches);
    let pause = |dag: &str| source.pause(dag, &note, until);
    each(matches, source, terminal, pause, |dag, pause| {
        let until = pause.until.map(|until| format!(" until {}", format::moment(until))).unwrap_or_default();
        terminal.note(&format!("`{dag}` is paused{until}; active runs go on, and `run` starts runs as before"));
    })
}

pub(in crate::cli) fn unpause(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    let catchup = matches.get_one::<String>("catchup").and_then(|name| name.parse().ok()).unwrap_or(Catchup::None);
    let events = matches.get_one::<String>("events").and_then(|name| name.parse().ok()).unwrap_or(Unpause::All);
    let note = run_args::note(matches);
    let unpause = |dag: &str| source.unpause(dag, &note, catchup, events);
    each(matches, source, terminal, unpause, |dag, records| {
        terminal.note(&format!("`{dag}` is unpaused"));
        for PastSlots { count, fate, reason, .. } in records {
            if is_of_events(reason) {
                terminal.note(&format!("{fate}: {reason}"));
                continue;
            }
            let slots = format::count(usize::try_from(*count).unwrap_or(usize::MAX), "slot");
            let rest = if catchup == Catchup::None { "; --catchup last or all would have run them" } else { "" };
            terminal.note(&format!("{slots} passed during the pause: {fate}{rest}"));
        }
    })
}

/// Who paused a DAG, if it has a schedule and is paused. A schedule that is damaged holds up no run
/// by hand.
pub(in crate::cli) fn pause_of(dag: &DagDef, journal: &Journal, home: &Home) -> Result<Option<Pause>, CliError> {
    if dag.options.schedule.is_none() {
        return Ok(None);
    }
    home.wait(async {
        match ops::pause_of(journal, dag.id).await {
            Err(error) if error.kind() == ErrorKind::Damaged => Ok(None),
            pause => pause,
        }
    })
}

/// Says that a DAG is paused, when a run of it is started by hand.
pub(in crate::cli) fn note_pause(id: &str, pause: Option<Pause>, terminal: &Terminal) {
    if let Some(pause) = pause {
        terminal.note(&format!("`{id}` is paused by {}: its schedule waits, and this run does not", who(&pause)));
    }
}

/// `mina until 1 Dec 09:00 (migration)`
pub(super) fn who(pause: &Pause) -> String {
    let until = pause.until.map(|until| format!(" until {}", format::moment(until))).unwrap_or_default();
    let reason = if pause.reason.is_empty() { String::new() } else { format!(" ({})", pause.reason) };
    format!("{}{until}{reason}", pause.by)
}
