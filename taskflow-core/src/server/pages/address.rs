//! The addresses of the pages, below the base path.

use super::escape::segment;

pub(crate) fn dag(id: &str) -> String {
    format!("/dags/{}", segment(id))
}

/// A task of a DAG in its last runs.
pub(crate) fn task_of_dag(dag: &str, task: &str) -> String {
    format!("/dags/{}/tasks/{}", segment(dag), segment(task))
}

pub(crate) fn run(number: i64) -> String {
    format!("/runs/{number}")
}

pub(crate) fn task(run: i64, task: &str) -> String {
    format!("/runs/{run}/tasks/{}", segment(task))
}

pub(crate) fn log(run: i64, task: &str, attempt: u32) -> String {
    format!("/runs/{run}/tasks/{}/{attempt}", segment(task))
}

/// The question that a task asks.
pub(crate) fn approval(run: i64, task: &str) -> String {
    format!("/approvals/{run}/{}", segment(task))
}

/// The events of an asset.
pub(crate) fn asset(name: &str) -> String {
    format!("/events?asset={}", segment(name))
}

pub(crate) fn backfill(number: i64) -> String {
    format!("/backfills/{number}")
}

/// An address with a query. Values that are empty are left out.
pub(crate) fn with(path: &str, query: &[(&str, &str)]) -> String {
    let mut address = path.to_owned();
    for (name, value) in query.iter().filter(|(_, value)| !value.is_empty()) {
        address.push(if address.contains('?') { '&' } else { '?' });
        address.push_str(name);
        address.push('=');
        address.push_str(&segment(value));
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_names_stay_inside_their_part_of_an_address() {
        assert_eq!(task(7, "a?b/../c"), "/runs/7/tasks/a%3Fb%2F..%2Fc");
        assert_eq!(asset("warehouse/orders&x"), "/events?asset=warehouse%2Forders%26x");
        assert_eq!(with("/runs", &[("dag", "a b"), ("state", ""), ("type", "manual")]), "/runs?dag=a%20b&type=manual");
    }
}
