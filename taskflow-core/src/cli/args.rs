//! Commands, arguments and flags.
//!
//! Every DAG is a subcommand of `run`, with its parameters as flags. They are added only when that
//! subcommand is used: a binary with a thousand DAGs starts as fast as one with a single DAG. With
//! one DAG, its flags are those of `run`.

use std::any::TypeId;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser};
use clap::{Arg, Command, value_parser};

use super::choose::Dags;
use super::{Program, drive, flags, help, moment};
#[cfg(feature = "sqlite")]
use crate::dag::taken_flags_of_backfill;
use crate::dag::{Registry, TAKEN_FLAGS};
use crate::render::Format;

/// The name by which the program was called.
pub(super) fn program_name(first: Option<&OsString>) -> String {
    let name = first.and_then(|path| Path::new(path).file_stem()).and_then(OsStr::to_str);
    name.unwrap_or("taskflow").to_owned()
}

/// The whole command line.
pub(super) fn command(name: &str, program: Program, dags: &Dags) -> Command {
    let own = program.version.unwrap_or("unknown");
    let command = Command::new(name.to_owned())
        .bin_name(name.to_owned())
        .version(format!("{own} (taskflow {})", env!("CARGO_PKG_VERSION")))
        .about(about(dags))
        .after_help(if dags.has_one() { "Without a command, the DAG runs with its default parameters." } else { "" })
        .disable_help_subcommand(true)
        .max_term_width(120)
        .arg(output())
        .subcommand(Command::new("list").about("List the DAGs of this binary"))
        .subcommand(rejecting_empty(show()))
        .subcommand(run(dags))
        .subcommand(rejecting_empty(super::config::command()))
        .subcommand(completions())
        .arg(super::setup::arg());
    #[cfg(feature = "server")]
    let command = command.arg(super::source::arg());
    #[cfg(feature = "sqlite")]
    let command = command
        .subcommand(trigger(dags))
        .subcommand(backfill(dags))
        .arg(super::home::arg())
        .subcommands(super::history().into_iter().map(rejecting_empty));
    help::grouped(command)
}

/// The command with all arguments that are names rejecting an empty text, which would match
/// anything. A variable that a script forgot to set is the usual cause.
fn rejecting_empty(command: Command) -> Command {
    // The first is free text, the second has a parser of its own.
    const OTHERS: [&str; 2] = ["reason", "by"];
    let is_name = |arg: &Arg| {
        !OTHERS.contains(&arg.get_id().as_str())
            && arg.get_action().takes_values()
            && arg.get_possible_values().is_empty()
            && arg.get_value_parser().type_id() == TypeId::of::<String>()
    };
    let checked = |arg: Arg| if is_name(&arg) { arg.value_parser(NonEmptyStringValueParser::new()) } else { arg };
    command.mut_args(checked).mut_subcommands(rejecting_empty)
}

fn about(dags: &Dags) -> String {
    match dags.all() {
        [only] if only.doc.is_empty() => format!("Runs the DAG `{}`", only.id),
        [only] => format!("{}: {}", only.id, only.doc),
        _ => "Lists, shows and runs the DAGs of this binary".to_owned(),
    }
}

fn output() -> Arg {
    Arg::new("output")
        .long("output")
        .value_name("FORMAT")
        .value_parser(PossibleValuesParser::new(["table", "json"]))
        .global(true)
        .display_order(900)
        .hide_possible_values(true)
        .help("Print a `table` for people or `json` for programs [default: table]")
}

/// Whether `--output json` was given.
pub(super) fn wants_json(matches: &clap::ArgMatches) -> bool {
    matches.get_one::<String>("output").is_some_and(|form| form == "json")
}

fn dag() -> Arg {
    Arg::new("dag").value_name("DAG").help("Id of the DAG; may be omitted if there is only one")
}

fn show() -> Command {
    let formats = Format::ALL.map(Format::name);
    Command::new("show").about("Show the graph of a DAG").arg(dag()).arg(
        Arg::new("format")
            .long("format")
            .value_name("FORMAT")
            .value_parser(PossibleValuesParser::new(formats))
            .help("Format of the picture [default: tree]"),
    )
}

fn completions() -> Command {
    Command::new("completions")
        .about("Print the completions for a shell, as in `source <(my-dags completions bash)`")
        .arg(Arg::new("shell").value_name("SHELL").required(true).value_parser(value_parser!(clap_complete::Shell)))
}

fn run(dags: &Dags) -> Command {
    of_a_dag(Command::new("run").args(run_options()), "Run", dags, &RUN)
}

