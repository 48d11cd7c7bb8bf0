//! Closes a home to other users: runs hold values, parameters and logs.

use std::path::Path;

use crate::base::private;

/// What a home consists of.
const OWN: [&str; 8] =
    ["taskflow.db", "taskflow.db-wal", "taskflow.db-shm", "values", "logs", "artifacts", "live", "serve.lock"];

/// Takes away the permissions of others on the parts of a home, and on the directory unless it
/// contains other things too. Returns a sentence about it if there were any.
pub(crate) fn tighten(home: &Path) -> Option<String> {
    let entries = std::fs::read_dir(home).ok()?;
    let names: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
    let is_own = |name: &std::ffi::OsString| OWN.iter().any(|own| name == own);
    // A directory without a store is no home yet.
    if !names.iter().any(|name| name == OWN[0]) {
        return None;
    }
    let only_a_home = names.iter().all(|name| is_own(name) || name == "taskflow.toml");
    let directory = only_a_home.then(|| home.to_owned());
    let parts = names.iter().filter(|name| is_own(name)).map(|name| home.join(name));
    let mut changed = None;
    for path in directory.into_iter().chain(parts) {
        match private::tighten(&path) {
            Ok(Some(mode)) => {
                changed.get_or_insert_with(|| {
                    format!("{} was open to other users (mode {mode:04o}); now it is closed to them", path.display())
                });
            }
            Ok(None) => {}
            Err(error) => {
                return Some(format!("{} is open to other users, and cannot be closed: {error}", path.display()));
            }
        }
    }
    changed
}
