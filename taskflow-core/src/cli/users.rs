//! `users`: who may use the server of `serve`.

use std::io::{self, BufRead, IsTerminal, Read};

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command};
use console::Term;

use super::error::{CliError, Exit};
use super::grid::{Cell, Column, Table};
use super::source::Source;
use super::terminal::Terminal;
use super::{args, format, run_args};
use crate::ops::accounts::{EndedCredentials, Grant, Role, UserDocument};

/// The most bytes of a password that is read.
const LONGEST: u64 = 4_096;

pub(super) fn command() -> Command {
    let name = || Arg::new("name").value_name("NAME").required(true).help("Name of the user");
    Command::new("users")
        .about("Manage who may use the server of `serve`: add, list, remove, password, role")
        .after_help(
            "Once there is a user, everybody has to log in, on this machine too. Passwords are typed in the terminal, or \
             are read from stdin with --password-stdin.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommand(
            Command::new("add")
                .about("Add a user")
                .arg(name())
                .arg(role_flag())
                .arg(dags())
                .arg(password_stdin()),
        )
        .subcommand(Command::new("list").about("List the users and their roles"))
        .subcommand(Command::new("remove").about("Remove a user, with all sessions and tokens").arg(name()))
        .subcommand(
            Command::new("password")
                .about("Give a user another password, and end all sessions and tokens of the user")
                .arg(name())
                .arg(password_stdin()),
        )
        .subcommand(
            Command::new("role")
                .about("Give a user another role")
                .arg(name())
                .arg(role_flag().long(None::<&str>).required(true))
                .arg(dags()),
        )
}

/// `--role`; without its flag, an argument.
pub(super) fn role_flag() -> Arg {
    let help = "`viewer` reads runs and logs, `operator` also reads values, starts and changes runs, `admin` does \
                everything [default: viewer]";
    Arg::new("role")
        .long("role")
        .value_name("ROLE")
        .value_parser(PossibleValuesParser::new(Role::ALL.map(Role::name)))
        .hide_possible_values(true)
        .help(help)
}

/// `--dags`.
pub(super) fn dags() -> Arg {
    Arg::new("dags")
        .long("dags")
        .value_name("PATTERN,..")
        .action(ArgAction::Append)
        .value_delimiter(',')
        .help("Only for these DAGs: ids, beginnings such as `team_a.*`, tags such as `tag:finance` [default: all]")
}

/// The grants of `--role` and `--dags`.
pub(super) fn grants(matches: &ArgMatches) -> Result<Vec<Grant>, CliError> {
    let role = matches.get_one::<String>("role").map_or("viewer", String::as_str);
    let role = role.parse::<Role>().map_err(|error| CliError::usage(error.to_string()))?;
    let dags = matches.get_many::<String>("dags").into_iter().flatten();
    Grant::of_role(role, dags.map(String::as_str)).map_err(|error| CliError::usage(error.to_string()))
}

/// Roles in words: `operator of delays, viewer of tag:finance`.
pub(super) fn roles(grants: &[Grant]) -> String {
    grants.iter().map(Grant::to_string).collect::<Vec<_>>().join(", ")
}

fn password_stdin() -> Arg {
    Arg::new("password-stdin")
        .long("password-stdin")
        .action(ArgAction::SetTrue)
        .help("Read the password from the first line of stdin")
}

/// A new password: from stdin, or typed twice.
fn password(matches: &ArgMatches) -> Result<String, CliError> {
    let cannot = |error: io::Error| CliError::Failure(format!("the password cannot be read: {error}"));
    if matches.get_flag("password-stdin") {
        let mut line = String::new();
        io::stdin().lock().take(LONGEST).read_line(&mut line).map_err(cannot)?;
        return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
    }
    let terminal = Term::stderr();
    if !(terminal.is_term() && io::stdin().is_terminal()) {
        let message = "a password is typed in a terminal, and this is none; pass it on stdin with --password-stdin";
        return Err(CliError::usage(message));
    }
    let ask = |prompt: &str| {
        terminal.write_str(prompt)?;
        terminal.read_secure_line()
    };
    let first = ask("Password: ").map_err(cannot)?;
    if ask("Again: ").map_err(cannot)? != first {
        return Err(CliError::usage("the two passwords differ; nothing has changed"));
    }
    Ok(first)
}

pub(super) fn users(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    let (verb, matches) = matches.subcommand().unwrap_or(("list", matches));
    let name = || matches.get_one::<String>("name").map_or("", String::as_str);
    let json = args::wants_json(matches);
    match verb {
        "add" => {
            source.check_new_user(name())?;
            let grants = grants(matches)?;
            let user = source.add_user(name(), &password(matches)?, grants)?;
            terminal.note(&format!("user {} added: {}", user.name, roles(&user.grants)));
            if json { run_args::print_json(&user, terminal) } else { Ok(Exit::Success) }
        }
        "remove" => {
            let ended = source.remove_user(name())?;
            report(&format!("user {} removed", name()), ended, json, terminal)
        }
        "password" => {
            source.check_user(name())?;
            let ended = source.set_password(name(), &password(matches)?)?;
            report(&format!("user {} has another password", name()), ended, json, terminal)
        }
        "role" => {
            let user = source.set_role(name(), grants(matches)?)?;
            terminal.note(&format!("user {}: {}", user.name, roles(&user.grants)));
            if json { run_args::print_json(&user, terminal) } else { Ok(Exit::Success) }
        }
        _ => list(&source.users()?, json, terminal),
    }
}

fn report(what: &str, ended: EndedCredentials, json: bool, terminal: &Terminal) -> Result<Exit, CliError> {
    let (sessions, tokens) = (ended.sessions as usize, ended.tokens as usize);
    let ends = format!("{} and {} have ended", format::count(sessions, "session"), format::count(tokens, "token"));
    terminal.note(&format!("{what}; {ends}"));
    if json { run_args::print_json(&ended, terminal) } else { Ok(Exit::Success) }
}

fn list(users: &[UserDocument], json: bool, terminal: &Terminal) -> Result<Exit, CliError> {
    if json {
        return run_args::print_json(&users, terminal);
    }
    if users.is_empty() {
        terminal.note("no users: nobody has to log in on this machine, and `serve` binds no public address");
        return Ok(Exit::Success);
    }
    let mut table = Table::new([Column::new("user"), Column::text("roles"), Column::new("added").rank(1)]);
    for user in users {
        table.add_row([Cell::new(&user.name), Cell::new(roles(&user.grants)), Cell::new(format::time(user.created))]);
    }
    terminal.print(&table.render(terminal.width_stdout(), terminal.paint_stdout()))?;
    Ok(Exit::Success)
}
