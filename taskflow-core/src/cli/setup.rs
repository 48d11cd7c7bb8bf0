//! The configuration of a call; flags take precedence over it.
//!
//! It is read first, and a mistake in it is an error: nothing runs with half of a configuration.
//! Verbs that only show the graphs of the program do not read it.

use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, value_parser};

use super::error::CliError;
use crate::config::{Config, ConfigBuilder};

/// `--config`.
pub(super) fn arg() -> Arg {
    Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .global(true)
        .display_order(902)
        .help("Configuration file [default: $TASKFLOW_CONFIG, or taskflow.toml here or in the home]")
}

/// The configuration of this call. Nothing is read yet.
pub(super) fn builder(matches: &ArgMatches) -> ConfigBuilder {
    let mut builder = Config::builder().process();
    if let Some(file) = matches.get_one::<PathBuf>("config") {
        builder = builder.file(file);
    }
    match home(matches) {
        Some(home) => builder.home(home),
        None => builder,
    }
}

/// The value of `--home`. Without a store there is no such flag.
pub(super) fn home(matches: &ArgMatches) -> Option<PathBuf> {
    matches.try_get_one::<PathBuf>("home").ok().flatten().cloned()
}

/// The home that the command line itself names: a command that is suggested has to name it again.
pub(super) fn home_flag(matches: &ArgMatches) -> Option<PathBuf> {
    let is_flag = matches.try_contains_id("home").is_ok_and(|known| known)
        && matches.value_source("home") == Some(ValueSource::CommandLine);
    is_flag.then(|| home(matches)).flatten()
}

/// Reads the configuration and makes it available to tasks. From now on its secrets are masked in
/// all output.
pub(super) fn load(matches: &ArgMatches) -> Result<Config, CliError> {
    let config = builder(matches).build()?;
    config.mask_secrets();
    config.install();
    Ok(config)
}
