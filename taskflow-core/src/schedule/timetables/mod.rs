//! The timetables that come with taskflow.

mod crons;
mod dates;
mod every;
mod exceptions;

pub use crons::Crons;
pub use dates::Dates;
pub use every::{Every, EveryError};
pub use exceptions::{Calendar, Exceptions, Shift};
