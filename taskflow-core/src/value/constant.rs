//! A constant in the graph: a literal argument, or the default of a parameter.

use std::fmt;

use super::{AnyValue, TypeInfo, Value};

/// A value known when the graph is built.
///
/// It is stored with its type for the task that takes it, and as JSON for the plan, its hash and
/// its renderings. A value without a JSON form (a map with tuple keys) is reported when the plan is
/// frozen.
#[derive(Clone)]
pub struct Constant {
    value: AnyValue,
    json: Result<serde_json::Value, String>,
    ty: TypeInfo,
}

impl Constant {
    /// Creates a constant.
    pub fn new<T: Value>(value: T) -> Self {
        let json = serde_json::to_value(&value).map_err(|error| error.to_string());
        Constant { value: AnyValue::new(value), json, ty: TypeInfo::of_value::<T>() }
    }

    /// Creates a constant from something that is not data, such as a function; the plan, its hash
    /// and its renderings show `label`.
    pub(crate) fn opaque<T: Send + Sync + 'static>(value: T, label: &str) -> Self {
        Constant { value: AnyValue::new(value), json: Ok(label.into()), ty: TypeInfo::of::<T>() }
    }

    /// The value.
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
