//! What would be lost, and where.

use std::fmt;

use serde::ser;

/// What would be lost, and where. Boxed, so that the success path stays small.
#[derive(Debug)]
pub(super) struct Lost(Box<Place>);

#[derive(Debug)]
struct Place {
    what: String,
    /// From the inside out.
    path: Vec<Step>,
}

#[derive(Debug)]
pub(super) enum Step {
    Field(&'static str),
    Element(usize),
    Key(String),
}

/// Longer paths are cut in the middle: those of values that are nested too deeply.
const SHOWN_STEPS: usize = 12;

impl Lost {
    #[cold]
    pub(super) fn new(what: impl Into<String>) -> Self {
        Lost(Box::new(Place { what: what.into(), path: Vec::new() }))
    }

    #[cold]
    pub(super) fn within(mut self, step: Step) -> Self {
        self.0.path.push(step);
        self
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { what, path } = &*self.0;
        if path.is_empty() {
            return f.write_str(what);
        }
        f.write_str("at `")?;
        for (index, step) in path.iter().rev().take(SHOWN_STEPS).enumerate() {
            match step {
                Step::Field(name) if index == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Element(index) => write!(f, "[{index}]")?,
                Step::Key(key) => write!(f, "[{key}]")?,
            }
        }
        let cut = if path.len() > SHOWN_STEPS { "…" } else { "" };
        write!(f, "{cut}`: {what}")
    }
}

impl std::error::Error for Lost {}

impl ser::Error for Lost {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Lost::new(message.to_string())
    }
}
