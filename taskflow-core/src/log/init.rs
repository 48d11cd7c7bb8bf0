//! Being the subscriber of a program that has none.

use tracing_log::{AsLog as _, LogTracer};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;

use super::layer::layer_with;
use super::sink::LogSink;

/// Why [`init`] left something as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AlreadyInstalled {
    /// The application has a subscriber of its own; nothing was changed.
    #[error(
        "the application has a tracing subscriber of its own, so what tasks emit is in no log of taskflow: add \
         `.with(taskflow::log::layer(sink))` to its `tracing_subscriber::registry()`"
    )]
    Subscriber,
    /// The application has a logger of its own. What goes through `tracing` is in the logs, what goes through the `log`
    /// crate stays with that logger.
    #[error(
        "the application has a logger of the `log` crate of its own, so records of that crate are in no log of taskflow: \
         install `tracing_log::LogTracer` in its place"
    )]
    Logger,
}

/// Makes the whole process send what tasks emit to their logs, down to `INFO`: through `tracing` and through `log`.
///
/// # Errors
///
/// When the application has installed a subscriber or a logger of its own; the error says what to do.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sink = taskflow::log::LogSink::open("logs")?;
/// taskflow::log::init(sink.clone())?;
/// # Ok(())
/// # }
/// ```
pub fn init(sink: LogSink) -> Result<(), AlreadyInstalled> {
    init_with(sink, Targets::new().with_default(LevelFilter::INFO))
}

/// As [`init`], with a filter of one's own.
///
/// # Errors
///
/// As [`init`].
pub fn init_with(sink: LogSink, targets: Targets) -> Result<(), AlreadyInstalled> {
    let subscriber = tracing_subscriber::registry().with(layer_with(sink, targets));
    tracing::subscriber::set_global_default(subscriber).map_err(|_| AlreadyInstalled::Subscriber)?;
    // Below the level of the subscriber, records of the `log` crate need not even be looked at.
    let level = LevelFilter::current().as_log();
    LogTracer::builder().with_max_level(level).init().map_err(|_| AlreadyInstalled::Logger)
}
