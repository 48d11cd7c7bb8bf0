//! The properties and the environment of a job: merged from all sources, and written to a file.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use tempfile::TempPath;

use super::SparkError;
use super::flag::Flag;
use super::place::{Place, Program, config};
use super::spec::{AppKind, Spec};
use crate::log::Redactor;
use crate::task::TaskContext;

/// The property by which a job is found again.
pub(super) const TAG: &str = "spark.taskflow.tag";
/// The variable that names the file for the result.
pub(super) const RESULT: &str = "TASKFLOW_RESULT";

/// The properties and the environment of a job.
#[derive(Clone, Default)]
pub(super) struct Settings {
    pub(super) properties: BTreeMap<String, String>,
    pub(super) env: BTreeMap<String, String>,
}

impl Settings {
    /// Merges the settings. The job takes precedence over the connection, and the connection over
    /// the defaults of the installation.
    ///
    /// # Errors
    ///
    /// If a file or a secret cannot be read.
    pub(super) fn gather(
        spec: &Spec,
        place: &Place,
        program: Option<&Program>,
        context: &TaskContext,
    ) -> Result<Settings, SparkError> {
        let mut properties = BTreeMap::new();
        let base = spec.properties_file.clone().or_else(|| program.and_then(Program::defaults));
        if let Some(base) = base {
            let text = std::fs::read_to_string(&base);
            let text = text.map_err(|error| config(spec, &format!("{} cannot be read: {error}", base.display())))?;
            properties.extend(read(&text));
        }
        let mut default = |key: &str, value: String| {
            properties.entry(key.to_owned()).or_insert(value);
        };
        default("spark.app.name", format!("{}.{}", context.dag_id(), context.task_id()));
        // Any free port: another application may already use 4040.
        default("spark.ui.port", "0".to_owned());
        default("spark.ui.showConsoleProgress", "false".to_owned());
        if matches!(spec.app_kind(), Some(AppKind::Scala | AppKind::Sql)) {
            // The Hive catalog creates a database in the working directory, which two jobs cannot
            // share.
            default("spark.sql.catalogImplementation", "in-memory".to_owned());
        }
        properties.extend(place.conf.iter().cloned());
        if let Some(memory) = &spec.memory {
            properties.insert(Flag::DriverMemory.property().to_owned(), memory.clone());
            properties.insert(Flag::ExecutorMemory.property().to_owned(), memory.clone());
        }
        if let Some(folder) = &spec.event_log {
            properties.insert("spark.eventLog.enabled".to_owned(), "true".to_owned());
            properties.insert("spark.eventLog.dir".to_owned(), url(folder));
            // The summary is read without decompression.
            properties.insert("spark.eventLog.compress".to_owned(), "false".to_owned());
        }
        properties.extend(spec.flags.iter().map(|(flag, value)| (flag.property().to_owned(), value.clone())));
        properties.extend(spec.conf.iter().map(|(key, value)| (key.clone(), value.known().to_owned())));
        let secret = |name: &str| context.secret(name).map_err(|error| config(spec, &error));
        for (key, name) in &spec.secret_conf {
            properties.insert(key.clone(), secret(name)?.expose().to_owned());
        }
        let mut env: BTreeMap<String, String> =
            spec.env.iter().map(|(name, value)| (name.clone(), value.known().to_owned())).collect();
        for (variable, name) in &spec.secret_env {
            env.insert(variable.clone(), secret(name)?.expose().to_owned());
        }
        Ok(Settings { properties, env })
    }

    /// Writes the properties to a file that only this user can read. The file is removed when the
    /// path is dropped.
    pub(super) fn write(&self) -> std::io::Result<TempPath> {
        let mut file = tempfile::Builder::new().prefix("taskflow-spark-").suffix(".conf").tempfile()?;
        file.write_all(text(&self.properties).as_bytes())?;
        file.flush()?;
        Ok(file.into_temp_path())
    }

    /// The properties in one line, for the log.
    pub(super) fn shown(&self) -> String {
        let redactor = Redactor::current();
        let mut line = String::new();
        for (key, value) in &self.properties {
            let value = if Redactor::is_secret_name(key) { "***".into() } else { redactor.text(value) };
            // Writing to a string cannot fail.
            let _ = write!(line, "{}{key}={value}", if line.is_empty() { "" } else { " " });
        }
        line
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Settings({})", self.shown())
    }
}

/// Converts a path to a URL; a URL is returned unchanged.
pub(super) fn url(path: &str) -> String {
    match path.split_once(':') {
        Some(_) => path.to_owned(),
        None => format!("file:{}", std::path::absolute(path).unwrap_or_else(|_| Path::new(path).to_owned()).display()),
    }
}

/// Reads Java's format of properties, as far as Spark's own files use it.
pub(super) fn read(text: &str) -> Vec<(String, String)> {
    let joined = text.replace("\\\r\n", "").replace("\\\n", "");
    let lines = joined.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', '!']));
    lines
        .map(|line| {
            let end = line.find(|c: char| c.is_whitespace() || matches!(c, '=' | ':')).unwrap_or(line.len());
            let value = line[end..].trim_start();
            let value = value.strip_prefix(['=', ':']).unwrap_or(value).trim_start();
            (line[..end].to_owned(), unescaped(value))
        })
        .collect()
}

fn unescaped(value: &str) -> String {
    let mut letters = value.chars();
    let mut text = String::with_capacity(value.len());
    while let Some(letter) = letters.next() {
        match (letter, letter == '\\') {
            (_, true) => text.extend(letters.next().map(|letter| match letter {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                other => other,
            })),
            (letter, false) => text.push(letter),
        }
    }
    text
}

/// Writes properties in Java's format.
fn text(properties: &BTreeMap<String, String>) -> String {
    let mut text = String::new();
    for (key, value) in properties {
        for letter in key.chars() {
            if matches!(letter, ':' | '=' | '#' | '!' | '\\') {
                text.push('\\');
            }
            text.push(letter);
        }
        text.push('=');
        for (at, letter) in value.chars().enumerate() {
            match letter {
                '\\' => text.push_str("\\\\"),
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                '\t' => text.push_str("\\t"),
                ' ' if at == 0 => text.push_str("\\ "),
                letter => text.push(letter),
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_properties_are_read_back_unchanged() {
        let pairs = [("spark.a", " x = y\\z\nnext"), ("spark.b:c", "ü#1"), ("spark.c", "")];
        let properties: BTreeMap<String, String> = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let written = text(&properties);
        assert_eq!(written, "spark.a=\\ x = y\\\\z\\nnext\nspark.b\\:c=ü#1\nspark.c=\n");
        let plain = "# comment\nspark.master  spark://a:1\nspark.x=1\\\n  2\n! no\nspark.y : z\n";
        let read = read(plain);
        let wanted = [("spark.master", "spark://a:1"), ("spark.x", "1  2"), ("spark.y", "z")];
        assert_eq!(read, wanted.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }

    #[test]
    fn secrets_are_in_the_file_and_not_in_the_log() {
        let mut settings = Settings::default();
        settings.properties.insert("spark.hadoop.fs.s3a.secret.key".to_owned(), "hunter2".to_owned());
        settings.properties.insert("spark.x".to_owned(), "1".to_owned());
        assert_eq!(settings.shown(), "spark.hadoop.fs.s3a.secret.key=*** spark.x=1");
        let path = settings.write().unwrap();
        assert!(std::fs::read_to_string(&path).unwrap().contains("hunter2"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
