//! The view as JSON, indented for people; programs do not mind.

use super::view::View;

pub(super) fn json(view: &View<'_>) -> String {
    // A view holds text, numbers and JSON: nothing that could fail to serialise.
    let mut text = serde_json::to_string_pretty(view).unwrap_or_default();
    text.push('\n');
    text
}