#[cfg(feature = "sqlite")]
fn trigger(dags: &Dags) -> Command {
    let options = [moment::logical_date(), moment::interval()];
    let command = Command::new("trigger").args(options.map(|option| option.global(true)));
    of_a_dag(command, "Queue for `serve` a run of", dags, &RUN)
        .after_help("A running `serve` starts it within about a second; without one, `resume` does.")
}

#[cfg(feature = "sqlite")]
fn backfill(dags: &Dags) -> Command {
    let options = super::backfill::options().into_iter().map(|option| option.global(true));
    let command = Command::new("backfill").args(options.map(|option| option.help_heading("Backfill options")));
    of_a_dag(command, "Run past slots of", dags, &BACKFILL).after_help(
        "A running `serve` carries it out; `backfills` shows how far it is. A day, and a range of days, is in the time \
         zone of the schedule.",
    )
}

/// What the commands of the DAGs have.
struct DagArgs {
    /// The argument without a flag, if there is one DAG only.
    of_one: fn() -> Arg,
    /// Names that are not free for flags of parameters.
    taken: fn() -> Vec<&'static str>,
    /// Adds the arguments of a DAG to its subcommand.
    add: fn(Command) -> Command,
}

const RUN: DagArgs = DagArgs { of_one: dag, taken, add: with_flags };

#[cfg(feature = "sqlite")]
const BACKFILL: DagArgs =
    DagArgs { of_one: super::backfill::slots, taken: taken_flags_of_backfill, add: with_slots_and_flags };

/// A verb that takes a DAG with values for its parameters.
fn of_a_dag(command: Command, verb: &str, dags: &Dags, args: &DagArgs) -> Command {
    let command = command.disable_help_subcommand(true);
    match dags.all() {
        [only] => {
            let command = rejecting_empty(command.about(format!("{verb} the DAG `{}`", only.id)).arg((args.of_one)()));
            flags::add(command, &(only.params)(), &(args.taken)())
        }
        _ => rejecting_empty(command)
            .about(format!("{verb} a DAG"))
            .subcommand_value_name("DAG")
            .subcommand_help_heading("DAGs")
            // Our own error for an unknown name suggests a DAG.
            .allow_external_subcommands(true)
            .subcommands(dags.by_id().map(|dag| {
                let summary = dag.doc.lines().next().unwrap_or_default();
                Command::new(dag.id).about(summary).defer(args.add)
            })),
    }
}

fn with_flags(command: Command) -> Command {
    add_flags(command, &taken())
}

#[cfg(feature = "sqlite")]
fn with_slots_and_flags(command: Command) -> Command {
    add_flags(command.arg(super::backfill::slots()), &taken_flags_of_backfill())
}

fn add_flags(command: Command, taken: &[&str]) -> Command {
    let dag = Registry::dags().into_iter().find(|dag| dag.id == command.get_name());
    match dag {
        Some(dag) => flags::add(command.about(dag.doc), &(dag.params)(), taken),
        None => command,
    }
}

/// Names that no parameter can have as a flag.
pub(super) fn taken() -> Vec<&'static str> {
    TAKEN_FLAGS.to_vec()
}

fn run_options() -> Vec<Arg> {
    let mut options = vec![
        moment::logical_date(),
        moment::interval(),
        Arg::new("only")
            .long("only")
            .value_name("TASK")
            .conflicts_with("from")
            .help("Run only this task and everything upstream of it"),
        Arg::new("from")
            .long("from")
            .value_name("TASK")
            .help("Run only this task, everything downstream, and what they need"),
        flags::as_switch(Arg::new("fail-fast").long("fail-fast"))
            .value_name("bool")
            .value_parser(value_parser!(bool))
            .hide_possible_values(true)
            .help("End the run at the first failed task [default: as the DAG declares]"),
    ];
    options.extend(drive::options());
    #[cfg(feature = "sqlite")]
    {
        use super::home;
        use crate::run::Durability;
        options.push(home::durability_arg(&[Durability::Strict, Durability::Relaxed, Durability::Ephemeral]));
        options.push(home::sync_arg());
    }
    options.into_iter().map(|option| option.global(true).help_heading("Run options")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_parameter_can_have_a_flag_of_ours() {
        let options = run_options();
        let long = options.iter().filter_map(Arg::get_long);
        let aliases = options.iter().filter_map(Arg::get_visible_aliases).flatten();
        let own: Vec<&str> = long.chain(aliases).collect();
        assert!(own.contains(&"at") && own.iter().all(|name| taken().contains(name)), "{own:?}");
    }
}
