//! The thirteen trigger rules.
//!
//! The rules are those of Airflow 3.3.2, with one change: the outcome depends on how the upstreams
//! ended and never on the order in which they ended. If a rule could both skip and fail its task,
//! the task fails.

use std::fmt;
use std::str::FromStr;

/// When a task runs, depending on its upstreams.
///
/// The type of a parameter determines the rule of its data edge. An explicit rule
/// (`#[task(trigger_rule = "one_failed")]`, `.trigger_rule(TriggerRule::OneFailed)`) applies to
/// upstreams connected by order alone (`a >> b`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TriggerRule {
    /// Every upstream succeeded.
    #[default]
    AllSuccess,
    /// Every upstream failed, or did not run because of a failure.
    AllFailed,
    /// Every upstream finished, in any state.
    AllDone,
    /// Every upstream finished, none was skipped, at least one succeeded.
    AllDoneMinOneSuccess,
    /// Every upstream finished and, if there are setup tasks among them, at least one of those
    /// succeeded.
    AllDoneSetupSuccess,
    /// At least one upstream succeeded; does not wait for the others.
    OneSuccess,
    /// At least one upstream failed, or did not run because of a failure; does not wait for the
    /// others.
    OneFailed,
    /// At least one upstream has run: it succeeded or failed. Does not wait for the others.
    OneDone,
    /// Every upstream succeeded or was skipped.
    NoneFailed,
    /// Every upstream succeeded or was skipped, at least one succeeded.
    NoneFailedMinOneSuccess,
    /// Every upstream finished, none was skipped.
    NoneSkipped,
    /// Every upstream was skipped.
    AllSkipped,
    /// Runs at once, regardless of upstreams.
    Always,
}

/// The decision of a rule about a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Pending upstreams can still change the decision.
    Wait,
    /// The task may run.
    Run,
    /// The task becomes `skipped`.
    Skip,
    /// The task becomes `upstream_failed`.
    Fail,
}

/// The states of the upstreams under one rule. Removed upstreams are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tally {
    /// Not finished yet.
    pub pending: u32,
    /// Succeeded.
    pub success: u32,
    /// `failed` or `cancelled`.
    pub failed: u32,
    /// `upstream_failed`: failed for all rules but `one_done`, for which they have not run.
    pub upstream_failed: u32,
    /// Skipped.
    pub skipped: u32,
    /// How many of the above are setup tasks; of those, how many succeeded and how many were
    /// skipped.
    pub setups: Setups,
}

/// The setup tasks among the upstreams of a teardown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Setups {
    /// All of them.
    pub total: u32,
    /// Those that succeeded.
    pub success: u32,
    /// Those that were skipped.
    pub skipped: u32,
}

impl TriggerRule {
    /// Every rule, in the order of the documentation.
    pub const ALL: [TriggerRule; 13] = [
        TriggerRule::AllSuccess,
        TriggerRule::AllFailed,
        TriggerRule::AllDone,
        TriggerRule::AllDoneMinOneSuccess,
        TriggerRule::AllDoneSetupSuccess,
        TriggerRule::OneSuccess,
        TriggerRule::OneFailed,
        TriggerRule::OneDone,
        TriggerRule::NoneFailed,
        TriggerRule::NoneFailedMinOneSuccess,
        TriggerRule::NoneSkipped,
        TriggerRule::AllSkipped,
        TriggerRule::Always,
    ];

