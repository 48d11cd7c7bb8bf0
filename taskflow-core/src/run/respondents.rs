//! Who may answer a question, as it is stored with the question.

use serde::{Deserialize, Serialize};

use crate::base::schema::Schema;

/// Who may answer a question: of those who may operate the DAG, the ones whom both members admit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct QuestionRespondents {
    /// Members of these groups, and users, such as `user:kim`. Empty: everybody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answered_by: Vec<String>,
    /// Nobody who has asked for the run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub four_eyes: bool,
}

impl QuestionRespondents {
    /// What a name in `answered_by` begins with if it is that of a user, and not of a group.
    pub const USER: &'static str = "user:";

    /// Whether everybody who may operate the DAG may answer.
    pub fn is_everybody(&self) -> bool {
        self.answered_by.is_empty() && !self.four_eyes
    }

    /// Who may answer, in words: ``members of `finance`, except whoever asked for the run``.
    pub fn in_words(&self) -> String {
        let named = |name: &String| match name.strip_prefix(QuestionRespondents::USER) {
            Some(user) => format!("the user `{user}`"),
            None => format!("members of `{name}`"),
        };
        let who = match &*self.answered_by {
            [] => "everybody who may operate the DAG".to_owned(),
            names => names.iter().map(named).collect::<Vec<_>>().join(" or "),
        };
        if self.four_eyes { format!("{who}, except whoever asked for the run") } else { who }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_answer_has_words() {
        let words = |names: &[&str], four_eyes| {
            let answered_by = names.iter().map(|&name| name.to_owned()).collect();
            QuestionRespondents { answered_by, four_eyes }.in_words()
        };
        assert_eq!(words(&[], false), "everybody who may operate the DAG");
        assert_eq!(words(&["finance", "user:kim"], false), "members of `finance` or the user `kim`");
        assert_eq!(words(&["finance"], true), "members of `finance`, except whoever asked for the run");
    }
}
