//! Error messages, and which errors are transient.

use std::net::TcpListener;

use spark_connect::prelude::*;
use taskflow::{BoxError, Config, Result, TaskContext};

use crate::connect::{self, QueryError, is_transient};
use crate::server::{Server, eventually};

/// The error of opening a session with a connection, and whether it is transient.
async fn rejected(address: &str) -> (String, bool) {
    let config = Config::builder().connection("spark_connect", address).build().expect("the connection is valid");
    rejected_with(&config).await
}

async fn rejected_with(config: &Config) -> (String, bool) {
    let context = TaskContext::detached("rejected").with_config(config);
    let error: BoxError = connect::session(&context, "spark_connect").await.expect_err("there is no server").into();
    (error.to_string(), is_transient(&error))
}

#[tokio::test]
async fn a_missing_connection_is_reported_with_the_ways_to_define_it() {
    let (error, transient) = rejected_with(&Config::builder().build().expect("the configuration is valid")).await;
    assert_eq!(
        error,
        "there is no connection `spark_connect`; it can be set below [connections] in taskflow.toml, as \
         TASKFLOW_CONN_SPARK_CONNECT in the environment, or by the program with \
         `Config::builder().connection(\"spark_connect\", ..)`"
    );
    assert!(!transient);
}

#[tokio::test]
async fn an_unsuitable_connection_is_reported_with_a_valid_form() {
    for (address, expected) in [
        ("spark://localhost:7077", "is of the kind `spark` instead of Spark Connect; write `sc://host:15002`"),
        ("sc://", "has no host; write `sc://host:15002`"),
        (
            "sc://localhost:15002/;token=hidden",
            "has a path after its host and port; write parameters after `?` instead of `/;`, as in \
             `sc://host:15002?use_ssl=true&token=..`",
        ),
        (
            "sc://localhost?session_id=f3b0f5b4-1c5f-4d8e-9a55-6a1d5b1f0c11",
            "has a `session_id`; remove it, because each attempt has a session of its own",
        ),
    ] {
        let (error, transient) = rejected(address).await;
        assert_eq!(error, format!("the connection `spark_connect` {expected}"));
        assert!(!transient);
    }
}

#[tokio::test]
async fn without_tls_a_token_is_sent_only_to_this_machine() {
    let (error, transient) = rejected("sc://:secret-token@127.0.0.2:15002").await;
    assert_eq!(
        error,
        "Spark Connect rejects the connection `spark_connect`: Refusing to send the authentication token to \
         '127.0.0.2' over an insecure connection. Set 'use_ssl=true' in the connection string to enable TLS (a token is \
         only allowed without TLS when connecting to localhost)."
    );
    assert!(!transient);
}

#[tokio::test]
async fn an_unreachable_server_is_reported_at_once_and_is_transient() {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port is free");
    let (error, transient) = rejected(&format!("sc://{free}")).await;
    let expected = format!(
        "cannot reach {free}, the address of the connection `spark_connect` (Connection refused (os error 111)); is the \
         Spark Connect server running? `sbin/start-connect-server.sh` of Spark starts it"
    );
    assert_eq!(error, expected);
    assert!(transient);
}

#[tokio::test]
async fn an_invalid_query_fails_with_the_message_of_the_server_and_is_not_transient() -> Result<()> {
    let server = Server::shared();
    let context = TaskContext::detached("wrong").with_config(&server.config());
    let spark = connect::session(&context, "spark_connect").await?;
    for (query, expected) in [
        ("SELEC 1", "[PARSE_SYNTAX_ERROR] Syntax error at or near 'SELEC'."),
        ("SELECT * FROM nowhere", "[TABLE_OR_VIEW_NOT_FOUND] The table or view `nowhere` cannot be found."),
        (
            "SELECT nobody FROM range(3)",
            "[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column, variable, or function parameter",
        ),
        ("SELECT 1 / 0", "[DIVIDE_BY_ZERO] Division by zero."),
        ("SELECT CAST('x' AS INT)", "[CAST_INVALID_INPUT] The value 'x' of the type \"STRING\" cannot be cast"),
        ("SELECT assert_true(id < 2) FROM range(3)", "[USER_RAISED_EXCEPTION] '(id < 2)' is not true!"),
        ("SELECT * FROM text.`/no/such/file`", "[PATH_NOT_FOUND] Path does not exist: file:/no/such/file."),
    ] {
        let error = spark.sql(query)?.collect_async().await.expect_err("the query is invalid");
        let error: BoxError = QueryError(error).into();
        assert!(error.to_string().starts_with(expected), "{error}");
        assert!(!is_transient(&error), "{error}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_query_is_transient() -> Result<()> {
    let server = Server::shared();
    let context = TaskContext::detached("interrupted").with_config(&server.config());
    let spark = connect::session(&context, "spark_connect").await?;
    let query = spark.sql("SELECT sum(hash(id)) FROM range(0, 2000000000000, 1, 10000)")?;
    let waiting = tokio::spawn(query.collect_async());
    let runs = || server.jobs("taskflow-task=interrupted").iter().any(|job| job.status == "RUNNING");
    tokio::task::block_in_place(|| eventually("the job runs", runs));
    assert_eq!(spark.interrupt_all().await?.len(), 1);
    let error: BoxError = QueryError(waiting.await?.expect_err("it was interrupted")).into();
    assert!(error.to_string().starts_with("[OPERATION_CANCELED]"), "{error}");
    assert!(is_transient(&error));
    Ok(())
}

#[tokio::test]
async fn an_incomplete_result_is_detected() -> Result<()> {
    let server = Server::start("1s");
    let context = TaskContext::detached("cut").with_config(&server.config());
    let spark = connect::session(&context, "spark_connect").await?;
    let rows = spark.sql("SELECT sum(hash(id)) FROM range(0, 2000000000000, 1, 10000)")?.collect_async().await?;
    // A sum has one row.
    assert_eq!(rows.len(), 0);
    let error: BoxError = spark.check_complete().expect_err("a row is missing").into();
    assert!(error.to_string().starts_with("the server ended its response before the result was complete"), "{error}");
    assert!(!is_transient(&error));
    Ok(())
}
