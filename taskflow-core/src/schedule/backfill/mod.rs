//! Backfills: plans that run past slots of a schedule, and the step that decides what becomes of
//! each slot.
//!
//! # Protocol
//!
//! 1. [`BackfillPlan::new`] checks a request and cuts its ranges at the present time. Slots that
//!    nobody has decided lie in the spans of `pending`. A plan stores no list of slots: the
//!    timetable computes them again, so a plan over years of minutes is as small as one over a day.
//! 2. [`BackfillPlan::window`] returns the next slots in the order of the plan. The caller looks up
//!    the runs that these slots have.
//! 3. [`BackfillPlan::step`] first notes which runs of the plan have ended, and then decides the
//!    slots of the window, one after the other, until there is no room for another run.
//!    [`BackfillPlan::survey`] decides them without looking for room: a preview.
//! 4. The caller stores the new plan and the new runs in one transaction. A crash before that
//!    repeats the step; a crash afterwards loses nothing, because the plan lists the slots whose
//!    runs are active.
//! 5. A run that is to be reprocessed is cleared after the plan is stored. Until its time of ending
//!    differs from the stored one, each step asks for that again.
//!
//! | file | what |
//! |---|---|
//! | `request` | what a backfill is asked to do, and when that is refused |
//! | `plan` | what is stored of a backfill |
//! | `fate` | what becomes of a slot with a given run |
//! | `window` | the next slots of a plan; `slots`: those of a span; `order`: a random order |
//! | `step` | the step |
//! | `edit` | what people do with a plan |

mod edit;
mod fate;
mod order;
mod plan;
mod request;
mod slots;
mod step;
mod window;

pub use edit::SharedSlots;
pub use fate::{BackfillFate, LeftAlone, SlotRun, SlotRunState, SlotRuns};
pub use order::Shuffle;
pub use plan::{ActiveRun, ActiveSlot, BackfillAction, BackfillCounts, BackfillPhase, BackfillPlan};
pub use request::{BackfillError, BackfillRequest, SlotRange};
pub use slots::FutureSlots;
pub use step::{BackfillDecision, BackfillSituation, BackfillStep, BackfillWaits, MAX_FAILURES};
pub use window::BackfillWindow;
