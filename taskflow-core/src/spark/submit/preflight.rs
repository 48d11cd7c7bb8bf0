//! What is looked at before anything is started: it saves a minute and a half, and a message that
//! misleads.

use super::super::reach::reach;
use super::SparkError;
use super::place::Place;
use super::spec::Spec;

/// Blocks.
///
/// # Errors
///
/// When the application is not there, or nobody answers at the master.
pub(super) fn look(spec: &Spec, place: &Place) -> Result<(), SparkError> {
    if let Some(path) = spec.path() {
        let folder = spec.cwd.clone().or_else(|| std::env::current_dir().ok()).unwrap_or_default();
        if !folder.join(path).is_file() {
            return Err(SparkError::ApplicationMissing { app: spec.app.clone(), folder: folder.display().to_string() });
        }
    }
    reach(&place.master)
}
