//! The pages of the web UI: complete HTML from the documents of [`ops`](crate::ops).
//!
//! Each view is a module: a handler that reads, a struct with what the page shows, and a template
//! of the same name in `taskflow-core/templates`. No page has an inline style or script. Every
//! value in a template passes through [`escape::PageText`]; only marks and points in time, whose
//! texts are constants and numbers, are written as they are.
//!
//! | module | what |
//! |---|---|
//! | `home`, `needs` | What needs a person, what runs, what comes next. |
//! | `dag_list`, `strip` | The DAGs with their last runs. |
//! | `run`, `run_facts`, `run_tasks`, `timeline`, `critical_path`, `failures` | A run. |
//! | `run_tabs`, `run_values`, `run_events` | Its values and parameters, its events and the runs around it. |
//! | `dag`, `grid`, `slots` | A DAG: its last runs as a grid, its graph, its slots. |
//! | `task`, `task_runs` | A task of a run, and of a DAG in its last runs. |
//! | `run_list`, `asset_list`, `backfill_list`, `doctor` | Lists. |
//! | `approval_list`, `approval` | The questions that tasks ask people, and one of them. |
//! | `deadline_list` | What is due, what was missed, what could not be delivered. |
//! | `pool_list` | Who holds the slots of pools, and who waits for them. |
//! | `versions` | The graphs of a DAG, and what changed between them. |
//! | `settings` | The configuration of the program, and what it works with. |
//! | `form`, `trigger`, `changes` | The forms that change something. |
//! | `log`, `log_lines`, `ansi` | The log of an attempt. |
//! | `attempt_pair` | The logs of two attempts side by side. |
//! | `routes`, `reply`, `address` | Addresses, what handlers read and answer. |
//! | `frame`, `marks`, `times`, `command`, `escape`, `assets`, `problem` | What pages share. |
//! | `counts`, `zone_choice` | What waits for people, and the zone that the reader has chosen. |

mod address;
mod ansi;
mod approval;
mod approval_list;
mod asset_list;
mod assets;
mod attempt_pair;
mod backfill_list;
mod changes;
mod command;
mod counts;
mod critical_path;
mod dag;
mod dag_list;
mod deadline_list;
mod doctor;
pub(in crate::server) mod escape;
mod failures;
mod form;
mod frame;
mod grid;
mod home;
mod log;
mod log_lines;
mod marks;
mod needs;
mod pool_list;
mod problem;
mod reply;
mod routes;
mod run;
mod run_events;
mod run_facts;
mod run_list;
mod run_tabs;
mod run_tasks;
mod run_values;
mod settings;
mod slots;
mod strip;
mod task;
mod task_runs;
mod timeline;
mod times;
mod trigger;
mod versions;
mod zone_choice;

pub(super) use counts::CountCache;
pub(super) use reply::no_route;
pub(super) use routes::routes;
