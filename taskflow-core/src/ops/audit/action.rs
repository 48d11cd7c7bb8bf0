//! What people can ask for, and how that can end.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::did_you_mean;
use crate::base::schema::Schema;

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $to:literal, $done:literal;)*) => {
        /// What somebody asks for: each verb of the command line that changes something, and what
        /// browsers do to be known.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Action {
            $($(#[$doc])* $variant,)*
        }

        #[cfg(feature = "server")]
        impl crate::base::schema::Schema for Action {
            fn shape() -> crate::base::schema::Shape {
                crate::base::schema::Shape::Words(&crate::base::schema::Words {
                    name: "Action",
                    about: "What somebody asks for.",
                    words: &[$($name),*],
                })
            }
        }

        impl Action {
            /// Every action.
            pub const ALL: &[Action] = &[$(Action::$variant),*];

            /// The words of the command line.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Action::$variant => $name,)*
                }
            }

            /// What it is to do it, and to have done it.
            pub(super) const fn verbs(self) -> (&'static str, &'static str) {
                match self {
                    $(Action::$variant => ($to, $done),)*
                }
            }
        }
    };
}

actions! {
    /// Queues a run.
    Trigger = "trigger", "trigger", "triggered";
    /// Runs a DAG in the process of the command line.
    Run = "run", "start", "started";
    /// Continues a run.
    Resume = "resume", "resume", "resumed";
    /// Runs the failed tasks of a run again.
    Retry = "retry", "retry", "retried";
    /// Clears tasks of a run.
    Clear = "clear", "clear", "cleared";
    /// Sets the state of tasks of a run.
    Mark = "mark", "mark", "marked";
    /// Ends a run early.
    Cancel = "cancel", "cancel", "cancelled";
    /// Sends an event to a run.
    Release = "release", "send", "sent";
    /// Emits an event of an asset.
    Emit = "emit", "emit", "emitted";
    /// Pauses a DAG.
    Pause = "pause", "pause", "paused";
    /// Ends the pause of a DAG.
    Unpause = "unpause", "unpause", "unpaused";
    /// Resets a schedule.
    ResetSchedule = "reset-schedule", "reset", "reset";
    /// Starts a backfill.
    Backfill = "backfill", "start", "started";
    /// Pauses a backfill.
    BackfillsPause = "backfills pause", "pause", "paused";
    /// Continues a paused backfill.
    BackfillsResume = "backfills resume", "resume", "resumed";
    /// Cancels a backfill.
    BackfillsCancel = "backfills cancel", "cancel", "cancelled";
    /// Changes how many runs of a backfill may be active.
    BackfillsLimit = "backfills limit", "limit", "limited";
    /// Extends a backfill.
    BackfillsExtend = "backfills extend", "extend", "extended";
    /// Starts another backfill for failed slots.
    BackfillsRetry = "backfills retry", "retry", "retried";
    /// Deletes old runs, old events and old entries of the trail.
    DbPrune = "db prune", "prune", "pruned";
    /// Adds a user.
    UsersAdd = "users add", "add", "added";
    /// Removes a user, with all sessions and tokens.
    UsersRemove = "users remove", "remove", "removed";
    /// Gives a user another password.
    UsersPassword = "users password", "change", "changed";
    /// Gives a user another role.
    UsersRole = "users role", "change", "changed";
    /// Creates a token.
    TokensCreate = "tokens create", "create", "created";
    /// Ends a token.
    TokensRevoke = "tokens revoke", "revoke", "revoked";
    /// Begins a session. One row may stand for several refused attempts.
    LogIn = "log-in", "log in", "logged in";
    /// Ends all sessions of a user.
    LogOut = "log-out", "log out", "logged out";
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Action {
    type Err = String;

    /// The words of the command line, also joined: `backfills-pause`.
    fn from_str(text: &str) -> Result<Self, String> {
        let joined = text.replace(' ', "-");
        let found = Action::ALL.iter().copied().find(|action| action.name().replace(' ', "-") == joined);
        found.ok_or_else(|| {
            let near = did_you_mean(text, Action::ALL.iter().map(|action| action.name()));
            let all: Vec<&str> = Action::ALL.iter().map(|action| action.name()).collect();
            format!("`{text}` is not an action{near}; they are {}", all.join(", "))
        })
    }
}

impl Serialize for Action {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Action {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// How an action ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// It is done, or the process that runs the run was asked to do it.
    Applied,
    /// There was nothing to change.
    Unchanged,
    /// The actor does not have the right.
    RefusedRight,
    /// The state of its target does not allow it, or the request is not valid.
    RefusedState,
    /// It could not be carried out.
    Failed,
}

impl Outcome {
    const ALL: [Outcome; 5] =
        [Outcome::Applied, Outcome::Unchanged, Outcome::RefusedRight, Outcome::RefusedState, Outcome::Failed];

    /// The name in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::Applied => "applied",
            Outcome::Unchanged => "unchanged",
            Outcome::RefusedRight => "refused_right",
            Outcome::RefusedState => "refused_state",
            Outcome::Failed => "failed",
        }
    }

    /// The name in texts.
    pub const fn words(self) -> &'static str {
        match self {
            Outcome::RefusedRight | Outcome::RefusedState => "refused",
            outcome => outcome.name(),
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Outcome::ALL.into_iter().find(|outcome| outcome.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_actions_are_read_as_they_are_written() {
        for &action in Action::ALL {
            assert_eq!(action.name().parse(), Ok(action));
            assert_eq!(action.name().replace(' ', "-").parse(), Ok(action));
        }
        let error = "claer".parse::<Action>().unwrap_err();
        assert!(error.contains("did you mean `clear`"), "{error}");
    }
}
