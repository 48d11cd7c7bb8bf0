//! What a schedule does with slots that cannot start in time.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::did_you_mean;
use crate::base::schema::Schema;

/// Declares an enum whose variants have names that users write.
macro_rules! named {
    (
        $(#[$doc:meta])*
        $name:ident, $what:literal {
            $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Schema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// The name that users write.
            pub const fn name(self) -> &'static str {
                match self {
                    $($name::$variant => $text,)*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }

        impl FromStr for $name {
            type Err = UnknownPolicy;
            fn from_str(text: &str) -> Result<Self, UnknownPolicy> {
                const NAMES: &[&str] = &[$($text),*];
                match text {
                    $($text => Ok($name::$variant),)*
                    _ => Err(UnknownPolicy {
                        text: text.to_owned(),
                        what: $what,
                        names: NAMES,
                        hint: did_you_mean(text, NAMES.iter().copied()),
                    }),
                }
            }
        }
    };
}

/// A text is not the name of a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no {what} `{text}`{hint}; write one of {}", names.join(", "))]
pub struct UnknownPolicy {
    text: String,
    what: &'static str,
    names: &'static [&'static str],
    hint: String,
}

named! {
    /// The first slot of a DAG that the service has not seen before.
    First, "first slot" {
        /// The next slot.
        Next = "next",
        /// The last slot before now, at once, and then the next slots.
        Last = "last",
    }
}

named! {
    /// What happens to slots that passed while no service was running.
    Catchup, "catchup policy" {
        /// The last one runs, late; the others are missed.
        Last = "last",
        /// All of them run, oldest first.
        All = "all",
        /// All of them are missed.
        None = "none",
    }
}

named! {
    /// What happens to the events that were emitted during a pause.
    Unpause, "policy for pending events" {
        /// They are consumed, as if there had been no pause.
        All = "all",
        /// The newest of each asset, key, or part of a period is consumed; the others are
        /// superseded.
        Newest = "newest",
        /// None of them is consumed.
        Skip = "skip",
    }
}

named! {
    /// What happens to a slot when as many runs of the schedule are active as may be.
    Overlap, "overlap policy" {
        /// It waits. All slots run in order.
        Queue = "queue",
        /// It waits in place of the slot that waited before it, which is superseded.
        QueueOne = "queue_one",
        /// It is skipped.
        Skip = "skip",
        /// The active runs are cancelled, then it runs.
        Cancel = "cancel",
        /// It runs beside them. Only the limit `max_active_runs` makes it wait.
        Allow = "allow",
    }
}

named! {
    /// The order in which a backfill runs its slots.
    BackfillOrder, "order" {
        /// The oldest slot first.
        Oldest = "oldest",
        /// The newest slot first.
        Newest = "newest",
        /// In an order that only depends on the seed of the backfill.
        Random = "random",
    }
}

named! {
    /// Which slots a backfill runs. Slots whose run is queued, running or interrupted are always
    /// left alone.
    BackfillScope, "scope" {
        /// Those without a run.
        Missing = "missing",
        /// Those whose run has failed.
        Failed = "failed",
        /// All of them: those without a run, and those whose run has ended.
        All = "all",
    }
}

named! {
    /// How the schedule and the events of a DAG start its runs.
    #[derive(Default)]
    Combine, "way to combine a schedule and events" {
        /// A slot becomes a run when its events are there.
        #[default]
        And = "and",
        /// A slot starts a run, and so do events.
        Or = "or",
    }
}

named! {
    /// What an event of a period does that has had its run.
    #[derive(Default)]
    OnUpdate, "reaction to updates" {
        /// It is recorded, and starts nothing.
        #[default]
        Ignore = "ignore",
        /// Another run of the period starts, with the newest event of each part.
        Rerun = "rerun",
    }
}

impl Overlap {
    /// How many runs of a schedule may be active if the DAG does not say.
    pub fn default_max_active_runs(self) -> u32 {
        if self == Overlap::Allow { 16 } else { 1 }
    }
}
