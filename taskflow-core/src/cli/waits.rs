//! What a task waits for, in words, and the command that sends it.

use super::{format, shell};
use crate::base::Timestamp;
use crate::base::text::one_line;
use crate::run::WaitView;

/// How much of a question is shown, in characters.
const QUESTION: usize = 200;

/// `"score 96: review?"`, ``event `landed`, 5 m 00 s at most``, `condition, not met in 3 pokes; the
/// next in 5 s`
pub(super) fn subject(wait: &WaitView, now: Timestamp) -> String {
    let subject = format::cut(&one_line(&wait.subject()), QUESTION);
    let left = wait.until.map(|until| format::ticking(until.since(now)));
    match left {
        None => subject,
        Some(left) if wait.event.is_some() => format!("{subject}, {left} at most"),
        Some(left) if wait.pokes.is_some() => format!("{subject}; the next in {left}"),
        Some(left) => format!("{subject}, for another {left}"),
    }
}

/// `answer with: features release 7 start_review --value '"approved"'`, if it is for people to send
/// and the run is stored.
pub(super) fn answer(wait: &WaitView, run: Option<i64>, flags: &[String]) -> Option<String> {
    let call = shell::call_with(&wait.command(run?)?, flags);
    let verb = if wait.question.is_some() { "answer with" } else { "send it with" };
    Some(format!("{verb}: {call}"))
}

/// ``to be answered by members of `finance` ``, unless it is everybody who may operate the DAG.
#[cfg(feature = "sqlite")]
pub(super) fn respondents(wait: &WaitView) -> Option<String> {
    let respondents = Some(&wait.respondents).filter(|respondents| !respondents.is_everybody())?;
    Some(format!("to be answered by {}", one_line(&respondents.in_words())))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn wait(until: Option<u64>, event: Option<&str>, pokes: Option<u32>) -> WaitView {
        let until = until.map(|seconds| Timestamp::EPOCH + Duration::from_secs(seconds));
        WaitView::new((until, event.map(str::to_owned)), pokes, None)
    }

    #[test]
    fn every_kind_of_wait_has_words() {
        let subject = |wait: &WaitView| subject(wait, Timestamp::EPOCH);
        assert_eq!(subject(&wait(None, Some("landed"), None)), "event `landed`");
        assert_eq!(subject(&wait(Some(300), Some("landed"), None)), "event `landed`, 5 m 00 s at most");
        assert_eq!(subject(&wait(None, Some("run:manual__1"), None)), "end of run manual__1");
        assert_eq!(subject(&wait(Some(5), None, Some(3))), "condition, not met in 3 pokes; the next in 5.0 s");
        assert_eq!(subject(&wait(Some(12), None, None)), "time, for another 12 s");
    }
}
