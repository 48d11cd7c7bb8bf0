//! The values of the parameters of a run.

use std::collections::HashMap;
use std::fmt;

use super::{ParamDef, ParamError};
use crate::run::RunInfo;
use crate::value::{AnyValue, Value};

/// The values of a DAG's parameters, in their order.
#[derive(Clone, Default)]
pub struct Params(Vec<AnyValue>);

impl Params {
    /// Adds the value of the next parameter.
    #[must_use]
    pub fn with<T: Value>(mut self, value: T) -> Self {
        self.0.push(AnyValue::new(value));
        self
    }

    pub(crate) fn push(&mut self, value: AnyValue) {
        self.0.push(value);
    }

    /// The values for a run: those that are known by the names of their parameters, those parsed
    /// from the texts that `given` returns, or else the default.
    ///
    /// # Errors
    ///
    /// All values that are not allowed, and all parameters with neither a text nor a default.
    pub(crate) fn from_text<'a>(
        defs: &[ParamDef],
        run: &RunInfo,
        known: &HashMap<&'static str, AnyValue>,
        given: impl Fn(&ParamDef) -> Option<Vec<&'a str>>,
    ) -> Result<Self, Vec<ParamError>> {
        let value = |def: &ParamDef| match (known.get(def.name), given(def)) {
            (Some(value), _) => Ok(value.clone()),
            (None, Some(texts)) => def.parse_all(&texts),
            (None, None) => def.value_of_default(run),
        };
        let (mut values, mut errors) = (Vec::with_capacity(defs.len()), Vec::new());
        for def in defs {
            match value(def) {
                Ok(value) => values.push(value),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(Params(values)) } else { Err(errors) }
    }

    /// These values, in the order of the parameters.
    pub(crate) fn of(values: Vec<AnyValue>) -> Self {
        Params(values)
    }

    /// The values.
    pub fn values(&self) -> &[AnyValue] {
        &self.0
    }
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Params({})", self.0.len())
    }
}
