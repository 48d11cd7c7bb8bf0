//! The command line of a DAG binary.

#[cfg(feature = "cli")]
mod arguments;
#[cfg(all(feature = "cli", feature = "sqlite", unix))]
mod assets;
#[cfg(all(feature = "cli", feature = "sqlite"))]
mod audit;
#[cfg(all(feature = "cli", feature = "sqlite"))]
mod callbacks;
#[cfg(all(feature = "cli", feature = "sqlite"))]
mod config;
#[cfg(all(feature = "cli", feature = "sqlite", unix))]
mod damage;
#[cfg(all(feature = "cli", feature = "sqlite"))]
mod db;
#[cfg(all(feature = "cli", feature = "sqlite"))]
mod empty_words;
#[cfg(all(feature = "cli", feature = "sqlite"))]
mod history;
#[cfg(all(feature = "cli", feature = "sqlite"))]
mod homes;
#[cfg(all(feature = "cli", feature = "sqlite", target_os = "linux"))]
mod hostile;
#[cfg(all(feature = "cli", feature = "sqlite", target_os = "linux"))]
mod memory;
#[cfg(all(feature = "cli", feature = "sqlite", unix))]
mod permissions;
#[cfg(all(feature = "cli", feature = "sqlite", unix))]
mod processes;
#[cfg(all(feature = "cli", feature = "sqlite", unix))]
mod reaches;
#[cfg(all(feature = "cli", feature = "sqlite"))]
mod rerun;
#[cfg(all(feature = "cli", feature = "sqlite"))]
mod run;
#[cfg(all(feature = "cli", feature = "sqlite"))]
mod shown;
#[cfg(all(feature = "cli", unix))]
mod signals;
#[cfg(all(feature = "cli", feature = "sqlite"))]
mod support;
#[cfg(all(feature = "cli", target_os = "linux"))]
mod terminal;
#[cfg(all(feature = "cli", feature = "sqlite"))]
mod verbs;
