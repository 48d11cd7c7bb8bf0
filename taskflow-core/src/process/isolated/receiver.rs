//! Receives the frames of the process of an attempt.

use super::wire::{self, Frame};
use crate::base::{Failure, catch};
use crate::log::relay;
use crate::task::{AttemptControl, EmitRequest, Identity, Outcome, Pushed, TaskDef};

/// The attempt whose frames are received.
pub(crate) struct AttemptRef<'a> {
    pub(crate) def: &'static TaskDef,
    pub(crate) identity: &'a Identity,
    pub(crate) control: &'a AttemptControl,
}

/// The state of the conversation with a child.
#[derive(Default)]
pub(crate) struct FrameReceiver {
    pub(crate) entered: bool,
    pub(crate) ending: Option<Outcome>,
    /// It ended because it was asked to.
    pub(crate) stopped: bool,
    /// Why one of its named values or events could not be stored.
    pub(crate) push_failure: Option<Failure>,
    /// The next frame is the value of the task.
    value_follows: bool,
}

impl FrameReceiver {
    /// Handles a frame, in the span of the attempt. Returns whether it was valid: a child can
    /// corrupt its memory.
    pub(crate) fn take(&mut self, frame: &[u8], of: &AttemptRef<'_>) -> bool {
        if self.value_follows {
            self.ending = Some(match catch(|| of.def.output.decode(frame)) {
                Ok(Ok(value)) => Outcome::Success(value),
                Ok(Err(reason)) => Failure::Error { chain: vec![reason], retryable: false }.into(),
                Err(panic) => panic.into(),
            });
            return true;
        }
        match wire::decode(frame) {
            Ok(Frame::Entered) => self.entered = true,
            Ok(Frame::Record(json)) => {
                if let Ok(record) = json.parse() {
                    relay::emit(&record);
                }
            }
            Ok(Frame::Printed(text)) => {
                let lines = text.lines().filter(|line| !line.trim().is_empty());
                lines.for_each(|line| tracing::info!(target: "stderr", "{line}"));
            }
            Ok(Frame::Progress { done, total }) => of.control.report(done, total),
            Ok(Frame::Link { name, url }) => of.identity.around.link(&name, &url),
            Ok(Frame::Push { key, ty, bytes }) => {
                if let Err(failure) = of.identity.around.push(&key, Pushed::Stored(ty, bytes.into())) {
                    self.push_failure = Some(failure);
                }
            }
            Ok(Frame::Emit { asset, partition, key, ty, bytes, on_change }) => {
                let value = Pushed::Stored(ty, bytes.into());
                let request = EmitRequest { asset, partition, key, value, on_change };
                if let Err(failure) = of.identity.around.emit(request) {
                    self.push_failure = Some(failure);
                }
            }
            Ok(Frame::Skipped(reason)) => self.ending = Some(Outcome::Skipped(reason)),
            Ok(Frame::FailedFor(failure, delay)) => self.ending = Some(Outcome::FailedFor(Box::new((failure, delay)))),
            Ok(Frame::Failed(failure)) => self.ending = Some(failure.into()),
            Ok(Frame::Stopped) => self.stopped = true,
            Ok(Frame::Value) => self.value_follows = true,
            // The rest cannot be interpreted.
            Err(_) => return false,
        }
        true
    }

    /// Whether it has sent its result.
    pub(crate) fn is_over(&self) -> bool {
        self.ending.is_some() || self.stopped
    }
}
