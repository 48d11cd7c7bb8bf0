//! Who asks; users and tokens.
//!
//! Whoever is a user manages their own tokens. Users, and tokens of others, need the right `admin`
//! for all DAGs.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use super::document::{changed, document};
use super::paging::Page;
use crate::base::schema::Schema;
use crate::ops::accounts::{self, DEFAULT_EXPIRY, Grant, NewToken, Right, Role};
use crate::ops::{Actor, AuditTarget, Via};
use crate::server::auth::Visitor;
use crate::server::call::Call;
use crate::server::problem::Problem;
use crate::server::routes::Answer;

/// Who asks, and what they may do.
#[derive(Debug, Serialize, Schema)]
pub(in crate::server) struct Me<'v> {
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

#[derive(Debug, Serialize, Schema)]
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

/// Whose tokens somebody manages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::server) enum Managed<'v> {
    All,
    /// Those of this user.
    Own(&'v str),
    None,
}

impl<'v> Managed<'v> {
    pub(in crate::server) fn by(visitor: &'v Visitor) -> Self {
        let principal = visitor.principal();
        match principal.user() {
            _ if principal.may_everywhere(Right::Admin) => Managed::All,
            Some(user) => Managed::Own(user),
            None => Managed::None,
        }
    }

    /// Whether they may create tokens. A token makes none, which could be valid for longer than
    /// itself; an admin's does.
    pub(in crate::server) fn may_create(self, visitor: &Visitor) -> bool {
        let is_token = visitor.principal().actor().is_some_and(|actor| actor.via == Via::Token);
        self == Managed::All || (self != Managed::None && !is_token)
    }
}

/// The user whose tokens they manage; `None`: those of all.
pub(in crate::server) fn check_managed<'v>(visitor: &'v Visitor, token: &str) -> Result<Option<&'v str>, Problem> {
    match Managed::by(visitor) {
        Managed::All => Ok(None),
        Managed::Own(user) => Ok(Some(user)),
        Managed::None => {
            let problem =
                Problem::forbidden("only users have tokens of their own, and only admins manage those of others");
            Err(visitor.refused(AuditTarget::account(token), problem.next("log in as a user")))
        }
    }
}

/// Checks that they may create a token.
pub(in crate::server) fn check_create(visitor: &Visitor, token: &str) -> Result<(), Problem> {
    check_managed(visitor, token)?;
    if Managed::by(visitor).may_create(visitor) {
        return Ok(());
    }
    let problem = Problem::forbidden("a token cannot create tokens, unless it is an admin's").next("log in as a user");
    Err(visitor.refused(AuditTarget::account(token), problem))
}

/// Checks that a token belongs to somebody. Whom a proxy names is known only while the proxy says
/// so: a token without an owner would outlive them, and end with nobody. On the machine of the
/// home, and where nobody has to be known, tokens belong to the instance.
pub(in crate::server) fn check_owner(visitor: &Visitor, token: &str, owner: Option<&str>) -> Result<(), Problem> {
    let actor = visitor.principal().actor().filter(|actor| owner.is_none() && actor.via == Via::Proxy);
    let Some(Actor { name, .. }) = actor else { return Ok(()) };
    let problem =
        Problem::forbidden(format!("the proxy names `{name}`, who is no user here: the token would be nobody's"));
    let problem = problem.next("add a user of that name first");
    Err(visitor.refused(AuditTarget::account(token), problem))
}

pub(in crate::server) async fn tokens(call: Call) -> Answer {
    let owner = check_managed(&call.state, "")?;
    let tokens = accounts::tokens(&call.state.journal, owner).await?;
    never_kept(Page::of(&call, tokens, |token| token.name.clone())?.answer(&call))
}

/// A token belongs to the user who creates it, and may do no more than this user. An admin may name
/// another user, and has to if they are none themselves and a proxy names them.
pub(in crate::server) async fn create_token(call: Call) -> Answer {
    let name = call.text("name").unwrap_or_default().to_owned();
    check_create(&call.state, &name)?;
    let own = call.state.principal().user();
    let owner = match call.text("user") {
        Some(user) if own != Some(user) => {
            call.state.check_everywhere_of(Right::Admin, AuditTarget::account(&name))?;
            Some(user)
        }
        Some(user) => Some(user),
        None => own,
    };
    check_owner(&call.state, &name, owner)?;
    let new = NewToken { owner: owner.map(str::to_owned), grants: grants(&call)?, expires_after: expiry(&call)?, name };
    never_kept(changed(StatusCode::CREATED, &accounts::create_token(&call.service, new).await?))
}

/// After how long a token expires; `None`: never.
fn expiry(call: &Call) -> Result<Option<Duration>, Problem> {
    let days = call.number("days").and_then(|days| u64::try_from(days).ok());
    let days = days.map(|days| Duration::from_secs(days * 86_400));
    match (call.switch("lasts"), call.span("expires"), days) {
        (true, None, None) => Ok(None),
        (false, Some(span), None) | (false, None, Some(span)) => Ok(Some(span)),
        (false, None, None) => Ok(Some(DEFAULT_EXPIRY)),
        _ => Err(Problem::invalid("give one of `days`, `expires` and `lasts`").at("expires")),
    }
}

/// A token that was ended.
#[derive(Debug, Serialize, Schema)]
#[schema(name = "RevokedToken")]
pub(in crate::server) struct Revoked {
    /// Its name.
    revoked: String,
}

pub(in crate::server) async fn revoke_token(call: Call) -> Answer {
    let name = call.param("token");
    let owner = check_managed(&call.state, &name)?;
    accounts::revoke_token(&call.service, &name, owner).await?;
    changed(StatusCode::OK, &Revoked { revoked: name })
}

pub(in crate::server) async fn users(call: Call) -> Answer {
    call.state.check_everywhere(Right::Admin)?;
    let users = accounts::users(&call.state.journal).await?;
    never_kept(Page::of(&call, users, |user| user.name.clone())?.answer(&call))
}

/// Checks that they may change the user with this name.
fn check_admin(call: &Call, user: &str) -> Result<(), Problem> {
    call.state.check_everywhere_of(Right::Admin, AuditTarget::account(user))
}

pub(in crate::server) async fn add_user(call: Call) -> Answer {
    check_admin(&call, call.text("name").unwrap_or_default())?;
    let (name, password) = (call.text("name").unwrap_or_default(), call.text("password").unwrap_or_default());
    let user = accounts::add_user(&call.service, name, password, grants(&call)?).await?;
    never_kept(changed(StatusCode::CREATED, &user))
}

pub(in crate::server) async fn remove_user(call: Call) -> Answer {
    check_admin(&call, &call.param("user"))?;
    changed(StatusCode::OK, &accounts::remove_user(&call.service, &call.param("user")).await?)
}

pub(in crate::server) async fn set_role(call: Call) -> Answer {
    check_admin(&call, &call.param("user"))?;
    let grants = grants(&call)?;
    changed(StatusCode::OK, &accounts::set_role(&call.service, &call.param("user"), grants).await?)
}

pub(in crate::server) async fn set_password(call: Call) -> Answer {
    check_admin(&call, &call.param("user"))?;
    let password = call.text("password").unwrap_or_default();
    changed(StatusCode::OK, &accounts::set_password(&call.service, &call.param("user"), password).await?)
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
