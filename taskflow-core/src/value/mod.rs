//! Values passed between tasks: Airflow's XCom, typed.
//!
//! Within the process a value is behind [`AnyValue`], which shares it: a task that takes `&T`
//! copies nothing, and the last task that takes `T` receives it by move if it cannot be needed
//! again. Values that must outlive the process are stored as MessagePack ([`TypeInfo::encode`]);
//! previews are created from those bytes, without the type.

mod any;
mod codec;
mod constant;
mod files;
#[cfg(feature = "arrow")]
mod frame;
mod json;
mod msgpack;
mod preview;
mod probe;
mod table_file;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use any::{AnyValue, into_owned, into_shared};
use codec::Codec;
pub use constant::Constant;
pub(crate) use files::{FileRef, ValueFileError, ValueFiles};
#[cfg(feature = "arrow")]
pub use frame::Frame;
pub(crate) use json::to_json;
pub(crate) use preview::preview;
pub(crate) use table_file::is_table;

/// Checks that bytes are the stored form of one value.
///
/// # Errors
///
/// Where they are not.
pub(crate) fn check(bytes: &[u8]) -> Result<(), String> {
    match is_table(bytes) {
        true => table_file::check(bytes),
        false => msgpack::check(bytes).map_err(|broken| broken.to_string()),
    }
}

/// The types a task may return and take: data that can be stored and sent between threads.
///
/// Implemented for every type with the listed properties; never implement it by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be passed between tasks",
    label = "not a value that taskflow can store and pass on",
    note = "a value is stored and changes threads: it is `Serialize + DeserializeOwned + Send + Sync + 'static`",
    note = "derive `serde::Serialize` and `serde::Deserialize` for your type and for those inside it; types of other crates \
            often have them behind a feature named `serde`",
    note = "connections, secrets, borrows and `Rc` are not values: create them inside the task, from data"
)]
pub trait Value: Serialize + DeserializeOwned + Send + Sync + 'static {}

// Without this, the compiler reports each missing trait separately and lists serde's
// implementations.
#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Value for T {}

/// A type by name, for plans, messages and stored values. Types with the same name are not
/// distinguished.
///
/// For a [`Value`] it can also encode and decode values.
#[derive(Clone, Copy)]
pub struct TypeInfo {
    path: fn() -> &'static str,
    codec: Option<&'static Codec>,
}

impl TypeInfo {
    /// Describes `T` by name only.
    pub const fn of<T: ?Sized + 'static>() -> Self {
        TypeInfo { path: std::any::type_name::<T>, codec: None }
    }

    /// Describes `T`, with encoding and decoding.
    pub const fn of_value<T: Value>() -> Self {
        TypeInfo { path: std::any::type_name::<T>, codec: Some(Codec::of::<T>()) }
    }

    /// Describes an input of a task. It supports encoding if tasks can run on executors (feature
    /// `spark`); otherwise no code is generated for that.
    #[cfg(feature = "spark")]
    #[doc(hidden)]
    pub const fn of_input<T: Value>() -> Self {
        Self::of_value::<T>()
    }

    /// Describes an input of a task.
    #[cfg(not(feature = "spark"))]
    #[doc(hidden)]
    pub const fn of_input<T: ?Sized + 'static>() -> Self {
        Self::of::<T>()
    }

    /// The JSON form of a value of this type.
    ///
    /// # Errors
    ///
    /// If JSON cannot represent it (a map with tuple keys), it has another type, or the description
    /// is from [`TypeInfo::of`].
    pub fn json(self, value: &AnyValue) -> Result<serde_json::Value, String> {
        (self.codec()?.json)(value)
    }

    /// The JSON form of a value of this type for people: where JSON has no form for it, with text,
    /// and then with the reason.
    ///
    /// # Errors
    ///
    /// If it has another type, cannot be encoded either, or the description is from
    /// [`TypeInfo::of`].
    pub(crate) fn readable_json(self, value: &AnyValue) -> Result<(serde_json::Value, Option<String>), String> {
        let reason = match self.json(value) {
            // Numbers that JSON does not have are `null` in it.
            Ok(mut json) => {
                let has_null = contains_null(&json);
                let readable = if has_null {
                    self.encode(value).and_then(|bytes| to_json(&bytes, self.path()))
                } else {
                    Ok(serde_json::Value::Null)
                };
                let replaced = readable.is_ok_and(|readable| fill_nulls(&mut json, &readable));
                return Ok((json, replaced.then(|| "JSON has no such numbers".to_owned())));
            }
            Err(reason) => reason,
        };
        Ok((to_json(&self.encode(value)?, self.path())?, Some(reason)))
    }

    /// Converts JSON to a value, for example a parameter from the command line.
    ///
    /// # Errors
    ///
    /// If the JSON is not a value of this type, or the description is from [`TypeInfo::of`].
    pub fn from_json(self, json: &serde_json::Value) -> Result<AnyValue, String> {
        (self.codec()?.from_json)(json)
    }

    /// Encodes a value of this type as MessagePack with field names.
    ///
    /// # Errors
    ///
    /// If it would not survive decoding (`Some(None)`, more than 128 levels, a type that cannot
    /// read what it writes), its `Serialize` fails, it has another type, or the description is from
    /// [`TypeInfo::of`].
    pub fn encode(self, value: &AnyValue) -> Result<Vec<u8>, String> {
        (self.codec()?.encode)(value)
    }

    /// Decodes a value from untrusted bytes.
    ///
    /// # Errors
    ///
    /// If they are not exactly one value of this type, or the description is from [`TypeInfo::of`].
    pub fn decode(self, bytes: &[u8]) -> Result<AnyValue, String> {
        (self.codec()?.decode)(bytes)
    }

    /// Whether values can be encoded: the description is not from [`TypeInfo::of`].
    pub(crate) fn can_encode(self) -> bool {
        self.codec.is_some()
    }

    fn codec(self) -> Result<&'static Codec, String> {
        self.codec.ok_or_else(|| format!("only the name of {} is known", self.path()))
    }

    /// The full path, `alloc::vec::Vec<app::Flight>`.
    pub fn path(self) -> &'static str {
        (self.path)()
    }

    /// The name without modules: `Vec<Flight>`.
    pub fn short(self) -> String {
        short_name(self.path())
    }
}

