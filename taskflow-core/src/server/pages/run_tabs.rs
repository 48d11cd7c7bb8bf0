//! The parts of a run that are pages of their own.

use super::address;
use super::dag_list::Filter;
use super::frame::Crumb;
use crate::journal::RunHistory;
use crate::ops::accounts::Right;
use crate::server::auth::Visitor;

/// The links between the pages of a run: to its values and logs only for those who may read them.
pub(crate) fn tabs(visitor: &Visitor, history: &RunHistory, chosen: &str) -> Vec<Filter> {
    let here = address::run(history.number);
    let may = |right| visitor.may(right, &history.info.dag_id);
    let tab = |words: &str, path: &str| Filter {
        words: words.to_owned(),
        count: None,
        href: format!("{here}{path}"),
        is_chosen: words == chosen,
    };
    let log = may(Right::ViewLogs).then(|| tab("Log", "/log"));
    let values = may(Right::ViewValues).then(|| tab("Values", "/values"));
    [tab("Tasks", "")].into_iter().chain(log).chain(values).chain([tab("Events", "/events")]).collect()
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
