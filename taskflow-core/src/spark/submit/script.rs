//! Scala scripts: what `spark-shell` is given, so that it fails when the script does.
//!
//! `spark-shell -i` goes on after an exception and after what does not compile, and ends with 0.
//! Here the script is pasted as one whole: if it does not compile, nothing of it runs, and an
//! exception ends it. Its last line says that it came to its end; a last step ends the shell with 0
//! or 1 accordingly.

use std::io::{self, Write as _};

use tempfile::TempPath;

use super::spec::{Sort, Spec};

/// The line by which a script is known to have come to its end.
pub(super) const END: &str = "taskflow: the script has come to its end";

/// A script for the shell.
#[derive(Debug)]
pub(super) struct Script {
    /// What the shell reads from stdin.
    pub(super) steps: String,
    /// The script with its last line; gone with this.
    _file: TempPath,
}

/// The script, if the application is one.
pub(super) fn of(spec: &Spec) -> io::Result<Option<Script>> {
    let (Some(Sort::Scala), Some(path)) = (spec.sort(), spec.path()) else { return Ok(None) };
    let path = spec.cwd.clone().unwrap_or_default().join(path);
    let text = std::fs::read_to_string(path)?;
    let mut file = tempfile::Builder::new().prefix("taskflow-").suffix(".scala").tempfile()?;
    write!(file, "{text}\n;System.setProperty(\"taskflow.end\", \"yes\")\n")?;
    file.flush()?;
    // Only what the script prints itself is of interest.
    let steps = format!(
        ":silent\n:paste {}\n\
         if (System.getProperty(\"taskflow.end\") == \"yes\") {{ println(\"{END}\"); System.exit(0) }} else System.exit(1)\n",
        file.path().display()
    );
    Ok(Some(Script { steps, _file: file.into_temp_path() }))
}
