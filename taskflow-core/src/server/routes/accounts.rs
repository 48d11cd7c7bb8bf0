//! Who asks; tokens and users.

use super::field::{Field, Kind, PAGES, field};
use super::route::{Route, Verb, route};
use crate::base::schema::Schema;
use crate::ops::accounts::{CreatedToken, EndedCredentials, TokenDocument, UserDocument};
use crate::server::api::accounts;

const ROLE: Field = field("role", Kind::Word(&["viewer", "operator", "admin"]), "The role").required();
const DAG_PATTERNS: Field =
    field("dags", Kind::Texts, "Only for these DAGs: ids, `team_a.*` or `tag:finance`. Default: all DAGs");

pub(super) static ROUTES: &[Route] = &[
    route!(Get "/api/v1/me", accounts::me, "Who asks, and what they may do" => accounts::Me<'static>),
    route!(Get "/api/v1/tokens", accounts::tokens, "One's own tokens; all of them for an admin"
        => Vec<TokenDocument>)
    .query(PAGES),
    route!(Post "/api/v1/tokens", accounts::create_token, "Creates a token, which is shown once"
        => CreatedToken)
    .body(&[
        field("name", Kind::Text, "The name of the token").required(),
        ROLE,
        DAG_PATTERNS,
        field("days", Kind::Number(1, 3_660), "After how many days it expires. Default: 90"),
        field("expires", Kind::Span(u64::MAX), "In place of `days`: after how long it expires"),
        field("lasts", Kind::Switch, "It does not expire, which only an admin of all DAGs can choose"),
        field("user", Kind::Text, "The user that it belongs to, for an admin. Default: whoever asks"),
    ]),
    route!(Delete "/api/v1/tokens/{token}", accounts::revoke_token,
        "Ends a token" => accounts::Revoked)
    .body(&[]),
    route!(Get "/api/v1/users", accounts::users, "The users and their roles" => Vec<UserDocument>).query(PAGES),
    route!(Post "/api/v1/users", accounts::add_user, "Adds a user" => UserDocument).body(&[
        field("name", Kind::Text, "The name of the user").required(),
        field("password", Kind::Text, "The password, of at least 12 characters").required(),
        ROLE,
        DAG_PATTERNS,
    ]),
    route!(Delete "/api/v1/users/{user}", accounts::remove_user,
        "Removes a user, with all sessions and tokens"
        => EndedCredentials)
    .body(&[]),
    route!(Put "/api/v1/users/{user}/role", accounts::set_role,
        "Gives a user another role" => UserDocument)
    .body(&[ROLE, DAG_PATTERNS]),
    route!(Put "/api/v1/users/{user}/password", accounts::set_password,
        "Gives a user another password; all sessions and tokens of the user end"
        => EndedCredentials)
    .body(&[field("password", Kind::Text, "The password, of at least 12 characters").required()]),
];
