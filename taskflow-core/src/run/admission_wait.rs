//! What a run with `max_active_runs` waits for before it starts.

use std::fmt;

/// Why a run has not started: too many runs of its DAG are active in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdmissionWait {
    /// The DAG.
    pub dag_id: String,
    /// Its `max_active_runs`.
    pub limit: u32,
    /// The numbers of the active runs. One of them has to end.
    pub active: Vec<i64>,
    /// The numbers of the runs that start before this one.
    pub ahead: Vec<i64>,
}

/// How many runs are named.
const NAMED: usize = 5;

impl fmt::Display for AdmissionWait {
    /// ``waits for run 7 of `delays`: max_active_runs = 1``
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AdmissionWait { dag_id, limit, active, ahead } = self;
        f.write_str("waits for ")?;
        match (&active[..], &ahead[..]) {
            ([], []) => f.write_str("the other runs")?,
            ([], [run]) | ([run], _) => write!(f, "run {run}")?,
            ([], runs) => write!(f, "the runs {}", listed(runs))?,
            (runs, _) => write!(f, "one of the runs {}", listed(runs))?,
        }
        write!(f, " of `{dag_id}`")?;
        match &ahead[..] {
            [run] if !active.is_empty() => write!(f, ", after run {run}")?,
            [_, ..] if !active.is_empty() => write!(f, ", after the runs {}", listed(ahead))?,
            _ => {}
        }
        write!(f, ": max_active_runs = {limit}")
    }
}

/// `5, 6 and 7`
fn listed(runs: &[i64]) -> String {
    let named: Vec<String> = runs.iter().take(NAMED).map(i64::to_string).collect();
    match (named.split_last(), runs.len().saturating_sub(NAMED)) {
        (Some((last, [])), 0) => last.clone(),
        (Some((last, first)), 0) => format!("{} and {last}", first.join(", ")),
        (_, more) => format!("{} and {more} more", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_the_runs() {
        let wait = |limit, active: &[i64], ahead: &[i64]| {
            let (active, ahead) = (active.to_vec(), ahead.to_vec());
            AdmissionWait { dag_id: "delays".to_owned(), limit, active, ahead }.to_string()
        };
        assert_eq!(wait(1, &[7], &[]), "waits for run 7 of `delays`: max_active_runs = 1");
        assert_eq!(wait(1, &[7], &[8]), "waits for run 7 of `delays`, after run 8: max_active_runs = 1");
        let expected = "waits for one of the runs 5, 6 and 7 of `delays`, after the runs 8 and 9: max_active_runs = 3";
        assert_eq!(wait(3, &[5, 6, 7], &[8, 9]), expected);
        let many: Vec<i64> = (1..=8).collect();
        let expected = "waits for one of the runs 1, 2, 3, 4, 5 and 3 more of `delays`: max_active_runs = 8";
        assert_eq!(wait(8, &many, &[]), expected);
        assert_eq!(wait(1, &[], &[8]), "waits for run 8 of `delays`: max_active_runs = 1");
    }
}
