//! `db`: keeps the store in order.

use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::error::{CliError, Exit};
use super::home::Home;
use super::source::{Source, WouldPrune};
use super::terminal::Terminal;
use super::{args, format, run_args, runs};
use crate::base::text::one_line;
use crate::base::units;
use crate::journal::Prune;
use crate::ops::{self, Checked, Pruned};

pub(super) fn command() -> Command {
    Command::new("db")
        .about("Maintain the store of runs: check, prune, vacuum, path")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommand(Command::new("check").about("Check the store for damage, reading all of it"))
        .subcommand(
            Command::new("prune")
                .about("Delete old runs that have ended, with their values and logs, and old events")
                .after_help("With --dag or --state, only runs are deleted. Events that are pending for a DAG stay, and so does the newest event of each asset.")
                .arg(
                    Arg::new("older-than")
                        .long("older-than")
                        .value_name("DURATION")
                        .required_unless_present("run")
                        .value_parser(format::span)
                        .help("Only runs and events created longer ago than this, such as 30d"),
                )
                .arg(Arg::new("dag").long("dag").value_name("DAG").help("Only runs of this DAG"))
                .arg(run_args::states())
                .arg(
                    Arg::new("audit")
                        .long("audit")
                        .action(ArgAction::SetTrue)
                        .conflicts_with_all(["dag", "state"])
                        .help("Also delete old entries of the audit trail"),
                )
                .arg(
                    Arg::new("dry-run")
                        .long("dry-run")
                        .action(ArgAction::SetTrue)
                        .help("List the runs that would be deleted, and change nothing"),
                )
                .arg(run_args::token("Delete only what a preview with this token has shown"))
                .arg(
                    Arg::new("run")
                        .long("run")
                        .value_name("RUN")
                        .conflicts_with_all(["older-than", "dag", "state", "audit", "dry-run", "token"])
                        .help("Delete only this run, which has ended: its number, its id, or a unique part of that"),
                ),
        )
        .subcommand(Command::new("vacuum").about("Return the space of deleted runs to the file system"))
        .subcommand(Command::new("path").about("Print the path of the store"))
}

pub(super) fn db(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    match matches.subcommand() {
        Some(("check", matches)) => check(matches, source.home("db check")?, terminal),
        Some(("prune", matches)) => prune(matches, source, terminal),
        Some(("vacuum", matches)) => vacuum(matches, source.home("db vacuum")?, terminal),
        _ => path(source.home("db path")?, terminal),
    }
}

fn check(matches: &ArgMatches, home: &Home, terminal: &Terminal) -> Result<Exit, CliError> {
    let Checked { findings, .. } = home.wait(ops::check(home.home()))?;
    if args::wants_json(matches) {
        run_args::print_json(&findings, terminal)?;
    } else {
        let lines: String = findings.iter().map(|finding| format!("{}\n", one_line(finding))).collect();
        terminal.print(&lines)?;
    }
    if findings.is_empty() {
        terminal.note("no damage found");
        return Ok(Exit::Success);
    }
    terminal.error(&format!("{} in {}", format::count(findings.len(), "finding"), home.path().display()));
    Ok(Exit::Failure)
}

fn prune(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    if let Some(run) = matches.get_one::<String>("run") {
        return deleted(source.prune_run(run)?, matches, terminal);
    }
    let prune = Prune {
        older_than: matches.get_one::<Duration>("older-than").copied().unwrap_or(Duration::MAX),
        dag: matches.get_one::<String>("dag").cloned(),
        states: run_args::given_states(matches),
        audit: matches.get_flag("audit"),
    };
    if matches.get_flag("dry-run") {
        let WouldPrune { runs: would, events, audit, token } = source.would_prune(&prune)?;
        if args::wants_json(matches) {
            run_args::print_json(&would, terminal)?;
        } else {
            if !would.is_empty() {
                terminal.print(&runs::table(&would, terminal))?;
            }
            terminal.note(&format!("{} would be deleted", counts(would.len() as u64, events, audit)));
        }
        terminal.note(&format!("nothing was deleted; --token {token} deletes exactly these runs"));
        return Ok(Exit::Success);
    }
    deleted(source.prune(&prune, run_args::token_of(matches))?, matches, terminal)
}

/// Says what was deleted.
fn deleted(done: Pruned, matches: &ArgMatches, terminal: &Terminal) -> Result<Exit, CliError> {
    if args::wants_json(matches) {
        return run_args::print_json(&done, terminal);
    }
    let Pruned { pruned, events, audit, files_left, .. } = done;
    let vacuum = if pruned + events + audit > 0 { "; `db vacuum` returns the space to the file system" } else { "" };
    terminal.note(&format!("{} deleted{vacuum}", counts(pruned, events, audit)));
    if files_left {
        terminal.note(
            "files of the run are left: its process still has them, or another run has its id by now; a later `db prune` \
             deletes what is still its own",
        );
    }
    Ok(Exit::Success)
}

/// `3 runs and 5 events`
fn counts(runs: u64, events: u64, audit: u64) -> String {
    let mut text = format::count(runs as usize, "run");
    if events > 0 {
        text += &format!(" and {}", format::count(events as usize, "event"));
    }
    match audit {
        0 => text,
        1 => text + " and 1 entry of the audit trail",
        audit => format!("{text} and {audit} entries of the audit trail"),
    }
}

fn vacuum(matches: &ArgMatches, home: &Home, terminal: &Terminal) -> Result<Exit, CliError> {
    let journal = home.journal()?;
    let vacuumed = home.wait(ops::vacuum(&journal))?;
    if args::wants_json(matches) {
        return run_args::print_json(&vacuumed, terminal);
    }
    let (before, after) = (vacuumed.before, vacuumed.after);
    terminal.note(&format!("size of the store: {} before, {} now", units::bytes(before), units::bytes(after)));
    Ok(Exit::Success)
}

fn path(home: &Home, terminal: &Terminal) -> Result<Exit, CliError> {
    let path = home.home().store();
    let path = std::path::absolute(&path).unwrap_or(path);
    terminal.print(&format!("{}\n", one_line(&path.display().to_string())))?;
    Ok(Exit::Success)
}
