//! `tokens`: what programs present to the server of `serve`.

use std::time::Duration;

use clap::{Arg, ArgMatches, Command};

use super::error::{CliError, Exit};
use super::grid::{Cell, Column, SPARE, Table};
use super::source::Source;
use super::terminal::Terminal;
use super::users::{dags, grants, role_flag, roles};
use super::{args, format, run_args};
use crate::ops::accounts::{DEFAULT_EXPIRY, NewToken, TokenDocument};

pub(super) fn command() -> Command {
    let name = || Arg::new("name").value_name("NAME").required(true).help("Name of the token");
    Command::new("tokens")
        .about("Manage what programs present to the server of `serve`: create, list, revoke")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommand(
            Command::new("create")
                .about("Create a token, and print it once")
                .after_help(
                    "Programs send it as `Authorization: Bearer TOKEN`. Only its digest is stored: a lost one is \
                     replaced.",
                )
                .arg(name())
                .arg(role_flag())
                .arg(dags())
                .arg(
                    Arg::new("user")
                        .long("user")
                        .value_name("USER")
                        .help("The user that it belongs to: it may do no more than the user, and ends with the user"),
                )
                .arg(
                    Arg::new("expires")
                        .long("expires")
                        .value_name("DURATION")
                        .value_parser(expiry)
                        .help("How long it is valid, such as 30d, or `never` [default: 90d]"),
                ),
        )
        .subcommand(Command::new("list").about("List the tokens"))
        .subcommand(Command::new("revoke").about("End a token").arg(name()))
}

/// How long a token is valid.
#[derive(Clone, Copy, Debug)]
struct Expiry(Option<Duration>);

fn expiry(text: &str) -> Result<Expiry, String> {
    match text {
        "never" => Ok(Expiry(None)),
        text => format::span(text).map(|span| Expiry(Some(span))),
    }
}

pub(super) fn tokens(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    let (verb, matches) = matches.subcommand().unwrap_or(("list", matches));
    let name = || matches.get_one::<String>("name").cloned().unwrap_or_default();
    let json = args::wants_json(matches);
    match verb {
        "create" => {
            let expires = matches.get_one::<Expiry>("expires").copied().unwrap_or(Expiry(Some(DEFAULT_EXPIRY)));
            let new = NewToken {
                name: name(),
                owner: matches.get_one::<String>("user").cloned(),
                grants: grants(matches)?,
                expires_after: expires.0,
            };
            let created = source.create_token(new)?;
            let token = &created.document;
            let until = token.expires.map(|at| format!(" until {}", format::time(at))).unwrap_or_default();
            let about = format!("token {}: {}{until}; it is shown this once", token.name, roles(&token.grants));
            terminal.note(&about);
            if json {
                return run_args::print_json(&created, terminal);
            }
            terminal.print(&format!("{}\n", created.token))?;
            Ok(Exit::Success)
        }
        "revoke" => {
            source.revoke_token(&name())?;
            terminal.note(&format!("token {} revoked", name()));
            Ok(Exit::Success)
        }
        _ => list(&source.tokens()?, json, terminal),
    }
}

fn list(tokens: &[TokenDocument], json: bool, terminal: &Terminal) -> Result<Exit, CliError> {
    if json {
        return run_args::print_json(&tokens, terminal);
    }
    if tokens.is_empty() {
        terminal.note("no tokens; `tokens create NAME` makes one");
        return Ok(Exit::Success);
    }
    let mut table = Table::new([
        Column::new("token"),
        Column::new("user").rank(1),
        Column::text("roles"),
        Column::new("expires").rank(2),
        Column::new("last used").rank(SPARE),
    ]);
    for token in tokens {
        table.add_row([
            Cell::new(&token.name),
            Cell::new(token.owner.as_deref().unwrap_or_default()),
            Cell::new(roles(&token.grants)),
            expires(token),
            Cell::new(token.last_used.map_or_else(|| "never".to_owned(), format::time)),
        ]);
    }
    terminal.print(&table.render(terminal.width_stdout(), terminal.paint_stdout()))?;
    Ok(Exit::Success)
}

fn expires(token: &TokenDocument) -> Cell {
    match token.expires {
        _ if token.expired => Cell::bad("expired"),
        Some(at) => Cell::new(format::time(at)),
        None => Cell::new("never"),
    }
}
