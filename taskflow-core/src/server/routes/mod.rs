//! The table of routes. The router, the checks of requests and the `OpenAPI` document are made
//! from it, so a route without a description does not exist.
//!
//! - `route`: a row. `field`: what its query and its body may have.
//! - `service`, `dags`, `runs`, `approvals`, `assets`, `backfills`, `accounts`, `upkeep`: the
//!   table, by what the rows are about.
//! - `router`: finds the row of a request, and calls its handler.

mod accounts;
mod approvals;
mod assets;
mod backfills;
mod dags;
mod field;
mod route;
mod router;
mod runs;
mod service;
mod upkeep;

pub(super) use self::field::{Field, Kind, PARAM};
pub(super) use self::route::{Answer, CSV, JSON_LINES, Route, Verb};
pub(super) use self::router::router;

/// All routes. Those of one path are beside each other.
pub(super) fn all() -> impl Iterator<Item = &'static Route> {
    let tables = [
        service::ROUTES,
        dags::ROUTES,
        runs::ROUTES,
        approvals::ROUTES,
        assets::ROUTES,
        backfills::ROUTES,
        accounts::ROUTES,
        upkeep::ROUTES,
    ];
    tables.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_route_is_listed_once_beside_the_others_of_its_path() {
        let mut seen = HashSet::new();
        for route in all() {
            assert!(seen.insert((route.method.name(), route.path)), "{}", route.path);
            assert!(!route.about.is_empty() && !route.about.ends_with('.'), "{}", route.path);
        }
        let mut paths: Vec<_> = all().map(|route| route.path).collect();
        paths.dedup();
        let all = paths.len();
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(paths.len(), all, "routes of one path are beside each other");
    }

    #[test]
    fn words_of_the_table_are_those_of_the_types() {
        for route in all() {
            for field in route.query.iter().chain(route.body) {
                assert!(!field.about.is_empty(), "{} {}", route.path, field.name);
                let in_query = route.query.iter().any(|other| other.name == field.name);
                assert!(!in_query || !matches!(field.kind, Kind::Json | Kind::Object), "{}", field.name);
            }
        }
    }
}
