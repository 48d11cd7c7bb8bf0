//! A plain value in the graph: a literal argument, or the default of a parameter.

use std::fmt;
use std::sync::Arc;

use super::{AnyValue, TypeInfo, Value};

/// A value known when the graph is built.
///
/// It is kept in its type for the task that takes it, and as JSON for the plan, its hash and its pictures. A value that
/// JSON cannot hold (a map with tuple keys) is reported when the plan is frozen.
#[derive(Clone)]
pub struct Constant {
    value: AnyValue,
    json: Result<serde_json::Value, String>,
    ty: TypeInfo,
}

impl Constant {
    /// Keeps `value`.
    pub fn new<T: Value>(value: T) -> Self {
        let json = serde_json::to_value(&value).map_err(|error| error.to_string());
        Constant { value: Arc::new(value), json, ty: TypeInfo::of_value::<T>() }
    }

    /// Keeps what is no data, a function say: for the plan, its hash and its pictures it is `label`.
    pub(crate) fn opaque<T: Send + Sync + 'static>(value: T, label: &str) -> Self {
        Constant { value: Arc::new(value), json: Ok(label.into()), ty: TypeInfo::of::<T>() }
    }

    /// The value for a task.
    pub fn value(&self) -> &AnyValue {
        &self.value
    }

    /// Its JSON form, or why there is none.
    pub fn json(&self) -> Result<&serde_json::Value, &str> {
        self.json.as_ref().map_err(String::as_str)
    }

    /// Its type.
    pub fn ty(&self) -> TypeInfo {
        self.ty
    }
}

impl fmt::Debug for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.json {
            Ok(json) => write!(f, "{json}"),
            Err(_) => write!(f, "<{}>", self.ty.short()),
        }
    }
}
