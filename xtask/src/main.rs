//! The project's own commands, started as `cargo xtask <command>`.
//!
//! CI runs one of these commands, so anyone can repeat it: `.ci/run` installs a compiler where
//! there is none and calls `cargo xtask ci`.
//!
//! | module | purpose |
//! |---|---|
//! | [`args`] | parses the command line into a [`args::Request`] |
//! | [`clients`] | installs the programs from PyPI that test the server |
//! | [`columns`] | checks and re-wraps the width of comments and Markdown |
//! | [`commands`] | the commands, one file each |
//! | [`deny`] | finds or installs cargo-deny, and defines the steps that run it |
//! | [`failure`] | why a command failed |
//! | [`features`] | the published packages and their features, from `cargo metadata` |
//! | [`heavy`] | packages with a workspace of their own, and the steps that check them |
//! | [`layers`] | checks the order of the layers of taskflow-core |
//! | [`leak_check`] | checks that the tests leave no file and no process behind |
//! | [`links`] | finds links in the Markdown files that lead nowhere |
//! | [`prerequisites`] | the programs that the tests need from the operating system |
//! | [`reading`] | counts test results in the output of cargo |
//! | [`relay`] | passes the output of a child through and counts its test results |
//! | `scratch` | a temporary directory for a test |
//! | [`sources`] | finds the source files of the project |
//! | [`spark`] | installs Spark for the tests that use it |
//! | [`stall`] | ends tests that hang |
//! | [`step`] | runs a child process, with its duration and a command line that repeats it |
//! | [`tally`] | the number of tests that passed, failed and were skipped |
//! | [`workspace`] | the root of the project, its cargo and its metadata |

mod args;
mod clients;
mod columns;
mod commands;
mod deny;
mod failure;
mod features;
mod heavy;
mod layers;
mod leak_check;
mod links;
mod prerequisites;
mod reading;
mod relay;
#[cfg(test)]
mod scratch;
mod sources;
mod spark;
mod stall;
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
