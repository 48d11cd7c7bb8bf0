//! Why a value of a parameter is refused.

use std::fmt;

use crate::base::ErrorKind;

/// An invalid value of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamError {
    /// The parameter.
    pub param: &'static str,
    /// The value, as text.
    pub given: Option<String>,
    /// What is wrong, as a predicate of the value (of the parameter, if there is no value): `is not
    /// in the range 0..=600`.
    pub message: String,
}

impl fmt::Display for ParamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.given {
            Some(given) => write!(f, "parameter `{}`: `{given}` {}", self.param, self.message),
            None => write!(f, "parameter `{}` {}", self.param, self.message),
        }
    }
}

impl std::error::Error for ParamError {}

impl ParamError {
    /// The class of the error: always [`ErrorKind::Invalid`].
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}
