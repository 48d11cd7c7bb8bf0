//! The project's own commands, started as `cargo xtask <command>`.
//!
//! What CI runs is a program, so anyone can run the same thing at home: `.ci/run` is only
//! `cargo xtask ci` on a machine that may still lack a compiler.
//!
//! | module | its one concern |
//! |---|---|
//! | [`args`] | from words on the command line to a [`args::Request`] |
//! | [`columns`] | the width of comments and Markdown |
//! | [`commands`] | one file a command |
//! | [`deny`] | cargo-deny: found or installed, and the steps that run it |
//! | [`features`] | the published packages and their features, from `cargo metadata` |
//! | [`heavy`] | packages that are workspaces of their own, and the steps that check them |
//! | [`leavings`] | what tests leave behind: nothing, or they have failed |
//! | [`prerequisites`] | what the tests need from the operating system |
//! | [`sources`] | the files of the project, for commands that read them |
//! | [`spark`] | a Spark for the tests that run one |
//! | [`step`] | one child process: announced, timed, and how to repeat it when it fails |
//! | [`relay`] | passing a child's output through while counting what its tests say |
//! | [`reading`] | the count of a test run, read from its output |
//! | [`tally`] | that count, and the closing line |
//! | [`failure`] | why a command stopped |
//! | [`workspace`] | where the project is and which cargo runs it |

mod args;
mod columns;
mod commands;
mod deny;
mod failure;
mod features;
mod heavy;
mod leavings;
mod prerequisites;
mod reading;
mod relay;
#[cfg(test)]
mod scratch;
mod sources;
mod spark;
mod step;
mod tally;
mod workspace;

use std::process::ExitCode;

use crate::args::Request;

fn main() -> ExitCode {
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());

    match args::parse(words) {
        Ok(Request::Help) => {
            print!("{}", args::help());
            ExitCode::SUCCESS
        }
        Ok(Request::Run { command, rest }) => commands::run(command, &rest),
        Err(mistake) => {
            eprintln!("error: {mistake}");
            ExitCode::from(2)
        }
    }
}
