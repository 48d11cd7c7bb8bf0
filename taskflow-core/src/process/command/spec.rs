//! A command as data: a constant of the graph, with placeholders for outputs of tasks.

use std::fmt::{self, Write as _};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::SKIP;

/// All settings of a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Spec {
    /// The program, then its arguments; never empty.
    pub(super) words: Vec<Text>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) env: Vec<(String, Text)>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) env_clear: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) inherit_secrets: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cwd: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stdin: Option<Text>,
    pub(super) skip_on: Option<i32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) no_retry_on: Vec<i32>,
    /// If set, no other exit code is retried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) retry_only_on: Option<Vec<i32>>,
    /// How many bytes of stdout to capture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) capture: Option<u64>,
}

/// A text, or a placeholder for the output of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Text {
    Known(String),
    Output { output: u32 },
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Text::Known(text)
    }
}

impl Spec {
    /// Whether a failure with this exit code may be retried.
    pub(super) fn retries(&self, code: i32) -> bool {
        let listed = self.retry_only_on.as_ref().is_none_or(|codes| codes.contains(&code));
        listed && !self.no_retry_on.contains(&code)
    }

    pub(super) fn of<const N: usize>(words: [String; N]) -> Self {
        Spec {
            words: words.map(Text::from).into(),
            env: Vec::new(),
            env_clear: false,
            inherit_secrets: false,
            cwd: None,
            stdin: None,
            skip_on: Some(SKIP),
            no_retry_on: Vec::new(),
            retry_only_on: None,
            capture: None,
        }
    }

    /// Replaces the placeholders with values.
    pub(super) fn fill(&mut self, values: &[String]) {
        let env = self.env.iter_mut().map(|(_, text)| text);
        for text in self.words.iter_mut().chain(env).chain(&mut self.stdin) {
            text.fill(values);
        }
    }
}

impl Text {
    /// Replaces the placeholder with its value.
    pub(crate) fn fill(&mut self, values: &[String]) {
        if let Text::Output { output } = self
            && let Some(value) = values.get(*output as usize)
        {
            *self = Text::Known(value.clone());
        }
    }

    /// The text.
    ///
    /// # Panics
    ///
    /// If a placeholder has not been replaced: the types of [`Command`](super::Command) rule that
    /// out.
    pub(crate) fn known(&self) -> &str {
        match self {
            Text::Known(text) => text,
            Text::Output { .. } => {
                unreachable!("a command with outputs of tasks runs only as a node, which fills in their values")
            }
        }
    }
}

/// The beginning of the command line, for messages: scripts are shown on one line and may be cut.
impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 60;
        let mut line = String::new();
        for text in &self.words {
            let text = match text {
                Text::Known(text) => text.as_str(),
                Text::Output { .. } => "..",
            };
            let space = if line.is_empty() { "" } else { " " };
            // Writing to a string cannot fail.
            let _ = write!(line, "{space}{}", text.trim().replace('\n', "; "));
        }
        match line.char_indices().nth(LONGEST) {
            Some((end, _)) => write!(f, "{} ..", &line[..end]),
            None => f.write_str(&line),
        }
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_replaced_by_the_outputs_of_tasks() {
        let mut spec = Spec::of(["echo".to_owned()]);
        spec.words.push(Text::Output { output: 1 });
        spec.env.push(("DAY".to_owned(), Text::Output { output: 0 }));
        assert_eq!(spec.to_string(), "echo ..");
        spec.fill(&["monday".to_owned(), "two".to_owned()]);
        assert_eq!((spec.words[1].known(), spec.env[0].1.known()), ("two", "monday"));
    }

    #[test]
    fn a_long_script_is_one_short_line_in_messages() {
        let spec = Spec::of(["bash".to_owned(), "-c".to_owned(), format!("echo one\necho {}", "x".repeat(100))]);
        assert_eq!(spec.to_string(), format!("bash -c echo one; echo {} ..", "x".repeat(37)));
    }
}
