//! Who asks; users and tokens.
//!
//! Whoever is a user manages their own tokens. Users, and tokens of others, need the right `admin`
//! for all DAGs.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use super::document::{changed, document};
use crate::ops::accounts::{self, DEFAULT_EXPIRY, Grant, NewToken, Right, Role};
use crate::ops::{Actor, Via};
use crate::server::auth::Visitor;
use crate::server::call::Call;
use crate::server::problem::Problem;
use crate::server::routes::Answer;

/// Who asks, and what they may do.
#[derive(Debug, Serialize)]
struct Me<'v> {
    name: Option<&'v str>,
    via: Option<Via>,
    user: Option<&'v str>,
    /// What bounds their rights: they may do what each of these lists allows.
    grants: &'v [Vec<Grant>],
    /// Their rights to all DAGs, and to what belongs to none.
    rights: Vec<Right>,
    /// Their rights to the DAGs of the program that they may see.
    dags: Vec<DagRights>,
}

#[derive(Debug, Serialize)]
struct DagRights {
    dag_id: &'static str,
    rights: Vec<Right>,
}

pub(in crate::server) async fn me(call: Call) -> Answer {
    let (visitor, principal) = (&call.state, call.state.principal());
    let (name, via) = principal.actor().map(|Actor { name, via }| (&**name, *via)).unzip();
    let all = |may: &dyn Fn(Right) -> bool| Right::ALL.into_iter().filter(|right| may(*right)).collect::<Vec<_>>();
    let dags = visitor.dags.iter().filter(|dag| visitor.may(Right::View, dag.id));
    let me = Me {
        name,
        via,
        user: principal.user(),
        grants: principal.access().bounds(),
        rights: all(&|right| principal.may_everywhere(right)),
        dags: dags.map(|dag| DagRights { dag_id: dag.id, rights: all(&|right| visitor.may(right, dag.id)) }).collect(),
    };
    never_kept(document(&call, &me))
}

/// Whose tokens they manage: those of one user, or all.
pub(in crate::server) fn managed(visitor: &Visitor) -> Result<Option<&str>, Problem> {
    let principal = visitor.principal();
    if principal.may_everywhere(Right::Admin) {
        return Ok(None);
    }
    let problem = || {
        let problem = Problem::forbidden("only users have tokens of their own, and only admins manage those of others");
        problem.next("log in as a user")
    };
    principal.user().map(Some).ok_or_else(problem)
}

pub(in crate::server) async fn tokens(call: Call) -> Answer {
    let owner = managed(&call.state)?;
    never_kept(document(&call, &accounts::tokens(&call.state.journal, owner).await?))
}

/// A token belongs to the user who creates it, and may do no more than this user.
pub(in crate::server) async fn create_token(call: Call) -> Answer {
    may_create(&call.state)?;
    let days = call.number("days").and_then(|days| u64::try_from(days).ok());
    let new = NewToken {
        name: call.text("name").unwrap_or_default().to_owned(),
        owner: call.state.principal().user().map(str::to_owned),
        grants: grants(&call)?,
        expires_after: Some(days.map_or(DEFAULT_EXPIRY, |days| Duration::from_secs(days * 86_400))),
    };
    never_kept(changed(StatusCode::CREATED, &accounts::create_token(&call.state.service, new).await?))
}

/// A token makes no tokens, which could be valid for longer than itself; an admin's does.
pub(in crate::server) fn may_create(visitor: &Visitor) -> Result<(), Problem> {
    managed(visitor)?;
    let is_token = visitor.principal().actor().is_some_and(|actor| actor.via == Via::Token);
    if !is_token || visitor.principal().may_everywhere(Right::Admin) {
        return Ok(());
    }
    Err(Problem::forbidden("a token cannot create tokens, unless it is an admin's").next("log in as a user"))
}

pub(in crate::server) async fn revoke_token(call: Call) -> Answer {
    let owner = managed(&call.state)?;
    let name = call.param("token");
    accounts::revoke_token(&call.state.service, &name, owner).await?;
    changed(StatusCode::OK, &serde_json::json!({ "revoked": name }))
}

pub(in crate::server) async fn users(call: Call) -> Answer {
    call.state.check_everywhere(Right::Admin)?;
    never_kept(document(&call, &accounts::users(&call.state.journal).await?))
}

pub(in crate::server) async fn add_user(call: Call) -> Answer {
    call.state.check_everywhere(Right::Admin)?;
    let (name, password) = (call.text("name").unwrap_or_default(), call.text("password").unwrap_or_default());
    let user = accounts::add_user(&call.state.service, name, password, grants(&call)?).await?;
    never_kept(changed(StatusCode::CREATED, &user))
}

pub(in crate::server) async fn remove_user(call: Call) -> Answer {
    call.state.check_everywhere(Right::Admin)?;
    changed(StatusCode::OK, &accounts::remove_user(&call.state.service, &call.param("user")).await?)
}

pub(in crate::server) async fn set_role(call: Call) -> Answer {
    call.state.check_everywhere(Right::Admin)?;
    let grants = grants(&call)?;
    changed(StatusCode::OK, &accounts::set_role(&call.state.service, &call.param("user"), grants).await?)
}

pub(in crate::server) async fn set_password(call: Call) -> Answer {
    call.state.check_everywhere(Right::Admin)?;
    let password = call.text("password").unwrap_or_default();
    changed(StatusCode::OK, &accounts::set_password(&call.state.service, &call.param("user"), password).await?)
}

fn grants(call: &Call) -> Result<Vec<Grant>, Problem> {
    // The table of routes requires the role and has checked its name.
    let role: Role = call.text("role").unwrap_or_default().parse().map_err(crate::ops::OpsError::from)?;
    let dags = call.texts("dags").unwrap_or_default();
    let grants = Grant::of_role(role, dags.iter().map(String::as_str));
    Ok(grants.map_err(crate::ops::OpsError::from)?)
}

/// Who there is, and what they present, is kept by no cache.
fn never_kept(answer: Answer) -> Answer {
    let mut response = answer?;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
