//! The router: finds the route of a request, checks it and calls the handler.

use axum::Router;
use axum::extract::{RawPathParams, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::any;

use super::all;
use super::route::{Answer, Route};
use crate::server::ServerState;
use crate::server::auth::Visitor;
use crate::server::call::{self, Call};
use crate::server::problem::Problem;

/// The router of the table.
pub(in crate::server) fn router() -> Router<ServerState> {
    let mut router = Router::new();
    let mut paths: Vec<&'static str> = all().map(|route| route.path).collect();
    paths.dedup();
    for path in paths {
        let answer = move |state: State<ServerState>, params: Result<RawPathParams, _>, request: Request| async move {
            let params = params.map_err(|_: axum::extract::rejection::RawPathParamsRejection| {
                Problem::bad_request("the address is not percent-encoded UTF-8")
            })?;
            let params = params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            answer(path, Visitor::new(state.0, request.extensions()), params, request).await
        };
        router = router.route(path, any(answer));
    }
    router
}

/// Finds the route of a path by the method, checks the request and calls the handler.
async fn answer(path: &'static str, state: Visitor, params: Vec<(String, String)>, request: Request) -> Answer {
    let of_path = || all().filter(|route| route.path == path);
    let method = match request.method() {
        &Method::HEAD => "GET",
        method => method.as_str(),
    };
    let Some(route) = of_path().find(|route| route.method.name() == method) else {
        let mut allowed: Vec<&str> = of_path().map(|route| route.method.name()).collect();
        if allowed.contains(&"GET") {
            allowed.push("HEAD");
        }
        return Err(Problem::method_not_allowed(&allowed.join(", ")));
    };
    if route.changes() {
        may_change(&state)?;
    }
    let started = std::time::Instant::now();
    let answered = match call::read(route, state.clone(), params, request).await {
        Ok(call) => in_turn(route, call).await,
        Err(problem) => Err(problem),
    };
    let response = answered.into_response();
    if route.changes() && response.status().is_success() {
        state.handle.wake();
    }
    state.metrics.request(route.method.name(), path, response.status(), started.elapsed());
    Ok(response)
}

/// Calls the handler, once there is a turn for it. A stream needs none.
async fn in_turn(route: &Route, mut call: Call) -> Answer {
    if route.is_costly && !call.switch("follow") {
        call.turn = Some(call.state.turn(call.state.principal()).await?);
    }
    let turn = call.turn.clone();
    let answered = (route.handler)(call).await;
    drop(turn);
    answered
}

/// Whether requests may change something now.
fn may_change(state: &ServerState) -> Result<(), Problem> {
    if state.options.read_only {
        let problem = Problem::new(StatusCode::FORBIDDEN, "the server is read-only");
        return Err(problem.next("use the command line, or a server without --read-only"));
    }
    if state.is_draining() {
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the service is about to end");
        return Err(problem.header(header::RETRY_AFTER, "10"));
    }
    Ok(())
}
