//! The users, for admins.

use askama::Template;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};

use super::account::{grants, mistake, never_kept};
use super::escape::html;
use super::form::below;
use super::form::{Sent, Values};
use super::frame::{Crumb, Frame, Place};
use super::problem::sentence;
use super::reply::{PageProblem, request};
use super::times::Moment;
use crate::ops::accounts::{self, Right};
use crate::ops::{AuditTarget, OpsError};
use crate::server::acting::Acting;
use crate::server::auth::Visitor;
use crate::server::problem::Problem;

#[derive(Debug, Template)]
#[template(path = "users.html")]
struct UsersPage {
    frame: Frame,
    rows: Vec<UserRow>,
    /// Those with a password: their password and their role are decided here.
    own: Vec<String>,
    can_change: bool,
    /// The page itself, if it asks for the password before it has forms.
    confirm: String,
    error: String,
    /// What was typed.
    name: String,
    dags: String,
}

#[derive(Debug)]
struct UserRow {
    name: String,
    roles: String,
    created: Moment,
    /// The provider that authenticates them; empty if they have a password.
    issuer: String,
}

async fn page(state: &Visitor, values: &Values, error: String) -> Result<Response, PageProblem> {
    let request = request(None);
    let rows = accounts::users(&state.journal).await?.into_iter().map(|user| UserRow {
        roles: accounts::roles_in_words(&user.grants),
        created: request.clock.at(user.created),
        issuer: user.identity.map(|identity| identity.issuer).unwrap_or_default(),
        name: user.name,
    });
    let rows: Vec<UserRow> = rows.collect();
    let can_change = !state.options.read_only;
    let page = UsersPage {
        frame: Frame::new(&request, Place::Users, "Users", vec![Crumb::here("Users")]),
        own: rows.iter().filter(|row| row.issuer.is_empty()).map(|row| row.name.clone()).collect(),
        rows,
        can_change: can_change && state.is_confirmed(),
        confirm: if can_change && !state.is_confirmed() { "/users".to_owned() } else { String::new() },
        error,
        name: values.get("name").to_owned(),
        dags: values.get("dags").to_owned(),
    };
    let status = if page.error.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok(never_kept((status, Html(html(&page))).into_response()))
}

pub(super) async fn show(state: Visitor) -> Sent {
    state.check_everywhere(Right::Admin)?;
    page(&state, &Values::default(), String::new()).await
}

/// The values of a form that an admin has sent.
fn of_admin(state: &Visitor, headers: &HeaderMap, body: &Bytes) -> Result<Values, Problem> {
    let values = Values::of(headers, body);
    // Whose form cannot be read may still lack the right.
    let name = values.as_ref().map_or("", |values| values.get("name"));
    state.check_everywhere_of(Right::Admin, AuditTarget::account(name))?;
    values
}

async fn done<T>(state: &Visitor, values: &Values, outcome: Result<T, OpsError>) -> Sent {
    match outcome {
        Ok(_) => Ok(below("/users").into_response()),
        Err(error) => page(state, values, mistake(error)?).await,
    }
}

pub(super) async fn add(state: Visitor, Acting(service): Acting, headers: HeaderMap, body: Bytes) -> Sent {
    let values = of_admin(&state, &headers, &body)?;
    match grants(&values) {
        Ok(grants) => {
            let added = accounts::add_user(&service, values.get("name"), values.raw("password"), grants).await;
            done(&state, &values, added).await
        }
        Err(error) => page(&state, &values, sentence(&error.to_string())).await,
    }
}

pub(super) async fn role(state: Visitor, Acting(service): Acting, headers: HeaderMap, body: Bytes) -> Sent {
    let values = of_admin(&state, &headers, &body)?;
    match grants(&values) {
        Ok(grants) => {
            let changed = accounts::set_role(&service, values.get("name"), grants).await;
            done(&state, &values, changed).await
        }
        Err(error) => page(&state, &values, sentence(&error.to_string())).await,
    }
}

pub(super) async fn password(state: Visitor, Acting(service): Acting, headers: HeaderMap, body: Bytes) -> Sent {
    let values = of_admin(&state, &headers, &body)?;
    let changed = accounts::set_password(&service, values.get("name"), values.raw("password")).await;
    done(&state, &values, changed).await
}

pub(super) async fn remove(state: Visitor, Acting(service): Acting, headers: HeaderMap, body: Bytes) -> Sent {
    let values = of_admin(&state, &headers, &body)?;
    let removed = accounts::remove_user(&service, values.get("name")).await;
    done(&state, &values, removed).await
}
