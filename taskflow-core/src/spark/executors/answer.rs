//! From what a worker said of an attempt to its ending.

use crate::base::{Crash, Failure};
use crate::process::{AttemptRef, FrameReceiver, next_answer, read_frame};
use crate::task::Ending;

/// How many of the last lines that were printed are kept with a crash.
const LAST: usize = 5;

/// What came back of attempts that follow each other.
#[derive(Debug)]
pub(super) struct Block {
    /// The number of the first one in its job.
    pub(super) first: usize,
    /// Their answers, as a worker has written them.
    pub(super) said: Vec<u8>,
    /// What the last one printed, if it has ended the worker.
    pub(super) printed: Vec<u8>,
    /// How the worker ended, if an attempt has ended it. It is the only one of its block.
    pub(super) code: Option<i32>,
}

impl Block {
    /// The answer of each attempt, with the number of that.
    pub(super) fn answers(self) -> Vec<(usize, Told)> {
        let Block { first, said, printed, code } = self;
        if code.is_some() {
            return vec![(first, Told { said, printed, code })];
        }
        let mut rest = &*said;
        let answer =
            |number| Some((number, Told { said: next_answer(&mut rest)?.to_vec(), printed: Vec::new(), code }));
        (first..).map_while(answer).collect()
    }
}

/// What came back of an attempt.
#[derive(Debug)]
pub(super) struct Told {
    /// Frames, as the process of an isolated task would say them.
    pub(super) said: Vec<u8>,
    /// What came out of stdout and stderr before the worker ended.
    pub(super) printed: Vec<u8>,
    /// How the worker ended, if the attempt has ended it: a code, or a signal with a minus.
    pub(super) code: Option<i32>,
}

impl Told {
    /// Takes it in, in the span of the attempt.
    pub(super) fn ending(self, of: &AttemptRef<'_>) -> Ending {
        let printed = String::from_utf8_lossy(&self.printed);
        let lines = || printed.lines().filter(|line| !line.trim().is_empty());
        lines().for_each(|line| tracing::info!(target: "stderr", "{line}"));
        let (mut heard, mut rest) = (FrameReceiver::default(), &*self.said);
        while let Ok(Some(frame)) = read_frame(&mut rest) {
            if !heard.take(&frame, of) || heard.is_over() {
                break;
            }
        }
        match (heard, self.code) {
            (FrameReceiver { ending: Some(Ending::Value(_)), push_failure: Some(failure), .. }, _) => failure.into(),
            (FrameReceiver { ending: Some(ending), .. }, _) => ending,
            (_, Some(code)) => {
                let crash = if code < 0 { Crash::Signal { number: -code } } else { Crash::Exit { code } };
                let last: Vec<&str> = lines().collect();
                let last = &last[last.len().saturating_sub(LAST)..];
                let stderr = last.iter().map(|line| (*line).to_owned()).collect();
                Failure::Crashed { crash, stderr }.into()
            }
            (_, None) => {
                let chain = vec![
                    "the answer of the worker does not say what came of the attempt".to_owned(),
                    "is it a build of this program?".to_owned(),
                ];
                Failure::Error { chain, retryable: true }.into()
            }
        }
    }
}
