//! Which calls of the HTTP API a verb is.
//!
//! A test compares the table with the verbs of the command line and with the routes of the server:
//! a new one fails it until it is listed here.

/// The calls of a verb, or why it has none.
#[derive(Clone, Copy, Debug)]
pub(super) enum Calls {
    /// These, below `/api/v1`.
    #[cfg_attr(not(all(test, feature = "server")), allow(dead_code, reason = "compared with the routes"))]
    Routes(&'static [&'static str]),
    /// None: it works with a home of this machine, because of this.
    Home(&'static str),
    /// None: it is about the program, not about a home, because of this.
    Program(&'static str),
}

use Calls::{Home, Program, Routes};

/// The verbs of the command line.
const VERBS: &[(&str, Calls)] = &[
    ("list", Program("it lists the DAGs of this program; `dags` lists those of the server")),
    ("show", Routes(&["GET /dags/{dag}/graph"])),
    ("run", Home("it runs a DAG in this process; `trigger` asks the service to run it")),
    ("config show", Program("it shows the configuration of this machine")),
    ("config path", Program("it is about a file of this machine")),
    ("completions", Program("it is about the shell of this machine")),
    ("trigger", Routes(&["POST /dags/{dag}/runs", "GET /dags/{dag}"])),
    ("backfill", Routes(&["POST /backfills"])),
    ("runs", Routes(&["GET /runs"])),
    ("status", Routes(&["GET /runs/{run}", "GET /runs/{run}/tasks", "GET /runs/{run}/tasks/{task}"])),
    ("explain", Routes(&["GET /runs/{run}/explain", "GET /runs/{run}/tasks/{task}/explain"])),
    ("values", Routes(&["GET /runs/{run}/values", "GET /runs/{run}/values/{task}"])),
    ("logs", Routes(&["GET /runs/{run}/log", "GET /runs/{run}/tasks/{task}/attempts/{attempt}/log"])),
    ("lineage", Routes(&["GET /runs/{run}/lineage"])),
    ("resume", Routes(&["POST /runs/{run}/resume"])),
    ("retry", Routes(&["POST /runs/{run}/retry"])),
    ("clear", Routes(&["POST /runs/{run}/clear", "POST /runs:clear"])),
    ("mark", Routes(&["POST /runs/{run}/mark", "POST /runs:mark"])),
    ("release", Routes(&["POST /runs/{run}/release"])),
    ("cancel", Routes(&["POST /runs/{run}/cancel", "POST /runs:cancel"])),
    ("replay", Home("it runs a task in this process, for a debugger")),
    ("serve", Home("it is the service that others ask")),
    ("dags", Routes(&["GET /dags"])),
    ("next", Routes(&["GET /dags/{dag}/next"])),
    ("slots", Routes(&["GET /dags/{dag}/slots", "GET /dags/{dag}"])),
    ("pause", Routes(&["PUT /dags/{dag}/pause", "PUT /pauses"])),
    ("unpause", Routes(&["DELETE /dags/{dag}/pause", "DELETE /pauses"])),
    ("reset-schedule", Routes(&["POST /dags/{dag}/reset-schedule"])),
    ("backfills", Routes(&["GET /backfills"])),
    ("backfills show", Routes(&["GET /backfills/{backfill}"])),
    ("backfills pause", Routes(&["POST /backfills/{backfill}/pause"])),
    ("backfills resume", Routes(&["POST /backfills/{backfill}/resume"])),
    ("backfills cancel", Routes(&["POST /backfills/{backfill}/cancel"])),
    ("backfills extend", Routes(&["POST /backfills/{backfill}/extend"])),
    ("backfills retry", Routes(&["POST /backfills/{backfill}/retry"])),
    ("backfills limit", Routes(&["POST /backfills/{backfill}/limit"])),
    ("emit", Routes(&["POST /events"])),
    ("events", Routes(&["GET /events", "GET /events/{event}"])),
    ("assets", Routes(&["GET /assets"])),
    ("consumers", Routes(&["GET /consumers"])),
    ("audit", Routes(&["GET /audit"])),
    ("users add", Routes(&["POST /users"])),
    ("users list", Routes(&["GET /users"])),
    ("users remove", Routes(&["DELETE /users/{user}"])),
    ("users password", Routes(&["PUT /users/{user}/password", "GET /users"])),
    ("users role", Routes(&["PUT /users/{user}/role"])),
    ("tokens create", Routes(&["POST /tokens"])),
    ("tokens list", Routes(&["GET /tokens"])),
    ("tokens revoke", Routes(&["DELETE /tokens/{token}"])),
    ("doctor", Routes(&["GET /doctor"])),
    ("db prune", Routes(&["POST /db/prune", "DELETE /runs/{run}"])),
    ("db check", Home("it reads the whole store, beside the service: run it on the machine of the home")),
    ("db vacuum", Home("it rewrites the store, which holds up the service: run it on the machine of the home")),
    ("db path", Home("a path means nothing on another machine")),
];

/// The calls of a verb, such as `db prune`.
pub(super) fn of(verb: &str) -> Option<Calls> {
    VERBS.iter().find(|(known, _)| *known == verb).map(|(_, calls)| *calls)
}

/// The verb of a call of this program, with that of the verb: `db prune`. What follows it, such as
/// the id of a DAG, is no verb.
pub(super) fn verb_of(matches: &clap::ArgMatches) -> String {
    let Some((verb, matches)) = matches.subcommand() else { return String::new() };
    match matches.subcommand_name().map(|name| format!("{verb} {name}")) {
        Some(both) if of(&both).is_some() => both,
        _ => verb.to_owned(),
    }
}

#[cfg(all(test, feature = "server"))]
mod tests {
    use std::collections::BTreeSet;

    use super::super::{Program as About, args, choose::Dags};
    use super::*;

    /// The routes that are no verbs, and why.
    const WITHOUT_A_VERB: &[(&str, &str)] = &[
        ("GET /health/live", "for supervisors"),
        ("GET /health/ready", "for supervisors and load balancers"),
        ("GET /metrics", "for Prometheus"),
        ("GET /api/v1/version", "the client asks it before anything else"),
        ("GET /api/v1/openapi.json", "for those who write clients"),
        ("POST /api/v1/hooks/{hook}", "for other systems, which sign what they send"),
        ("GET /api/v1/me", "for the pages, and for those who write clients"),
        ("GET /api/v1/stream", "for the pages, and for those who write clients"),
        ("GET /api/v1/runs.csv", "`runs --format csv` makes the file from pages of the list"),
        ("GET /api/v1/runs.jsonl", "`runs --format jsonl` makes the file from pages of the list"),
        ("GET /api/v1/audit.jsonl", "`audit --limit 0 --output json` prints the same documents"),
        ("GET /api/v1/runs/{run}/stream", "for those who write clients"),
        ("GET /api/v1/assets/{asset}", "`assets` shows all of them"),
        ("GET /api/v1/assets/{asset}/stream", "for those who write clients"),
        ("GET /api/v1/runs/{run}/tasks/{task}/elements", "`status` shows the elements of a list"),
        ("GET /api/v1/runs/{run}/tasks/{task}/elements/summary", "for the pages"),
        ("GET /api/v1/approvals", "`status` shows the questions of a run"),
        ("GET /api/v1/approvals/{run}/{task}", "`explain` shows the question of a task"),
        ("GET /api/v1/deadlines", "`dags` and `slots` show the deadlines of a DAG"),
        ("GET /api/v1/deliveries", "`status` shows the deliveries of a run"),
        ("GET /api/v1/pools", "for the pages"),
        ("GET /api/v1/pools/{pool}", "for the pages"),
        ("GET /api/v1/dags/{dag}/versions", "for the pages"),
    ];

    /// The verbs, with those below them: a verb that is nothing by itself is left out.
    fn verbs() -> BTreeSet<String> {
        let command = args::command("dags", About { version: None }, &Dags::of_binary());
        let mut verbs = BTreeSet::new();
        for verb in command.get_subcommands() {
            let name = verb.get_name();
            // The ids of DAGs are no verbs.
            let below =
                if ["run", "trigger", "backfill"].contains(&name) { None } else { Some(verb.get_subcommands()) };
            verbs.extend(below.into_iter().flatten().map(|below| format!("{name} {}", below.get_name())));
            if !verb.is_subcommand_required_set() {
                verbs.insert(name.to_owned());
            }
        }
        verbs
    }

    #[test]
    fn every_verb_is_a_call_or_has_a_reason() {
        let listed: BTreeSet<String> = VERBS.iter().map(|(verb, _)| (*verb).to_owned()).collect();
        assert_eq!(listed.len(), VERBS.len(), "each is listed once");
        assert_eq!(listed, verbs());
        for (verb, calls) in VERBS {
            match calls {
                Routes(routes) => assert!(!routes.is_empty(), "{verb}"),
                Home(why) | Program(why) => assert!(why.len() > 10 && !why.ends_with('.'), "{verb}"),
            }
        }
    }

    #[test]
    fn every_call_is_a_verb_or_has_a_reason() {
        let mut listed: BTreeSet<String> = WITHOUT_A_VERB.iter().map(|(route, _)| (*route).to_owned()).collect();
        for (_, calls) in VERBS {
            if let Routes(routes) = calls {
                listed.extend(routes.iter().map(|route| route.replacen(" /", " /api/v1/", 1)));
            }
        }
        let routes: BTreeSet<String> = crate::server::route_names().collect();
        assert_eq!(listed, routes);
    }
}
