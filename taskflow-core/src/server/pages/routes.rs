//! The routes of the pages. A handler reads documents from [`ops`](crate::ops) and hands them to a
//! page.

use axum::Router;
use axum::http::{HeaderMap, header};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{get, post};

use super::assets::{ICON, assets};
use super::{
    account, approval, approval_list, asset_list, audit, backfill, backfill_changes, backfill_form, backfill_list,
    bulk_dags, bulk_runs, calendar, changes, choices, counts, dag, dag_list, deadline_list, doctor, durations, emit,
    graph_page, grid_page, home, log, login, mark_form, pool_list, release, run, run_events, run_list, run_log,
    run_values, schedule_reset, settings, slot_list, task, task_runs, transfer, trigger, users, versions,
};
use crate::server::{ServerState, bodies, costly};

/// The pages, and the static files that they need; also the forms that change something, unless the
/// server is read-only.
pub(in crate::server) fn routes(state: &ServerState) -> Router<ServerState> {
    // Browsers ask for it where a document has no head: the graph, the text of a log.
    let icon = get(|| async { ([(header::CONTENT_TYPE, ICON.media_type)], ICON.content) });
    let views = views().merge(costly_views().route_layer(from_fn_with_state(state.clone(), costly::in_turn)));
    let pages = match state.options.read_only {
        true => views,
        false => {
            views.merge(forms()).merge(costly_forms().route_layer(from_fn_with_state(state.clone(), costly::in_turn)))
        }
    };
    let pages = pages.layer(from_fn_with_state(state.clone(), counts::for_request)).merge(doors());
    // Around all others: a form has no turn and no handler before it is there.
    let pages = pages.layer(from_fn(bodies::read_first));
    let pages = pages.layer(from_fn(choices::for_request)).layer(from_fn(transfer::send)).route("/favicon.ico", icon);
    assets().into_iter().fold(pages, |router, asset| {
        router.route(&asset.address, get(move |headers: HeaderMap| async move { asset.answer(&headers) }))
    })
}

/// A page with values or parameters: no cache keeps it, as the documents of the API.
async fn with_values(response: Response) -> Response {
    account::never_kept(response)
}

fn views() -> Router<ServerState> {
    Router::new()
        .route("/", get(home::show))
        .route("/dags", get(dag_list::show))
        .route("/dags/{dag}", get(dag::show))
        .route("/dags/{dag}/graph.svg", get(dag::graph))
        .route("/dags/{dag}/graph", get(graph_page::of_dag))
        .route("/dags/{dag}/calendar", get(calendar::show))
        .route("/dags/{dag}/slots", get(slot_list::show))
        .route("/dags/{dag}/backfills", get(backfill_list::of_dag))
        .route("/dags/{dag}/durations", get(durations::show))
        .route("/dags/{dag}/tasks/{task}", get(task_runs::show))
        .route("/runs", get(run_list::show))
        .route("/runs/{run}", get(run::show))
        .route("/runs/{run}/values", get(run_values::show).layer(map_response(with_values)))
        .route("/runs/{run}/events", get(run_events::show))
        .route("/runs/{run}/graph", get(graph_page::of_run))
        .route("/runs/{run}/graph.svg", get(run::graph))
        .route("/runs/{run}/tasks/{task}", get(task::show))
        .route("/runs/{run}/tasks/{task}/{attempt}/stream", get(log::stream))
        .route("/assets", get(asset_list::show))
        .route("/events", get(asset_list::events))
        .route("/backfills", get(backfill_list::list))
        .route("/approvals", get(approval_list::show))
        .route("/approvals/{run}/{task}", get(approval::show).layer(map_response(with_values)))
        .route("/deadlines", get(deadline_list::show))
        .route("/pools", get(pool_list::show))
        .route("/dags/{dag}/versions", get(versions::show))
        .route("/settings", get(settings::show))
        .route("/audit", get(audit::show))
        .route("/account", get(account::show))
        .route("/users", get(users::show))
}