    /// Airflow's name: `all_success`, `one_failed`, ..
    pub const fn name(self) -> &'static str {
        match self {
            TriggerRule::AllSuccess => "all_success",
            TriggerRule::AllFailed => "all_failed",
            TriggerRule::AllDone => "all_done",
            TriggerRule::AllDoneMinOneSuccess => "all_done_min_one_success",
            TriggerRule::AllDoneSetupSuccess => "all_done_setup_success",
            TriggerRule::OneSuccess => "one_success",
            TriggerRule::OneFailed => "one_failed",
            TriggerRule::OneDone => "one_done",
            TriggerRule::NoneFailed => "none_failed",
            TriggerRule::NoneFailedMinOneSuccess => "none_failed_min_one_success",
            TriggerRule::NoneSkipped => "none_skipped",
            TriggerRule::AllSkipped => "all_skipped",
            TriggerRule::Always => "always",
        }
    }

    /// The decision while or after the upstreams finish.
    ///
    /// A verdict other than [`Verdict::Wait`] is final: the pending upstreams cannot change it. A
    /// task without upstreams runs.
    #[allow(clippy::match_same_arms, reason = "one arm a rule, in the order of the documentation")]
    #[inline]
    pub fn verdict(self, tally: &Tally) -> Verdict {
        let Tally { pending, success, skipped, setups, .. } = *tally;
        let failed = tally.failed + tally.upstream_failed;
        let total = pending + success + failed + skipped;
        if total == 0 {
            return Verdict::Run;
        }
        let done = pending == 0;
        let run_when_done = if done { Verdict::Run } else { Verdict::Wait };
        match self {
            TriggerRule::AllSuccess => match () {
                () if failed > 0 => Verdict::Fail,
                () if !done => Verdict::Wait,
                () if skipped > 0 => Verdict::Skip,
                () => Verdict::Run,
            },
            TriggerRule::AllFailed if success + skipped > 0 => Verdict::Skip,
            TriggerRule::AllFailed | TriggerRule::AllDone => run_when_done,
            TriggerRule::AllDoneMinOneSuccess => match () {
                () if skipped > 0 && success > 0 => Verdict::Skip,
                () if !done => Verdict::Wait,
                () if success > 0 => Verdict::Run,
                () if failed > 0 => Verdict::Fail,
                () => Verdict::Skip,
            },
            TriggerRule::AllDoneSetupSuccess => match () {
                () if !done => Verdict::Wait,
                () if setups.total == 0 || setups.success > 0 => Verdict::Run,
                () if setups.skipped == setups.total => Verdict::Skip,
                () => Verdict::Fail,
            },
            TriggerRule::OneSuccess => match () {
                () if success > 0 => Verdict::Run,
                () if !done => Verdict::Wait,
                () if failed > 0 => Verdict::Fail,
                () => Verdict::Skip,
            },
            TriggerRule::OneFailed if failed > 0 => Verdict::Run,
            TriggerRule::OneDone if success + tally.failed > 0 => Verdict::Run,
            TriggerRule::OneFailed | TriggerRule::OneDone => {
                if done {
                    Verdict::Skip
                } else {
                    Verdict::Wait
                }
            }
            TriggerRule::NoneFailed if failed > 0 => Verdict::Fail,
            TriggerRule::NoneFailed => run_when_done,
            TriggerRule::NoneFailedMinOneSuccess => match () {
                () if failed > 0 => Verdict::Fail,
                () if !done => Verdict::Wait,
                () if success > 0 => Verdict::Run,
                () => Verdict::Skip,
            },
            TriggerRule::NoneSkipped if skipped > 0 => Verdict::Skip,
            TriggerRule::NoneSkipped => run_when_done,
            TriggerRule::AllSkipped if success + failed > 0 => Verdict::Skip,
            TriggerRule::AllSkipped => run_when_done,
            TriggerRule::Always => Verdict::Run,
        }
    }
}

impl fmt::Display for TriggerRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for TriggerRule {
    type Err = UnknownTriggerRule;

    fn from_str(name: &str) -> Result<Self, UnknownTriggerRule> {
        TriggerRule::ALL.into_iter().find(|rule| rule.name() == name).ok_or_else(|| UnknownTriggerRule(name.to_owned()))
    }
}

