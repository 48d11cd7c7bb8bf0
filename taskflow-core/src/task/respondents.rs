//! Who may answer the question of a task, as an option of the task.

use crate::run::QuestionRespondents;

/// Who may answer the question of a task that [asks](crate::approval) people: of those who may
/// operate its DAG, the ones whom both fields admit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Respondents {
    /// Members of these groups, and users, which have the prefix
    /// [`USER`](QuestionRespondents::USER). Empty: everybody.
    pub answered_by: &'static [&'static str],
    /// Nobody who has asked for the run.
    pub four_eyes: bool,
}

impl Respondents {
    /// As it is stored with the question.
    pub(crate) fn stored(self) -> QuestionRespondents {
        let Respondents { answered_by, four_eyes } = self;
        QuestionRespondents { answered_by: answered_by.iter().map(|&name| name.to_owned()).collect(), four_eyes }
    }
}
