//! Finds programs in `PATH`.

use std::env;
use std::path::{Path, PathBuf};

/// Finds a program in the directories of `PATH`.
pub(super) fn on_path(name: &Path) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|directory| directory.join(name)).find(|path| path.is_file())
}
