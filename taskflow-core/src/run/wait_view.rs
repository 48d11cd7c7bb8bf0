//! What a task waits for without holding a slot, as data and in words.

use serde::{Deserialize, Serialize};

use super::event_payload::RUN_ENDED;
use super::respondents::QuestionRespondents;
use crate::base::Timestamp;

/// The key in the task state store under which a task that asks people keeps its [`Question`].
pub(crate) const QUESTION: &str = "taskflow.question";

/// What a task asks people, as it is kept in the task state store.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Question {
    pub(crate) question: String,
    /// The type of the answer, without modules.
    pub(crate) answer: String,
    /// Who may answer. A question that was stored by an earlier version says nothing about it.
    #[serde(flatten)]
    pub(crate) respondents: QuestionRespondents,
}

/// What a task instance waits for without holding a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WaitView {
    /// The time that it waits for; the next poke of a sensor.
    pub until: Option<Timestamp>,
    /// The key of the event that it waits for.
    pub event: Option<String>,
    /// The number of pokes so far, if it is a sensor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pokes: Option<u32>,
    /// The question, if it [asks](crate::approval) people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// The type of the answer, without modules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// Who may answer, if it asks people.
    #[serde(flatten)]
    pub respondents: QuestionRespondents,
}

impl WaitView {
    /// `kept` is the text in the task state store under [`QUESTION`].
    pub(crate) fn new(
        (until, event): (Option<Timestamp>, Option<String>),
        pokes: Option<u32>,
        kept: Option<&str>,
    ) -> Self {
        let asked = kept.filter(|_| event.is_some()).and_then(|text| serde_json::from_str::<Question>(text).ok());
        let (question, answer, respondents) = match asked {
            Some(Question { question, answer, respondents }) => (Some(question), Some(answer), respondents),
            None => (None, None, QuestionRespondents::default()),
        };
        WaitView { until, event, pokes, question, answer, respondents }
    }

    /// The id of the run whose end it waits for.
    pub(crate) fn run(&self) -> Option<&str> {
        self.event.as_deref()?.strip_prefix(RUN_ENDED)
    }

    /// What it waits for, in words: the question in quotes, or ``event `landed` ``.
    pub fn subject(&self) -> String {
        match (self.run(), &self.question, &self.event, self.pokes) {
            (Some(run), ..) => format!("end of run {run}"),
            (_, Some(question), ..) => format!("\"{}\"", question.trim()),
            (.., Some(event), _) => format!("event `{event}`"),
            (.., Some(1)) => "condition, not met in one poke".to_owned(),
            (.., Some(pokes)) => format!("condition, not met in {pokes} pokes"),
            _ => "time".to_owned(),
        }
    }

    /// The arguments of the command that sends what it waits for to the run with this number, such
    /// as `release 7 start_review --value "approved"`; `None` if it waits for no event, or for the
    /// end of a run.
    ///
    /// Where the answer has a type of the program's own, its value is a placeholder: `<Choice>`.
    pub fn command(&self, run: i64) -> Option<Vec<String>> {
        let event = self.event.as_ref().filter(|_| self.run().is_none())?;
        let mut words = vec!["release".to_owned(), run.to_string(), event.clone()];
        if let Some(answer) = &self.answer {
            let value = match &**answer {
                "Decision" => "\"approved\"".to_owned(),
                "bool" => "true".to_owned(),
                "String" => "\"text\"".to_owned(),
                other => format!("<{other}>"),
            };
            words.extend(["--value".to_owned(), value]);
        }
        Some(words)
    }
}
