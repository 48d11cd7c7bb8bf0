//! The parts of a run that are pages of their own.

use super::address;
use super::dag_list::Filter;
use super::frame::Crumb;
use crate::journal::RunHistory;

/// The links between the pages of a run.
pub(crate) fn tabs(number: i64, chosen: &str) -> Vec<Filter> {
    let here = address::run(number);
    let tab = |words: &str, path: &str| Filter {
        words: words.to_owned(),
        count: None,
        href: format!("{here}{path}"),
        is_chosen: words == chosen,
    };
    vec![tab("Tasks", ""), tab("Values", "/values"), tab("Events", "/events")]
}

/// The path of links to such a page.
pub(crate) fn path(history: &RunHistory, name: &str) -> Vec<Crumb> {
    vec![
        Crumb::link("DAGs", "/dags"),
        Crumb::link(history.info.dag_id.clone(), address::dag(&history.info.dag_id)),
        Crumb::link(format!("Run {}", history.number), address::run(history.number)),
        Crumb::here(name),
    ]
}
