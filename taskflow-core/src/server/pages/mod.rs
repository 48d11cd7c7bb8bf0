//! The pages of the web UI: complete HTML from the documents of [`ops`](crate::ops).
//!
//! Each view is a module: a handler that reads, a struct with what the page shows, and a template
//! of the same name in `taskflow-core/templates`. No page has an inline style or script. Every
//! value in a template passes through [`escape::PageText`]; only marks and points in time, whose
//! texts are constants and numbers, and graphs, whose texts `render` escapes, are written as they
//! are.
//!
//! # Live pages
//!
//! 1. A handler asks for the place of the stream before it reads anything, and the frame of the
//!    page names it, with the topics that the page is about.
//! 2. The script `static/app.js` opens the stream of changes after that place. An event says that
//!    something on the page has changed. The script then asks for the page again, at most five
//!    times a second, and makes its elements like the new ones.
//! 3. The server has no fragments, no state of pages and no second way to make any part of one:
//!    what a page shows after a change is what it would show if it were opened then. That costs a
//!    page a change, which is sent compressed, or 304 if nothing that it shows has changed; and one
//!    rule instead of two.
//! 4. Only the lines of logs come through a stream of their own, made by the same templates.
//!
//! | module | what |
//! |---|---|
//! | `home`, `needs` | What needs a person, what runs, what comes next. |
//! | `dag_list`, `strip` | The DAGs with their last runs. |
//! | `run`, `run_facts`, `run_tasks`, `timeline`, `critical_path`, `failures` | A run. |
//! | `run_tabs`, `run_values`, `run_events` | Its values and parameters, its events and the runs around it. |
//! | `dag`, `slots` | A DAG: its graph, its slots. |
//! | `slot_list` | All slots of a DAG: what became of them, and how late their runs were. |
//! | `grid_page`, `grid`, `grid_columns`, `overview` | The slots and the tasks of a DAG as a grid. |
//! | `durations`, `calendar` | How long runs took; a month of slots. |
//! | `mapped` | The elements of a mapped task. |
//! | `graph`, `graph_page` | The graph of a DAG or of a run: inside the page, and a large one by its parts. |
//! | `task`, `task_runs` | A task of a run, and of a DAG in its last runs. |
//! | `run_list`, `asset_list`, `backfill_list`, `doctor` | Lists. |
//! | `backfill`, `backfill_failures`, `backfill_form`, `backfill_changes` | A backfill, what failed in it, the form that starts one, and those that change one. |
//! | `slot_table` | Many slots as a small table. |
//! | `approval_list`, `approval` | The questions that tasks ask people, and one of them. |
//! | `deadline_list` | What is due, what was missed, what could not be delivered. |
//! | `pool_list` | Who holds the slots of pools, and who waits for them. |
//! | `versions` | The graphs of a DAG, and what changed between them. |
//! | `audit`, `audit_words` | Who has changed what. |
//! | `settings` | The configuration of the program, and what it works with. |
//! | `form`, `trigger`, `again`, `changes`, `mark_form`, `emit`, `preview` | The forms that change something. |
//! | `release`, `schedule_reset` | The forms that send an event to a run, and reset a schedule. |
//! | `bulk_runs`, `bulk_dags` | Those that change several runs or DAGs. |
//! | `login`, `oidc`, `account`, `users` | Log-in, set-up, one's own tokens, users. |
//! | `log`, `log_histogram` | The log of an attempt. |
//! | `run_log` | The search of the logs of a run. |
//! | `attempt_pair` | The logs of two attempts side by side. |
//! | `routes`, `reply`, `address` | Addresses, what handlers read and answer. |
//! | `transfer`, `gzip` | How pages are sent. |
//! | `frame`, `who`, `marks`, `times`, `action`, `run_links`, `command`, `escape`, `assets`, `problem` | What pages share. |
//! | `counts`, `choices` | What waits for people, and the zone and the theme that the reader has chosen. |

mod account;
mod action;
mod address;
mod again;
mod approval;
mod approval_list;
mod asset_list;
mod assets;
mod attempt_pair;
mod audit;
mod audit_words;
mod backfill;
mod backfill_changes;
mod backfill_failures;
mod backfill_form;
mod backfill_list;
mod bulk_dags;
mod bulk_runs;
mod calendar;
mod changes;
mod choices;
mod command;
mod condition;
mod counts;
mod critical_path;
mod dag;
mod dag_list;
mod deadline_list;
mod doctor;
mod durations;
mod emit;
pub(in crate::server) mod escape;
mod failures;
mod form;
mod frame;
mod graph;
mod graph_page;
mod grid;
mod grid_columns;
mod grid_page;
mod gzip;
mod home;
mod log;
mod log_histogram;
mod log_indexes;
mod login;
mod mapped;
mod mark_form;
mod marks;
mod needs;
#[cfg(feature = "oidc")]
mod oidc;
mod overview;
mod pool_list;
mod preview;
mod problem;
mod release;
mod reply;
mod routes;
mod run;
mod run_events;
mod run_facts;
mod run_links;
mod run_list;
mod run_log;
mod run_tabs;
mod run_tasks;
mod run_values;
mod schedule_reset;
mod settings;
mod slot_list;
mod slot_table;
mod slots;
mod strip;
mod task;
mod task_runs;
mod timeline;
mod times;
mod transfer;
mod trigger;
mod users;
mod versions;
mod who;

pub(super) use account::confirm_page;
pub(super) use counts::CountCache;
pub(super) use log_indexes::LogIndexes;
pub(super) use login::log_in_address;
pub(super) use reply::{no_route, problem_page};
pub(super) use routes::routes;

/// For fuzzing: reads a text as what pages and forms take from an address, a body and headers.
pub(super) fn read_any(text: &str, headers: &axum::http::HeaderMap) {
    let values = form::Values::of_query(Some(text)).unwrap_or_default();
    let _ = (values.get("a"), values.raw("a"), values.words("a").count());
    let _ = (login::way_back(text), choices::in_query(text), log::chosen_lines(text));
    let _ = (calendar::month(text), calendar::day(text), backfill_changes::limit(text));
    let _ = gzip::is_accepted(headers);
}
