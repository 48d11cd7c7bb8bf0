//! Installs the subscriber of a program that has none.

use tracing_log::{AsLog as _, LogTracer};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;

use super::layer::layer_with;
use super::sink::LogSink;

/// Why [`init`] did not install everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AlreadyInstalled {
    /// The application already has a subscriber; nothing was changed.
    #[error(
        "the application already has a tracing subscriber, so taskflow cannot log what tasks emit: add \
         `.with(taskflow::log::layer(sink))` to its `tracing_subscriber::registry()`"
    )]
    Subscriber,
    /// The application already has a logger. Events of `tracing` are logged; records of the `log`
    /// crate go to that logger only.
    #[error(
        "the application already has a logger of the `log` crate, so taskflow cannot log records of that crate: \
         install `tracing_log::LogTracer` in its place"
    )]
    Logger,
}

/// Logs what tasks emit through `tracing` and `log`, down to `INFO`, for the whole process.
///
/// # Errors
///
/// If the application has already installed a subscriber or a logger; the error explains the
/// alternative.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sink = taskflow::log::LogSink::open("logs")?;
/// taskflow::log::init(sink.clone())?;
/// # Ok(())
/// # }
/// ```
pub fn init(sink: LogSink) -> Result<(), AlreadyInstalled> {
    init_with(sink, default_targets())
}

/// What is logged unless somebody chooses otherwise.
pub(crate) fn default_targets() -> Targets {
    Targets::new().with_default(LevelFilter::INFO)
}

/// Like [`init`], with a custom filter.
///
/// # Errors
///
/// Like [`init`].
pub fn init_with(sink: LogSink, targets: Targets) -> Result<(), AlreadyInstalled> {
    install(tracing_subscriber::registry().with(layer_with(sink, targets)))
}

/// Like [`init_with`], for a service: `report` gets what it and its server warn of, line by line.
///
/// # Errors
///
/// Like [`init`].
#[cfg(all(feature = "cli", feature = "sqlite"))]
pub(crate) fn init_for_service(
    sink: LogSink,
    targets: Targets,
    report: impl Fn(&str) + Send + Sync + 'static,
) -> Result<(), AlreadyInstalled> {
    install(tracing_subscriber::registry().with(layer_with(sink, targets)).with(super::reports::reports(report)))
}

fn install(subscriber: impl tracing::Subscriber + Send + Sync) -> Result<(), AlreadyInstalled> {
    tracing::subscriber::set_global_default(subscriber).map_err(|_| AlreadyInstalled::Subscriber)?;
    // Records of the `log` crate below the level of the subscriber are discarded early.
    let level = LevelFilter::current().as_log();
    LogTracer::builder().with_max_level(level).init().map_err(|_| AlreadyInstalled::Logger)
}
