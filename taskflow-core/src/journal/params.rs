//! The stored parameters of a run: with names and types, so that a later build can check them.

use serde::{Deserialize, Serialize};

use crate::dag::{ParamDef, Params};
use crate::run::RunInfo;
use crate::value::AnyValue;

/// The value of one parameter.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StoredParam {
    pub(crate) name: String,
    /// Its type, without modules.
    pub(crate) ty: String,
    /// The stored form of the value.
    pub(crate) value: Vec<u8>,
}

/// The stored form of all parameters of a run.
///
/// # Errors
///
/// When a value cannot be stored.
pub(crate) fn encode(defs: &[ParamDef], values: &[AnyValue]) -> Result<Vec<u8>, String> {
    let mut stored = Vec::with_capacity(defs.len());
    for (def, value) in defs.iter().zip(values) {
        let bytes = def.ty.encode(value).map_err(|error| format!("parameter `{}`: {error}", def.name))?;
        stored.push(StoredParam { name: def.name.to_owned(), ty: def.ty.short(), value: bytes });
    }
    postcard::to_stdvec(&stored).map_err(|error| error.to_string())
}

/// The parameters of a stored run, with their names.
///
/// # Errors
///
/// When the bytes are not parameters.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<StoredParam>, String> {
    postcard::from_bytes(bytes).map_err(|error| error.to_string())
}

/// The values for a graph that may have changed: stored values by name, defaults for new
/// parameters.
///
/// # Errors
///
/// Names every parameter that has changed its type, or is new and has no default.
pub(crate) fn restore(stored: &[StoredParam], defs: &[ParamDef], run: &RunInfo) -> Result<Params, String> {
    let mut mistakes = Vec::new();
    let mut values = Vec::with_capacity(defs.len());
    for def in defs {
        let value = match stored.iter().find(|stored| stored.name == def.name) {
            Some(stored) if stored.ty != def.ty.short() => Err(format!(
                "parameter `{}` was a {} and is a {} now; start a new run",
                def.name,
                stored.ty,
                def.ty.short()
            )),
            Some(stored) => def.ty.decode(&stored.value).map_err(|error| format!("parameter `{}`: {error}", def.name)),
            None => match def.default_for(run) {
                Some(Ok(value)) => Ok(value),
                Some(Err(error)) => Err(error.to_string()),
                None => Err(format!("parameter `{}` is new and has no default; start a new run", def.name)),
            },
        };
        match value {
            Ok(value) => values.push(value),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    if mistakes.is_empty() { Ok(Params::of(values)) } else { Err(mistakes.join("; ")) }
}
