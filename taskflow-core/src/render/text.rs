//! Small pieces of text that several formats share.

use serde_json::Value;

/// At most `limit` characters; what does not fit is replaced by `..`, and line breaks become
/// spaces.
pub(super) fn shorten(text: &str, limit: usize) -> String {
    let flat = |character: char| if character.is_control() { ' ' } else { character };
    if text.chars().nth(limit).is_none() {
        return text.chars().map(flat).collect();
    }
    let kept: String = text.chars().take(limit.saturating_sub(2)).map(flat).collect();
    format!("{}..", kept.trim_end())
}

/// JSON in at most about `limit` characters, without writing out the rest of a long list or object
/// first.
pub(super) fn brief_json(json: &Value, limit: usize) -> String {
    match json {
        Value::Array(items) if items.len() > limit / 2 => {
            let head: Vec<String> = items.iter().take(3).map(|item| brief_json(item, limit / 4)).collect();
            shorten(&format!("[{}, .. {} in all]", head.join(", "), items.len()), limit.max(24))
        }
        Value::Object(entries) if entries.len() > limit / 2 => format!("{{.. {} entries}}", entries.len()),
        Value::String(text) if text.len() > limit * 4 => {
            let head: String = text.chars().take(limit).collect();
            shorten(&Value::String(head).to_string(), limit)
        }
        json => shorten(&json.to_string(), limit),
    }
}

/// A value of an option as it reads in a list: `5s` rather than `"5s"`.
pub(super) fn plain(json: &Value) -> String {
    match json {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(" "),
        json => json.to_string(),
    }
}

/// `1 task`, `2 tasks`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// The first line of a doc comment, for lists and headings.
pub(super) fn headline(doc: &str) -> &str {
    doc.trim().lines().next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn long_values_are_truncated_to_one_line() {
        assert_eq!(shorten("a\nb", 10), "a b");
        assert_eq!(shorten("abcdefgh", 6), "abcd..");
        assert_eq!(brief_json(&json!("x".repeat(1000)), 12), "\"xxxxxxxxx..");
        assert_eq!(brief_json(&json!((0..10_000).collect::<Vec<_>>()), 40), "[0, 1, 2, .. 10000 in all]");
        assert_eq!(brief_json(&json!({"a": [1, 2]}), 40), r#"{"a":[1,2]}"#);
    }

    #[test]
    fn options_in_a_list_have_no_quotes() {
        assert_eq!(plain(&json!("10m")), "10m");
        assert_eq!(plain(&json!(["daily", "flights"])), "daily flights");
        assert_eq!(plain(&json!(3)), "3");
    }
}
