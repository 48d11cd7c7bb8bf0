//! Who may answer the question of a task, as an option of the task.

/// Who may answer the question of a task that [asks](crate::approval) people: of those who may
/// operate its DAG, the ones whom both fields admit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Respondents {
    /// Members of these groups, and users, which have the prefix [`USER`](Respondents::USER). Empty:
    /// everybody.
    pub answered_by: &'static [&'static str],
    /// Nobody who has asked for the run.
    pub four_eyes: bool,
}

impl Respondents {
    /// What a name in `answered_by` begins with if it is that of a user, and not of a group.
    pub const USER: &'static str = "user:";
}
