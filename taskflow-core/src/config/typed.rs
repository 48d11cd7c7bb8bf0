//! Conversion of values to the requested type.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::value::short_name;

/// Converts the value; if it is a text and that fails, the text is parsed as JSON.
pub(super) fn read<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    let text = match &value {
        Value::String(text) => Some(text.clone()),
        _ => None,
    };
    let as_it_is: Result<T, _> = serde_json::from_value(value);
    as_it_is.or_else(|error| {
        let as_json = text.and_then(|text| serde_json::from_str(&text).ok());
        as_json.ok_or_else(|| error.to_string())
    })
}

/// Converts a text of the environment: JSON if that results in the requested type, otherwise a
/// text.
pub(super) fn read_text<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let as_text = || serde_json::from_value(Value::String(text.to_owned()));
    serde_json::from_str(text).or_else(|_| as_text()).map_err(|error| match serde_json::from_str::<Value>(text) {
        // Report the error for the intended type.
        Ok(value) if !value.is_string() => read::<T>(value).err().unwrap_or_else(|| error.to_string()),
        _ => error.to_string(),
    })
}

/// The name of a type without its modules.
pub(super) fn name<T>() -> String {
    short_name(std::any::type_name::<T>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_parsed_as_the_requested_type() {
        assert_eq!(read_text::<u32>("15"), Ok(15));
        assert_eq!(read_text::<String>("15"), Ok("15".to_owned()));
        assert_eq!(read_text::<Vec<String>>(r#"["a", "b"]"#), Ok(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(read_text::<std::path::PathBuf>("/tmp"), Ok("/tmp".into()));
        assert_eq!(read_text::<u8>("300").unwrap_err(), "invalid value: integer `300`, expected u8");
        assert_eq!(read_text::<u8>("many").unwrap_err(), "invalid type: string \"many\", expected u8");
        assert_eq!(read::<u32>("3".into()), Ok(3));
        assert_eq!(name::<Vec<std::path::PathBuf>>(), "Vec<PathBuf>");
    }
}
