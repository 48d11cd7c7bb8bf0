//! Checks before anything is started: they save a minute and a half, and a misleading message.

use super::super::reach::reach;
use super::SparkError;
use super::place::Place;
use super::spec::Spec;

/// Checks that the application exists and the master is reachable. Blocks.
///
/// # Errors
///
/// If one of them is missing.
pub(super) fn check(spec: &Spec, place: &Place) -> Result<(), SparkError> {
    if let Some(path) = spec.path() {
        let folder = spec.cwd.clone().or_else(|| std::env::current_dir().ok()).unwrap_or_default();
        if !folder.join(path).is_file() {
            return Err(SparkError::ApplicationMissing { app: spec.app.clone(), folder: folder.display().to_string() });
        }
    }
    reach(&place.master)
}