/// The name of a type without its module path.
pub(crate) fn short_name(path: &str) -> String {
    let mut short = String::new();
    let mut segment = String::new();
    let mut characters = path.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            ':' if characters.peek() == Some(&':') => {
                characters.next();
                segment.clear();
            }
            '<' | '>' | ',' | ' ' | '(' | ')' | '[' | ']' | '&' | ';' => {
                short.push_str(&segment);
                segment.clear();
                short.push(character);
            }
            _ => segment.push(character),
        }
    }
    short + &segment
}

impl std::fmt::Debug for TypeInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.path())
    }
}

/// For fuzzing: reads `bytes` in every way in which stored bytes are read. Must not panic.
pub(crate) fn read_any(bytes: &[u8]) {
    let _ = preview(bytes, "u128", 1000);
    let _ = to_json(bytes, "");
    let types = [
        TypeInfo::of_value::<serde_json::Value>(),
        TypeInfo::of_value::<Vec<Option<(u8, i128, f64)>>>(),
        TypeInfo::of_value::<std::collections::BTreeMap<String, Vec<u8>>>(),
        TypeInfo::of_value::<Vec<crate::base::Failure>>(),
        TypeInfo::of_value::<(char, bool, String, std::time::Duration, ())>(),
    ];
    for ty in types {
        let _ = ty.decode(bytes);
    }
}

fn contains_null(json: &serde_json::Value) -> bool {
    match json {
        serde_json::Value::Null => true,
        serde_json::Value::Array(items) => items.iter().any(contains_null),
        serde_json::Value::Object(fields) => fields.values().any(contains_null),
        _ => false,
    }
}

/// Replaces each `null` for which `readable` has a text. Returns whether there was one.
fn fill_nulls(json: &mut serde_json::Value, readable: &serde_json::Value) -> bool {
    use serde_json::Value;
    match (json, readable) {
        (json @ Value::Null, text @ Value::String(_)) => {
            json.clone_from(text);
            true
        }
        (Value::Array(items), Value::Array(others)) if items.len() == others.len() => {
            items.iter_mut().zip(others).fold(false, |any, (item, other)| fill_nulls(item, other) | any)
        }
        (Value::Object(fields), Value::Object(others)) => fields
            .iter_mut()
            .fold(false, |any, (name, field)| others.get(name).is_some_and(|other| fill_nulls(field, other)) | any),
        _ => false,
    }
}