/// Views that read much.
fn costly_views() -> Router<ServerState> {
    Router::new()
        .route("/dags/{dag}/grid", get(grid_page::show))
        .route("/dags/{dag}/grid.svg", get(grid_page::image))
        .route("/runs/{run}/log", get(run_log::show))
        .route("/runs/{run}/tasks/{task}/{attempt}", get(log::show))
        .route("/runs/{run}/tasks/{task}/{attempt}/raw", get(log::raw))
        .route("/backfills/{number}", get(backfill::show))
        .route("/doctor", get(doctor::show))
}

/// Forms with a preview.
fn costly_forms() -> Router<ServerState> {
    Router::new()
        .route("/runs:clear", get(bulk_runs::ask_clear).post(bulk_runs::clear))
        .route("/runs:cancel", get(bulk_runs::ask_cancel).post(bulk_runs::cancel))
        .route("/runs/{run}/clear", get(changes::ask_clear).post(changes::clear))
        .route("/runs/{run}/mark", get(mark_form::ask).post(mark_form::send))
        .route("/dags/{dag}/backfill", get(backfill_form::show).post(backfill_form::send))
}

/// Coming and going, also where nothing else can be changed.
fn doors() -> Router<ServerState> {
    let doors = Router::new()
        .route("/login", get(login::show).post(login::send))
        .route("/setup", get(login::show_setup).post(login::send_setup))
        .route("/logout", post(login::leave));
    #[cfg(feature = "oidc")]
    let doors =
        doors.route("/login/oidc", get(super::oidc::begin)).route("/login/oidc/callback", get(super::oidc::arrive));
    doors
}

fn forms() -> Router<ServerState> {
    Router::new()
        .route("/dags/{dag}/trigger", get(trigger::show).post(trigger::send).layer(map_response(with_values)))
        .route("/dags:pause", get(bulk_dags::ask_pause).post(bulk_dags::pause))
        .route("/dags:unpause", get(bulk_dags::ask_unpause).post(bulk_dags::unpause))
        .route("/dags/{dag}/pause", get(changes::ask_pause).post(changes::pause))
        .route("/dags/{dag}/unpause", get(changes::ask_unpause).post(changes::unpause))
        .route("/dags/{dag}/reset-schedule", get(schedule_reset::ask).post(schedule_reset::send))
        .route("/backfills/{number}/pause", get(backfill_changes::ask_pause).post(backfill_changes::pause))
        .route("/backfills/{number}/resume", get(backfill_changes::ask_resume).post(backfill_changes::resume))
        .route("/backfills/{number}/limit", get(backfill_changes::ask_limit).post(backfill_changes::set_limit))
        .route("/backfills/{number}/extend", get(backfill_changes::ask_extend).post(backfill_changes::extend))
        .route("/backfills/{number}/retry", get(backfill_changes::ask_retry).post(backfill_changes::retry))
        .route("/backfills/{number}/cancel", get(backfill_changes::ask_cancel).post(backfill_changes::cancel))
        .route("/events/emit", get(emit::show).post(emit::send))
        .route("/approvals/{run}/{task}/answer", post(approval::answer).layer(map_response(with_values)))
        .route("/runs/{run}/cancel", get(changes::ask_cancel).post(changes::cancel))
        .route("/runs/{run}/release", get(release::ask).post(release::send))
        .route("/runs/{run}/retry", post(changes::retry))
        .route("/runs/{run}/resume", post(changes::resume))
        .route("/account/confirm", post(account::confirm))
        .route("/account/password", post(account::password))
        .route("/account/sessions/end", post(account::end_session))
        .route("/account/tokens", post(account::create))
        .route("/account/tokens/revoke", post(account::revoke))
        .route("/users/add", post(users::add))
        .route("/users/role", post(users::role))
        .route("/users/password", post(users::password))
        .route("/users/remove", post(users::remove))
}
