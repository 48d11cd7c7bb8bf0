//! `completions SHELL`: the completions of a shell, with the names of the DAGs and the flags of
//! their parameters.

use clap::ArgMatches;
use clap_complete::Shell;

use super::choose::Dags;
use super::error::{CliError, Exit};
use super::terminal::Terminal;
use super::{Program, args};

pub(super) fn completions(
    matches: &ArgMatches,
    name: &str,
    program: Program,
    dags: &Dags,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let Some(&shell) = matches.get_one::<Shell>("shell") else { return Err(CliError::usage("name a shell")) };
    let mut command = args::command(name, program, dags);
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    terminal.print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Success)
}
