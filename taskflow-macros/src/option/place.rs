//! Where an option list is written.

/// Where an option list is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// `#[task(..)]`
    Task,
    /// `#[sensor(..)]`
    Sensor,
    /// `#[dag(..)]`
    Dag,
    /// `#[dag(default(..))]`
    TaskDefaults,
    /// `#[param(..)]`
    Param,
    /// `#[event(..)]`
    Event,
}

impl Place {
    pub(super) const ALL: [Place; 6] =
        [Place::Task, Place::Sensor, Place::Dag, Place::TaskDefaults, Place::Param, Place::Event];

    /// The name in messages.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Place::Task => "`#[task]`",
            Place::Sensor => "`#[sensor]`",
            Place::Dag => "`#[dag]`",
            Place::TaskDefaults => "`default(..)` of `#[dag]`",
            Place::Param => "`#[param]`",
            Place::Event => "`#[event]`",
        }
    }
}
