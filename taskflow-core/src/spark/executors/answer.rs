//! Converts the answer of a worker to the ending of an attempt.

use crate::base::{Crash, Failure};
use crate::process::{AttemptRef, FrameReceiver, next_answer, read_frame};
use crate::task::Outcome;

/// How many of the last printed lines are attached to a crash.
const LAST: usize = 5;

/// The answers of consecutive attempts.
#[derive(Debug)]
pub(super) struct Block {
    /// The number of the first attempt in its job.
    pub(super) first: usize,
    /// The answers, as written by a worker.
    pub(super) frames: Vec<u8>,
    /// The output of the last attempt, if it ended the worker.
    pub(super) printed: Vec<u8>,
    /// How the worker ended, if an attempt ended it. That attempt is then the only one of its
    /// block.
    pub(super) code: Option<i32>,
}

impl Block {
    /// The answers with the numbers of their attempts.
    pub(super) fn answers(self) -> Vec<(usize, AttemptAnswer)> {
        let Block { first, frames, printed, code } = self;
        if code.is_some() {
            return vec![(first, AttemptAnswer { frames, printed, code })];
        }
        let mut rest = &*frames;
        let answer = |at| {
            let number = first.checked_add(at)?;
            Some((number, AttemptAnswer { frames: next_answer(&mut rest)?.to_vec(), printed: Vec::new(), code }))
        };
        (0..).map_while(answer).collect()
    }
}

/// The answer of an attempt.
#[derive(Debug)]
pub(super) struct AttemptAnswer {
    /// Frames, as the process of an isolated task would send them.
    pub(super) frames: Vec<u8>,
    /// The output on stdout and stderr before the worker ended.
    pub(super) printed: Vec<u8>,
    /// How the worker ended, if the attempt ended it: an exit code, or a negated signal.
    pub(super) code: Option<i32>,
}

impl AttemptAnswer {
    /// Processes the answer in the span of the attempt.
    pub(super) fn ending(self, of: &AttemptRef<'_>) -> Outcome {
        let printed = String::from_utf8_lossy(&self.printed);
        let lines = || printed.lines().filter(|line| !line.trim().is_empty());
        lines().for_each(|line| tracing::info!(target: "stderr", "{line}"));
        let (mut receiver, mut rest) = (FrameReceiver::default(), &*self.frames);
        while let Ok(Some(frame)) = read_frame(&mut rest) {
            if !receiver.take(&frame, of) || receiver.is_over() {
                break;
            }
        }
        match (receiver, self.code) {
            (FrameReceiver { ending: Some(Outcome::Success(_)), push_failure: Some(failure), .. }, _) => failure.into(),
            (FrameReceiver { ending: Some(ending), .. }, _) => ending,
            (_, Some(code)) => {
                let crash =
                    if code < 0 { Crash::Signal { number: code.saturating_neg() } } else { Crash::Exit { code } };
                let last: Vec<&str> = lines().collect();
                let last = &last[last.len().saturating_sub(LAST)..];
                let stderr = last.iter().map(|line| (*line).to_owned()).collect();
                Failure::Crashed { crash, stderr }.into()
            }
            (_, None) => {
                let chain = vec![
                    "the answer of the worker contains no result of the attempt".to_owned(),
                    "is the worker a build of this program?".to_owned(),
                ];
                Failure::Error { chain, retryable: true }.into()
            }
        }
    }
}

/// For fuzzing: splits the answers of attempts into frames.
pub(super) fn read_any(bytes: &[u8]) {
    let block = Block { first: usize::MAX - 1, frames: bytes.to_vec(), printed: Vec::new(), code: None };
    for (_, answer) in block.answers() {
        let mut rest = &*answer.frames;
        while let Ok(Some(_)) = read_frame(&mut rest) {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two answers without a frame, of a driver that counts from the last number on.
    #[test]
    fn an_answer_for_which_there_is_no_number_is_left_out() {
        let block = Block { first: usize::MAX, frames: vec![0xff; 16], printed: Vec::new(), code: None };
        let numbers: Vec<usize> = block.answers().into_iter().map(|(number, _)| number).collect();
        assert_eq!(numbers, [usize::MAX]);
    }
}
