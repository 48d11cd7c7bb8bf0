//! Stand-in until the merge.
pub(crate) fn safe_name(id: &str) -> String {
    id.replace('/', "%2F")
}
