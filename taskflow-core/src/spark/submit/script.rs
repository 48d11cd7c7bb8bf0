//! Runs Scala scripts in `spark-shell` so that the shell fails when the script does.
//!
//! `spark-shell -i` continues after exceptions and compile errors, and always exits with 0.
//! Therefore the script is pasted as a whole: if it does not compile, none of it runs, and an
//! exception ends it. Its last line sets a property; the shell then exits with 0 if the property is
//! set, else with 1.

use std::io::{self, Write as _};

use tempfile::TempPath;

use super::spec::{AppKind, Spec};

/// The line that is printed when a script has run to its end.
pub(super) const END: &str = "taskflow: the script has run to its end";

/// A script and the commands that run it.
#[derive(Debug)]
pub(super) struct Script {
    /// The commands that the shell reads from stdin.
    pub(super) steps: String,
    /// The script with its last line; removed on drop.
    _file: TempPath,
}

/// Prepares the application, if it is a Scala script.
pub(super) fn of(spec: &Spec) -> io::Result<Option<Script>> {
    let (Some(AppKind::Scala), Some(path)) = (spec.app_kind(), spec.path()) else { return Ok(None) };
    let path = spec.cwd.clone().unwrap_or_default().join(path);
    let text = std::fs::read_to_string(path)?;
    let mut file = tempfile::Builder::new().prefix("taskflow-").suffix(".scala").tempfile()?;
    write!(file, "{text}\n;System.setProperty(\"taskflow.end\", \"yes\")\n")?;
    file.flush()?;
    // `:silent` hides the results of the shell, so that only the script prints.
    let steps = format!(
        ":silent\n:paste {}\n\
         if (System.getProperty(\"taskflow.end\") == \"yes\") {{ println(\"{END}\"); System.exit(0) }} else System.exit(1)\n",
        file.path().display()
    );
    Ok(Some(Script { steps, _file: file.into_temp_path() }))
}
