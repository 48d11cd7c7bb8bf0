//! How a question can be answered, from the type of the answer.

use serde::Serialize;
use serde_json::{Value, json};

use crate::approval::check;
use crate::base::schema::Schema;
use crate::dag::Plan;

/// What an answer looks like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Schema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum AnswerForm {
    /// One of these texts.
    Choice {
        /// The texts.
        choices: Vec<String>,
        /// Whether there are other answers, which are JSON.
        has_others: bool,
    },
    /// Yes or no.
    Switch,
    /// Any text.
    Text,
    /// A number.
    Number,
    /// Any other JSON.
    Json,
}

impl AnswerForm {
    /// The form of the answer to a question.
    ///
    /// A type has no description beside its name. So values are tried: an enum refuses a name that
    /// it does not have with a list of those that it has.
    pub(super) fn of(plan: &Plan, key: &str) -> AnswerForm {
        let accepts = |value: Value| check(plan, key, &value).is_ok();
        // No name of a variant has this letter.
        match check(plan, key, &json!("\u{1}")) {
            Ok(()) => AnswerForm::Text,
            Err(_) if accepts(json!(true)) => AnswerForm::Switch,
            Err(_) if accepts(json!(1)) || accepts(json!(-1)) || accepts(json!(0.5)) => AnswerForm::Number,
            Err(refusal) => {
                let named = expected(&refusal);
                let all = named.len();
                let choices: Vec<String> = named.into_iter().filter(|name| accepts(json!(name))).collect();
                match choices.len() {
                    0 => AnswerForm::Json,
                    known => AnswerForm::Choice { choices, has_others: known < all },
                }
            }
        }
    }

    /// The answer that a text of a form means.
    ///
    /// # Errors
    ///
    /// Why the text is no such answer.
    pub fn read(&self, text: &str) -> Result<Value, String> {
        let text = text.trim();
        let json = || serde_json::from_str(text).map_err(|error| format!("`{text}` is not JSON: {error}"));
        match self {
            AnswerForm::Text => Ok(text.into()),
            AnswerForm::Choice { choices, .. } if choices.iter().any(|choice| choice == text) => Ok(text.into()),
            AnswerForm::Choice { choices, has_others: false } => {
                Err(format!("`{text}` is not one of {}", choices.join(", ")))
            }
            AnswerForm::Switch if !matches!(text, "true" | "false") => {
                Err(format!("`{text}` is neither true nor false"))
            }
            AnswerForm::Number if text.parse::<f64>().is_err() => Err(format!("`{text}` is not a number")),
            AnswerForm::Switch | AnswerForm::Number | AnswerForm::Choice { .. } | AnswerForm::Json => json(),
        }
    }
}

/// The names that serde expected: ``unknown variant `x`, expected one of `a`, `b` ``.
fn expected(refusal: &str) -> Vec<String> {
    let names = refusal.rsplit_once("unknown variant").and_then(|(_, rest)| rest.split_once(", expected "));
    names.map(|(_, names)| names.split('`').skip(1).step_by(2).map(str::to_owned).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_variants_are_read_from_a_refusal() {
        let many = "\"\u{1}\" is not a valid Choice: unknown variant `\u{1}`, expected one of `a`, `b c`, `d`";
        assert_eq!(expected(many), ["a", "b c", "d"]);
        assert_eq!(expected("unknown variant `x`, expected `a` or `b`"), ["a", "b"]);
        assert!(expected("unknown variant `x`, there are no variants").is_empty());
        assert!(expected("invalid type: string \"x\", expected u8").is_empty());
    }

    #[test]
    fn a_text_of_a_form_is_an_answer_or_is_refused_with_what_would_be_one() {
        let choice = |has_others| AnswerForm::Choice { choices: vec!["yes".to_owned(), "no".to_owned()], has_others };
        assert_eq!(choice(false).read(" yes "), Ok(json!("yes")));
        assert_eq!(choice(false).read("perhaps"), Err("`perhaps` is not one of yes, no".to_owned()));
        assert_eq!(choice(true).read("{\"later\": 3}"), Ok(json!({ "later": 3 })));
        assert_eq!(AnswerForm::Number.read("2.5"), Ok(json!(2.5)));
        assert!(AnswerForm::Number.read("many").is_err() && AnswerForm::Switch.read("1").is_err());
        assert_eq!(AnswerForm::Text.read("\"x\""), Ok(json!("\"x\"")));
    }
}
