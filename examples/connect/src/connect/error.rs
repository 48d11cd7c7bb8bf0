//! What goes wrong with Spark Connect, and whether another attempt helps.

use spark_connect::SparkError;
use taskflow::{BoxError, ConfigError};

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// There is no such connection, or it has mistakes.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The connection leads to something else.
    #[error("the connection `{connection}` is one of the kind `{kind}`, not to Spark Connect: write `sc://host:15002`")]
    WrongKind { connection: String, kind: String },
    /// The connection leads nowhere.
    #[error("the connection `{connection}` names no host: write `sc://host:15002`")]
    NoHost { connection: String },
    /// Parameters stand where Spark has them, or something else does.
    #[error(
        "the connection `{connection}` has something behind its host and port: parameters follow a `?`, as in \
         `sc://host:15002?use_ssl=true&token=..`, and not `/;`"
    )]
    Path { connection: String },
    /// A session of a fixed name would be ended by the first of its users.
    #[error("the connection `{connection}` has a `session_id`: leave it out, each attempt has a session of its own")]
    SharedSession { connection: String },
    /// The client does not take the address: a token without TLS, say.
    #[error("the connection `{connection}` does not suit Spark Connect: {}", source.message())]
    Refused { connection: String, source: Box<SparkError> },
    /// Nobody answers.
    #[error(
        "nobody answers at {place}, where the connection `{connection}` leads ({reason}): is the Spark Connect server \
         running there? `sbin/start-connect-server.sh` of a Spark starts one"
    )]
    Unreachable { connection: String, place: String, reason: String },
    /// Somebody answers, and says nothing.
    #[error(
        "{place}, where the connection `{connection}` leads, does not answer as Spark Connect does: is it another server?"
    )]
    Silent { connection: String, place: String },
    /// Somebody answers, and does not open a session.
    #[error("{place}, where the connection `{connection}` leads, gives no session of Spark Connect: {}", source.message.trim())]
    NoSession { connection: String, place: String, source: Box<SparkError> },
}

/// What the server says about a query: `.map_err(QueryError)?`. What the client shows says the name of the error twice.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.message.trim())]
pub struct QueryError(pub SparkError);

/// Why the rows of a query are not to be believed.
#[derive(Debug, thiserror::Error)]
#[error(
    "the server ended its answer before the result was whole, and the client did not ask for the rest: start the server with \
     `--conf spark.connect.execute.reattachable.senderMaxStreamDuration=0` and \
     `--conf spark.connect.execute.reattachable.senderMaxStreamSize=0`"
)]
pub struct CutOff;

/// Whether another attempt may end otherwise: not where the configuration, the query or the data are wrong.
///
/// For `#[task(retries = 2, retry_on = connect::is_passing)]`. What is no error of Spark Connect counts as passing.
pub fn is_passing(error: &BoxError) -> bool {
    if let Some(QueryError(error)) = error.downcast_ref() {
        return may_pass(error);
    }
    if error.is::<CutOff>() {
        return false;
    }
    match error.downcast_ref::<SessionError>() {
        Some(SessionError::NoSession { source, .. }) => may_pass(source),
        Some(SessionError::Unreachable { .. } | SessionError::Silent { .. }) | None => true,
        Some(_) => false,
    }
}

/// Classes of `SQLSTATE` that say that the query or the data are wrong: unsupported, wrong number of rows, wrong data, constraints,
/// wrong syntax or names, raised by the query.
const WRONG: [&str; 6] = ["0A", "21", "22", "23", "42", "P0"];
/// Codes of gRPC that say that we are not wanted: invalid argument, permission denied, unimplemented, unauthenticated.
const UNWANTED: [i32; 4] = [3, 7, 12, 16];

fn may_pass(error: &SparkError) -> bool {
    let is_wrong = |state: &str| WRONG.iter().any(|class| state.starts_with(class));
    !error.sql_state.as_deref().is_some_and(is_wrong) && !error.grpc_code.is_some_and(|code| UNWANTED.contains(&code))
}