/// The error for an unknown trigger rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a trigger rule; the rules are all_success, all_failed, all_done, all_done_min_one_success, \
         all_done_setup_success, one_success, one_failed, one_done, none_failed, none_failed_min_one_success, \
         none_skipped, all_skipped and always"
)]
pub struct UnknownTriggerRule(String);

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Fail, Run, Skip, Wait};

    /// The verdicts once every upstream has ended: all of them succeeded, failed or were skipped;
    /// some succeeded and some failed, succeeded and were skipped, failed and were skipped; some of
    /// each.
    #[rustfmt::skip]
    const ENDED: [(TriggerRule, [Verdict; 7]); 13] = [
        (TriggerRule::AllSuccess,              [Run,  Fail, Skip, Fail, Skip, Fail, Fail]),
        (TriggerRule::AllFailed,               [Skip, Run,  Skip, Skip, Skip, Skip, Skip]),
        (TriggerRule::AllDone,                 [Run,  Run,  Run,  Run,  Run,  Run,  Run]),
        (TriggerRule::AllDoneMinOneSuccess,    [Run,  Fail, Skip, Run,  Skip, Fail, Skip]),
        (TriggerRule::AllDoneSetupSuccess,     [Run,  Run,  Run,  Run,  Run,  Run,  Run]),
        (TriggerRule::OneSuccess,              [Run,  Fail, Skip, Run,  Run,  Fail, Run]),
        (TriggerRule::OneFailed,               [Skip, Run,  Skip, Run,  Skip, Run,  Run]),
        (TriggerRule::OneDone,                 [Run,  Run,  Skip, Run,  Run,  Run,  Run]),
        (TriggerRule::NoneFailed,              [Run,  Fail, Run,  Fail, Run,  Fail, Fail]),
        (TriggerRule::NoneFailedMinOneSuccess, [Run,  Fail, Skip, Fail, Run,  Fail, Fail]),
        (TriggerRule::NoneSkipped,             [Run,  Run,  Skip, Run,  Skip, Skip, Skip]),
        (TriggerRule::AllSkipped,              [Skip, Skip, Run,  Skip, Skip, Skip, Skip]),
        (TriggerRule::Always,                  [Run,  Run,  Run,  Run,  Run,  Run,  Run]),
    ];

    /// The verdicts while one upstream is running and another has ended: it succeeded, failed, was
    /// skipped.
    #[rustfmt::skip]
    const PENDING: [(TriggerRule, [Verdict; 3]); 13] = [
        (TriggerRule::AllSuccess,              [Wait, Fail, Wait]),
        (TriggerRule::AllFailed,               [Skip, Wait, Skip]),
        (TriggerRule::AllDone,                 [Wait, Wait, Wait]),
        (TriggerRule::AllDoneMinOneSuccess,    [Wait, Wait, Wait]),
        (TriggerRule::AllDoneSetupSuccess,     [Wait, Wait, Wait]),
        (TriggerRule::OneSuccess,              [Run,  Wait, Wait]),
        (TriggerRule::OneFailed,               [Wait, Run,  Wait]),
        (TriggerRule::OneDone,                 [Run,  Run,  Wait]),
        (TriggerRule::NoneFailed,              [Wait, Fail, Wait]),
        (TriggerRule::NoneFailedMinOneSuccess, [Wait, Fail, Wait]),
        (TriggerRule::NoneSkipped,             [Wait, Wait, Skip]),
        (TriggerRule::AllSkipped,              [Skip, Skip, Wait]),
        (TriggerRule::Always,                  [Run,  Run,  Run]),
    ];

    fn tally(pending: u32, [success, failed, skipped]: [u32; 3]) -> Tally {
        Tally { pending, success, failed, upstream_failed: 0, skipped, setups: Setups::default() }
    }

    #[test]
    fn each_rule_decides_by_the_states_of_the_upstreams() {
        let ways = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1], [1, 1, 1]];
        assert_eq!(ENDED.map(|(rule, _)| rule), TriggerRule::ALL);
        for (rule, expected) in ENDED {
            assert_eq!(ways.map(|way| rule.verdict(&tally(0, way))), expected, "{rule}");
        }
    }

    #[test]
    fn a_rule_decides_as_soon_as_pending_upstreams_cannot_change_it() {
        assert_eq!(PENDING.map(|(rule, _)| rule), TriggerRule::ALL);
        for (rule, expected) in PENDING {
            let ways = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
            assert_eq!(ways.map(|way| rule.verdict(&tally(1, way))), expected, "{rule}");
        }
    }

    #[test]
    fn a_verdict_is_final() {
        for rule in TriggerRule::ALL {
            for bits in 0..3_u32.pow(4) {
                let [pending, success, failed, skipped] = [0, 1, 2, 3].map(|place| bits / 3_u32.pow(place) % 3);
                let verdict = rule.verdict(&tally(pending, [success, failed, skipped]));
                if pending == 0 || verdict == Wait {
                    continue;
                }
                for [more, bad, left_out] in [[1, 0, 0], [0, 1, 0], [0, 0, 1]] {
                    let later = tally(pending - 1, [success + more, failed + bad, skipped + left_out]);
                    assert_eq!(rule.verdict(&later), verdict, "{rule} with {later:?}");
                }
            }
        }
    }

    /// A19: as Airflow's `TriggerRuleDep`: only `one_done` tells the two apart.
    #[test]
    fn upstream_failed_counts_as_failed_except_for_one_done() {
        for rule in TriggerRule::ALL {
            for bits in 0..3_u32.pow(4) {
                let [pending, success, failed, skipped] = [0, 1, 2, 3].map(|place| bits / 3_u32.pow(place) % 3);
                let as_failed = tally(pending, [success, failed, skipped]);
                let as_skipped = tally(pending, [success, 0, skipped + failed]);
                let with = Tally { failed: 0, upstream_failed: failed, ..as_failed };
                let expected = if rule == TriggerRule::OneDone { as_skipped } else { as_failed };
                assert_eq!(rule.verdict(&with), rule.verdict(&expected), "{rule} with {with:?}");
            }
        }
        let one = Tally { upstream_failed: 1, ..Tally::default() };
        assert_eq!(TriggerRule::OneDone.verdict(&one), Skip);
        assert_eq!(TriggerRule::OneDone.verdict(&Tally { pending: 1, ..one }), Wait);
    }

    #[test]
    fn a_task_without_upstreams_runs() {
        for rule in TriggerRule::ALL {
            assert_eq!(rule.verdict(&Tally::default()), Run, "{rule}");
        }
    }

    #[test]
    fn a_teardown_runs_if_one_of_its_setups_succeeded() {
        let rule = TriggerRule::AllDoneSetupSuccess;
        let with = |success, skipped| {
            let setups = Setups { total: 2, success, skipped };
            rule.verdict(&Tally { setups, ..tally(0, [2, 2, 2]) })
        };
        assert_eq!([with(2, 0), with(1, 0), with(1, 1)], [Run; 3]);
        assert_eq!(with(0, 2), Skip);
        assert_eq!([with(0, 0), with(0, 1)], [Fail; 2]);
    }

    #[test]
    fn a_rule_is_parsed_from_its_name() {
        for rule in TriggerRule::ALL {
            assert_eq!(rule.name().parse(), Ok(rule));
        }
        assert_eq!("all".parse::<TriggerRule>(), Err(UnknownTriggerRule("all".to_owned())));
    }
}
