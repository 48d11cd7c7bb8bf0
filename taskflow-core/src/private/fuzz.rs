//! Untrusted bytes for the parsers: what the fuzz targets call, and proptest among the unit tests.
//! Each part of the crate has a `read_any`, next to the parsers that it calls.

/// For fuzzing: reads untrusted bytes as what a home has of runs, schedules, accounts and changes.
pub fn fuzz_entries(bytes: &[u8]) {
    crate::journal::fold_any(bytes);
    crate::ops::read_any(&String::from_utf8_lossy(bytes));
}

/// For fuzzing: reads stored values from untrusted bytes.
pub fn fuzz_value(bytes: &[u8]) {
    crate::value::read_any(bytes);
}

/// For fuzzing: reads untrusted bytes as all parts of a request.
#[cfg(feature = "server")]
pub fn fuzz_request(bytes: &[u8]) {
    crate::server::read_any(bytes);
}

/// For fuzzing: reads untrusted bytes as what other programs answer and print: children, HTTP
/// servers, Spark and its clusters, providers of OpenID Connect, services that the command line
/// asks.
pub fn fuzz_answers(bytes: &[u8]) {
    crate::process::read_any(bytes);
    #[cfg(feature = "http")]
    crate::base::http::read_any(&String::from_utf8_lossy(bytes));
    #[cfg(feature = "spark")]
    crate::spark::read_any(bytes);
    #[cfg(feature = "oidc")]
    crate::server::read_any_of_provider(&String::from_utf8_lossy(bytes));
    #[cfg(all(feature = "cli", feature = "server"))]
    crate::cli::read_any(bytes);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::nearly::nearly;

    /// What is right, or nearly.
    const SEEDS: &[&str] = &[
        // Of a home.
        "{\"first_seen\": \"2026-01-31T06:00:00Z\", \"noticed\": \"2026-01-31T06:00:00Z\", \"pending\": []}",
        "{\"grants\": [], \"created\": \"2026-01-31T06:00:00Z\", \"expires\": null, \"generation\": \"g\"}",
        "{\"runs\": 853, \"older_than\": \"30 days\", \"name\": \"kim\", \"roles\": \"admin\", \"tasks\": 3}",
        "\u{1}\u{1}g\u{0}\u{0}\u{3}\u{0}\u{0}\u{0}\u{3}\u{1}\u{1}\u{1}\u{3}\u{1}\u{1}\u{1}\u{0}\u{0}\u{0}",
        // Of children.
        "\u{1}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{3}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{2}\u{1}x",
        "one\r\ntwo\r22\r333\n",
        // Of HTTP servers.
        "http://example.com:8080/x?y",
        "//elsewhere/x",
        "x/../y?z#w",
        // Of a service.
        "retry: 1000\n\n:\n\nid: 7\ndata: {}\ndata: b\n\nevent: end\r\ndata:{}\r\n\r\n",
        "</api/v1/runs?after=7>; rel=\"next\"",
        "{\"api\": 1, \"taskflow\": \"0.1.0\"}",
        "{\"detail\": \"there is no run\", \"candidates\": [\"a\"], \"next\": null}",
        "https://flow.example.com/team/api/v1",
        // Of a provider.
        "{\"keys\": [{\"kty\": \"OKP\", \"crv\": \"Ed25519\", \"x\": \"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}",
        "{\"keys\": [{\"kty\": \"RSA\", \"n\": \"AQAB\", \"e\": \"AQAB\", \"kid\": \"a\", \"alg\": \"RS256\"}]}",
        "{\"issuer\": \"https://id\", \"authorization_endpoint\": \"\", \"token_endpoint\": \"\", \"jwks_uri\": \"\"}",
        "{\"id_token\": \"a.b.c\", \"groups\": [\"a\"], \"realm_access\": {\"roles\": \"b\"}, \"error\": \"invalid_grant\"}",
        "eyJhbGciOiJFZERTQSJ9.e30.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        // Of Spark.
        "{\"Event\":\"SparkListenerTaskEnd\",\"Task Metrics\":{\"JVM GC Time\":18446744073709551615}}",
        "[{\"numTasks\": 10, \"numCompletedTasks\": 4, \"numSkippedTasks\": 2}]",
        "{\"action\": \"X\", \"success\": false, \"workers\": [{\"id\": \"worker-1\", \"webuiaddress\": \"http://a\"}]}",
        "{\"job\": 1, \"blocks\": [[0, 1, 16, 0, -9]]}",
        "26/11/22 08:40:55 INFO Utils: Successfully started service 'SparkUI' on port 4040.",
        "Traceback (most recent call last):\n\tat a.b(C.java:1)\nValueError: no",
    ];

    proptest! {
        #[test]
        fn no_bytes_make_a_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            fuzz_entries(&bytes);
            fuzz_answers(&bytes);
        }

        #[test]
        fn nothing_that_is_nearly_right_makes_a_parser_panic(bytes in nearly(SEEDS)) {
            fuzz_entries(&bytes);
            fuzz_answers(&bytes);
        }
    }

    #[test]
    fn what_is_right_is_read() {
        for seed in SEEDS {
            fuzz_entries(seed.as_bytes());
            fuzz_answers(seed.as_bytes());
        }
    }
}
