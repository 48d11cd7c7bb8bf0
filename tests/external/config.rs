//! Variables, connections and secrets in a program: how they are set, which source takes
//! precedence, which values are rejected, and that secrets stay secret.

use std::io::Write as _;
use std::path::Path;

use proptest::prelude::*;
use serde::Deserialize;
#[cfg(feature = "sqlite")]
use taskflow::Durability;
use taskflow::config::{Config, ConfigBuilder, ConfigError, Connection, Origin};
use taskflow::journal::Journal;
use taskflow::prelude::*;
use taskflow::{Engine, TaskState};
use taskflow_tests::common::{both, failure_of, live, reference, states};

/// What is wrong with it, as a person reads it.
#[track_caller]
fn mistakes(builder: ConfigBuilder) -> String {
    builder.build().expect_err("it has mistakes").to_string()
}

#[track_caller]
fn mistakes_of(toml: &str) -> String {
    mistakes(Config::builder().toml(toml))
}

fn connection(text: &str) -> Connection {
    let config = Config::builder().connection("c", text).build().expect("the configuration is sound");
    config.connection("c").expect("the connection is there")
}

#[test]
fn the_program_overrides_the_environment_which_overrides_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("taskflow.toml");
    std::fs::write(&path, "[variables]\na = 1\nb = 1\nc = 1\n[pools]\nwarehouse = 2\n").unwrap();
    let config = Config::builder()
        .search(directory.path())
        .environment([("TASKFLOW_VAR_B", "2"), ("TASKFLOW_VAR_C", "2"), ("TASKFLOW_POOL_WAREHOUSE", "3")])
        .variable("c", 3)
        .build()
        .unwrap();
    let values = ["a", "b", "c"].map(|name| config.variable::<u32>(name).unwrap());
    assert_eq!(values, [1, 2, 3]);
    assert_eq!(config.pools().collect::<Vec<_>>(), [("warehouse", 3)]);
    assert_eq!(config.path(), Some(&*path));
    let origins: Vec<Origin> = config
        .entries()
        .into_iter()
        .filter(|entry| entry.section == "variables")
        .filter_map(|entry| entry.origin)
        .collect();
    let variable = "TASKFLOW_VAR_B".to_owned();
    assert_eq!(origins, [Origin::File { path: Some(path), line: 2 }, Origin::Environment { variable }, Origin::Code]);
}

#[test]
fn a_variable_is_read_as_the_requested_type() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Limits {
        soft: u32,
        hard: Option<f64>,
    }
    let config = Config::builder()
        .toml("[variables]\nday = 2026-01-31\nlimits = { soft = 1, hard = 2.5 }\nname = '15'\nbig = 0xff\n")
        .environment([
            ("TASKFLOW_VAR_LATE", "15"),
            ("TASKFLOW_VAR_REGIONS", r#"["asia", "europe"]"#),
            ("TASKFLOW_VAR_MORE", r#"{"soft": 3}"#),
        ])
        .build()
        .unwrap();
    assert_eq!(config.variable::<Date>("day").unwrap().to_string(), "2026-01-31");
    assert_eq!(config.variable::<Limits>("limits").unwrap(), Limits { soft: 1, hard: Some(2.5) });
    assert_eq!(config.variable::<Limits>("more").unwrap(), Limits { soft: 3, hard: None });
    assert_eq!(config.variable::<String>("name").unwrap(), "15");
    assert_eq!(config.variable::<u8>("big").unwrap(), 255);
    assert_eq!(config.variable::<u8>("late").unwrap(), 15);
    assert_eq!(config.variable::<String>("late").unwrap(), "15");
    assert_eq!(config.variable::<Vec<String>>("regions").unwrap(), ["asia", "europe"]);
    assert_eq!(config.variable_or("missing", 7).unwrap(), 7);
    assert_eq!(
        config.variable::<u8>("regions").unwrap_err().to_string(),
        "the variable `regions` (TASKFLOW_VAR_REGIONS in the environment) is not a valid u8: invalid type: sequence, \
         expected u8"
    );
    assert_eq!(
        config.variable::<u8>("name").unwrap_err().to_string(),
        "the variable `name` (line 4 of the text) is not a valid u8: invalid type: string \"15\", expected u8"
    );
}

#[test]
fn a_missing_name_is_reported_with_a_suggestion_and_where_to_define_it() {
    let config = Config::from_toml("[variables]\nlate_after = 1\n[secrets]\ntoken = 'tick-tack-toe'").unwrap();
    assert_eq!(
        config.variable::<u32>("late_aftr").unwrap_err().to_string(),
        "there is no variable `late_aftr` (did you mean `late_after`?); define it in [variables] of taskflow.toml, as \
         TASKFLOW_VAR_LATE_AFTR in the environment, or in the program with `Config::builder().variable(\"late_aftr\", \
         ..)`"
    );
    let error = config.connection("warehouse").unwrap_err();
    assert!(matches!(&error, ConfigError::Missing { near: None, .. }), "{error}");
    let error = config.secret("tokn").unwrap_err().to_string();
    assert!(error.contains("TASKFLOW_SECRET_TOKN (or TASKFLOW_SECRET_TOKN_FILE)"), "{error}");
    assert!(!error.contains("tick"), "{error}");
}

#[test]
fn names_are_the_same_in_the_file_and_in_the_environment() {
    let config = Config::builder()
        .toml("[variables]\nlate-after = 1")
        .environment([("TASKFLOW_VAR_LATE_AFTER", "2")])
        .build()
        .unwrap();
    assert_eq!(config.variable::<u32>("late_after").unwrap(), 2);
    assert_eq!(
        mistakes_of("[variables]\nlate-after = 1\nlate_after = 2"),
        "line 3 of the text: the variable `late_after` is already defined as `late-after`: case, `-`, `.` and `_` are \
         ignored"
    );
}

#[test]
fn all_mistakes_are_reported_together_with_their_lines() {
    let told = mistakes(
        Config::builder()
            .toml(
                "[run]\njobs = 0\ngrace = '10'\n[log]\nattempt_limit = '1 mb'\nlevel = 'a=b=c'\n[connections.w]\nkind = 'x'\n\
                 hst = 'h'\nport = 99999\n[connections.v]\nhost = 'h'\n[secrets]\na = 1\nb = { path = 'x' }\n\
                 [variables]\nx = nan\n[pools]\np = -1\n",
            )
            .environment([("TASKFLOW_JOBS", "many"), ("TASKFLOW_CONN_C", "{\"kind\": 1}"), ("TASKFLOW_POOL_P", "x")])
            .connection("d", "x"),
    );
    insta::assert_snapshot!(told, @r#"
    line 2 of the text: `jobs` must be a number of at least 1; it is `0`
    line 3 of the text: `grace` must be a duration such as "10s" or "1m 30s"; it is `10`
    line 5 of the text: `attempt_limit` must be a size such as "64 MiB" or a number of bytes; it is `1 mb`
    line 6 of the text: `level` must be a level (error, warn, info, debug, trace) or a filter such as "info,my_crate=debug"; it is `a=b=c`
    line 9 of the text: the connection `w`: unknown key `hst`; did you mean `host`?
    line 10 of the text: the connection `w`: `port` must be a number from 0 to 65535
    line 11 of the text: the connection `v`: `kind` is missing; add one, such as `kind = "postgres"`
    line 14 of the text: the secret `a` must be a string, `{ env = "NAME" }` or `{ file = "PATH" }`
    line 15 of the text: the secret `b` must be a string, `{ env = "NAME" }` or `{ file = "PATH" }`
    line 17 of the text: `x` is nan, which is not a finite number
    line 19 of the text: the number of slots of the pool `p` must be an integer from 0 to 4294967295; it is -1
    TASKFLOW_JOBS in the environment: `jobs` must be a number of at least 1; it is `many`
    TASKFLOW_POOL_P in the environment: the number of slots of the pool `p` must be an integer from 0 to 4294967295; it is "x"
    TASKFLOW_CONN_C in the environment: the connection `c`: `kind` must be a string
    the program: the connection `d`: it is not a URI such as `postgres://user@host:5432/db`: `://` is missing
    "#);
}

#[test]
fn invalid_toml_is_reported_with_its_line() {
    insta::assert_snapshot!(mistakes_of("[variables]\na = 1\nb = \n"), @"line 3 of the text: string values must be quoted, expected literal string");
    insta::assert_snapshot!(mistakes_of("[variables]\na = 1\na = 2\n"), @"line 3 of the text: duplicate key");
    insta::assert_snapshot!(mistakes_of("run = 1\n"), @"line 1 of the text: `run` must be a table: `[run]`");
}

#[test]
fn a_connection_is_a_table_a_uri_or_json() {
    let config = Config::builder()
        .toml(
            "[connections]\nuri = 'postgresql://etl:pa%40ss@db:5432/sales?sslmode=require'\n[connections.table]\n\
             conn_type = 'postgres'\nhost = 'db'\nport = 5432\nlogin = 'etl'\npassword = 'pa@ss'\nschema = 'sales'\n\
             extra = { sslmode = 'require' }\n",
        )
        .environment([(
            "TASKFLOW_CONN_JSON",
            r#"{"conn_type": "postgres", "host": "db", "port": "5432", "login": "etl", "password": "pa@ss",
                "schema": "sales", "extra": "{\"sslmode\": \"require\"}", "description": null}"#,
        )])
        .build()
        .unwrap();
    for name in ["uri", "table", "json"] {
        let connection = config.connection(name).unwrap();
        assert_eq!(connection.uri().expose(), "postgres://etl:pa%40ss@db:5432/sales?sslmode=require", "{name}");
        assert_eq!(connection.to_string(), "postgres://etl:***@db:5432/sales?sslmode=require", "{name}");
        assert_eq!(connection.extra::<String>("sslmode").unwrap(), "require");
    }
    // The environment replaces a connection as a whole.
    let config = Config::builder()
        .toml("[connections.w]\nkind = 'postgres'\nhost = 'db'\nlogin = 'etl'\n")
        .environment([("TASKFLOW_CONN_W", "mysql://other")])
        .build()
        .unwrap();
    assert_eq!(config.connection("w").unwrap().to_string(), "mysql://other");
}

#[test]
fn the_connection_uris_of_airflow_are_parsed() {
    let parts = |text: &str| {
        let connection = connection(text);
        let extra: Vec<String> = connection.extra_keys().map(str::to_owned).collect();
        (connection.kind().to_owned(), connection.host().map(str::to_owned), connection.port(), extra.join(" "))
    };
    let host = |host: &str| Some(host.to_owned());
    assert_eq!(
        parts("http://https://api.example.com:8443/v1"),
        ("http".into(), host("https://api.example.com"), Some(8443), "".into())
    );
    assert_eq!(
        parts("google-cloud-platform://?project=p&num_retries=5"),
        ("google_cloud_platform".into(), None, None, "num_retries project".into())
    );
    assert_eq!(parts("postgres://[::1]:5432/db"), ("postgres".into(), host("::1"), Some(5432), "".into()));
    assert_eq!(
        parts("postgres://%2Frun%2Fpostgresql/db"),
        ("postgres".into(), host("/run/postgresql"), None, "".into())
    );
    assert_eq!(parts("mongo://a:27017,b:27018/x").1, host("a:27017,b"));
    let nested = connection("aws://?__extra__=%7B%22retries%22%3A%20%7B%22max%22%3A%203%7D%7D");
    assert_eq!(nested.extra::<serde_json::Value>("retries").unwrap(), serde_json::json!({"max": 3}));
    assert_eq!(connection(nested.uri().expose()).extra::<serde_json::Value>("retries").unwrap()["max"], 3);
    let error = nested.extra::<u32>("retris").unwrap_err().to_string();
    assert_eq!(error, "the connection `c` has no extra `retris`; did you mean `retries`?");
    assert_eq!(nested.extra_or("none", 1).unwrap(), 1);
}

#[test]
fn an_invalid_uri_shows_none_of_its_parts() {
    for text in [
        "postgres://etl:hush/hush@db:5432/x",
        "hushhush",
        "1hush://x",
        "a://etl:%ff@hush",
        "{hush",
        "[\"hush\"]",
        "a://?__extra__=hush",
    ] {
        let told = mistakes(Config::builder().connection("c", text));
        assert!(told.starts_with("the program: the connection `c`: ") && !told.contains("hush"), "{told}");
    }
    let told = mistakes(Config::builder().connection("c", "postgres://etl:a/b@db"));
    assert!(told.contains("`@`, `:`, `/` and `?` as %40, %3A, %2F and %3F"), "{told}");
}

#[test]
fn a_connection_never_displays_its_secrets() {
    let connection = connection(
        r#"{"kind": "http", "host": "h", "login": "me", "password": "hunter-22",
            "extra": {"api_key": "wolf-33", "deep": {"token": "bear-44", "n": 1}, "open": "yes"}}"#,
    );
    let forms = [
        connection.to_string(),
        format!("{connection:?} {connection:#?}"),
        serde_json::to_string(&connection).unwrap(),
        format!("{:?}", connection.password()),
        format!("{:?} {}", connection.uri(), connection.uri()),
    ];
    for form in &forms {
        assert!(form.contains("***"), "{form}");
        assert!(!["hunter-22", "wolf-33", "bear-44"].iter().any(|secret| form.contains(secret)), "{form}");
    }
    assert_eq!(connection.extra::<String>("api_key").unwrap(), "wolf-33");
    assert!(connection.uri().expose().contains("hunter-22"));
    let wrong = connection.extra::<u32>("api_key").unwrap_err().to_string();
    assert!(wrong.ends_with("is not a valid u32: its value is not shown"), "{wrong}");
    assert_eq!(taskflow::log::redact("[wolf-33][bear-44][yes]"), "[***][***][yes]");
}

/// A15: `fe80::1%eth0` as a host: it was written `fe80%3A%3A1%25eth0`.
#[test]
fn an_ipv6_address_keeps_its_zone() {
    for uri in ["postgres://[fe80::1%25eth0]:5432/db", "postgres://[::1]/db", "postgres://[fe80::1%25eth0]"] {
        let connection = connection(uri);
        assert_eq!(connection.uri().expose(), uri);
        assert_eq!(connection.to_string(), uri);
    }
    assert_eq!(connection("postgres://[fe80::1%25eth0]").host(), Some("fe80::1%eth0"));
    assert_eq!(connection("postgres://[fe80::1%eth0]").uri().expose(), "postgres://[fe80::1%25eth0]");
}

/// A task that fails with each of these texts.
#[task]
fn says(text: &str) -> Result<u32> {
    Err(text.to_owned())?
}

/// C3: the text of `TASKFLOW_CONN_W=postgres://etl:p!ss%40w0rd...@h/db` as it was given, and the
/// usual encodings of its password and of a secret, in the errors of tasks.
#[test]
fn no_usual_encoding_of_a_secret_is_shown() {
    let given = "postgres://etl:p!ss%40w0rd%2f7+x@db.example.com/sales";
    let (password, key) = ("p!ss@w0rd/7+x", "wolf \"pack\" é&33");
    let environment = [("TASKFLOW_CONN_W", given), ("TASKFLOW_SECRET_K", key)];
    let config = Config::builder().environment(environment).build().unwrap();
    config.connection("w").unwrap();
    config.secret("k").unwrap();
    let json = |text: &str| serde_json::to_string(text).unwrap();
    let texts = [
        given.to_owned(),
        "p%21ss%40w0rd%2F7%2Bx".to_owned(),
        "p%21ss%40w0rd%2f7%2bx".to_owned(),
        json(&json(password)),
        json(&json(&json(key))),
        format!("{:?}", json(key)),
        "q=wolf+%22pack%22+%C3%A9%2633&n=1".to_owned(),
        "q=wolf%20%22pack%22%20%c3%a9%2633&n=1".to_owned(),
        // base64 of the password, of the key, and of `etl:` with the password.
        "cCFzc0B3MHJkLzcreA==".to_owned(),
        "d29sZiAicGFjayIgw6kmMzM".to_owned(),
        "Basic ZXRsOnAhc3NAdzByZC83K3g=".to_owned(),
    ];
    for text in texts {
        let dag = Dag::build("leak", || says(text.clone())).unwrap();
        let told = failure_of(&live(dag.run().engine(&engine(&config))), "says");
        assert!(told.contains("***"), "{text}: {told}");
        for part in ["ss", "w0rd", "wolf", "pack", "33", "cCFz", "d29s", "ZXRs"] {
            assert!(!told.contains(part), "{text}: {told} shows {part}");
        }
    }
    let dag = Dag::build("leak", || says(format!("at {given}"))).unwrap();
    let told = failure_of(&live(dag.run().engine(&engine(&config))), "says");
    assert_eq!(told, "at postgres://etl:***@db.example.com/sales");
}

fn part() -> impl Strategy<Value = String> {
    r"[a-zA-Z0-9@:/?#%&=+ é\[\]~_.-]{1,12}"
}

proptest! {
    #[test]
    fn a_connection_survives_a_roundtrip_through_its_uri(
        login in proptest::option::of(part()), password in proptest::option::of(part()), schema in proptest::option::of(part()),
        host in proptest::option::of("[a-z./ é@?]{1,12}"), port in proptest::option::of(1_u16..),
        extra in proptest::collection::btree_map("[a-z &=+]{1,5}", part(), 0..4), nested in any::<bool>(),
    ) {
        let mut extra = serde_json::json!(extra);
        if nested {
            extra["nested"] = serde_json::json!({"n": 1});
        }
        let given = serde_json::json!({"kind": "a_b", "login": login, "password": password, "schema": schema, "host": host,
            "port": port, "extra": extra});
        let first = connection(&given.to_string());
        let second = connection(first.uri().expose());
        let extra = |connection: &Connection| -> Vec<_> {
            let value = |key: &str| (key.to_owned(), connection.extra::<serde_json::Value>(key).unwrap());
            connection.extra_keys().map(value).collect()
        };
        prop_assert_eq!((second.kind(), second.login(), second.host()), (first.kind(), login.as_deref(), host.as_deref()));
        prop_assert_eq!((second.schema(), second.port()), (schema.as_deref(), port));
        prop_assert_eq!(second.password().map(taskflow::Secret::expose), password.as_deref());
        prop_assert_eq!(extra(&second), extra(&first));
    }

    #[test]
    fn parsing_arbitrary_text_as_a_connection_does_not_panic(text in r"\PC{0,40}|[a-z]{1,3}://\PC{0,30}|[a-z]://[@:/?&=%\[\]a0]{0,20}") {
        if let Ok(config) = Config::builder().connection("c", &text).build() {
            connection(config.connection("c").unwrap().uri().expose());
        }
    }
}

#[test]
fn a_secret_is_text_a_file_or_an_environment_variable() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("key"), "from a file\r\n").unwrap();
    std::fs::write(path("other"), "two lines\n\n").unwrap();
    std::fs::write(
        path("taskflow.toml"),
        "[secrets]\nfile = { file = \"key\" }\nenv = { env = \"HIDDEN\" }\ngone = { file = \"gone\" }\nunset = { env = \"NONE\" }\n\
         [connections.w]\nkind = \"x\"\npassword = { file = \"key\" }\nextra = { token = { env = \"HIDDEN\" } }\n",
    )
    .unwrap();
    let environment = [
        ("HIDDEN", "from elsewhere".to_owned()),
        ("TASKFLOW_SECRET_DIRECT", "from here".to_owned()),
        ("TASKFLOW_SECRET_OTHER_FILE", path("other").display().to_string()),
    ];
    let config = Config::builder().search(directory.path()).environment(environment).build().unwrap();
    let secret = |name: &str| config.secret(name).map(|secret| secret.expose().to_owned());
    assert_eq!(secret("file").unwrap(), "from a file");
    assert_eq!(secret("env").unwrap(), "from elsewhere");
    assert_eq!(secret("direct").unwrap(), "from here");
    assert_eq!(secret("other").unwrap(), "two lines\n");
    let connection = config.connection("w").unwrap();
    assert_eq!(connection.password().unwrap().expose(), "from a file");
    assert_eq!(connection.extra::<String>("token").unwrap(), "from elsewhere");

    let gone = secret("gone").unwrap_err().to_string();
    let place = path("taskflow.toml").display().to_string();
    assert!(gone.starts_with(&format!("the secret `gone` ({place}:4) is not available: the file ")), "{gone}");
    assert_eq!(
        secret("unset").unwrap_err().to_string(),
        format!("the secret `unset` ({place}:5) is not available: the environment variable NONE is not set")
    );
    // A file that is written anew is read anew.
    std::fs::write(path("key"), "another").unwrap();
    assert_eq!(secret("file").unwrap(), "another");
    let both = [("TASKFLOW_SECRET_A", "x"), ("TASKFLOW_SECRET_A_FILE", "y")];
    assert_eq!(
        mistakes(Config::builder().environment(both)),
        "TASKFLOW_SECRET_A_FILE in the environment: TASKFLOW_SECRET_A is also set; unset one of the two"
    );
}

#[cfg(unix)]
#[test]
fn a_file_with_secrets_must_be_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("taskflow.toml");
    let mut file = std::fs::File::create(&path).unwrap();
    let text = "[secrets]\ntoken = 'abra-cadabra'\n[connections]\nw = 'postgres://me:sesame-open@db/x'\n\
                v = { kind = 'http', extra = { api_key = 'simsalabim' } }\nu = 'postgres://me@db'\n";
    file.write_all(text.as_bytes()).unwrap();
    let load = |mode| {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        Config::builder().file(&path).build()
    };
    let refused = load(0o640).unwrap_err().to_string().replace(&*path.to_string_lossy(), "taskflow.toml");
    insta::assert_snapshot!(refused, @r#"
    taskflow.toml:2: the secret `token` is written here in plain text, in a file that others can read (mode 0640): write `{ env = "NAME" }` or `{ file = "PATH" }` instead, or `chmod 600 taskflow.toml`
    taskflow.toml:4: the password of the connection `w` is written here in plain text, in a file that others can read (mode 0640): write `{ env = "NAME" }` or `{ file = "PATH" }` instead, or `chmod 600 taskflow.toml`
    taskflow.toml:5: the extra `api_key` of the connection `v` is written here in plain text, in a file that others can read (mode 0640): write `{ env = "NAME" }` or `{ file = "PATH" }` instead, or `chmod 600 taskflow.toml`
    "#);
    assert_eq!(load(0o600).unwrap().secret("token").unwrap().expose(), "abra-cadabra");
}

#[task]
fn threshold(ctx: &TaskContext) -> Result<u32> {
    Ok(ctx.variable("threshold")?)
}

#[task]
fn above(values: &[u32], threshold: u32) -> usize {
    values.iter().filter(|&&value| value > threshold).count()
}

#[dag]
fn counted() -> usize {
    above(vec![1, 20, 300], threshold())
}

fn engine(config: &Config) -> Engine {
    Engine::builder().config(config).build().expect("an engine can be had")
}

#[test]
fn tasks_get_the_configuration_of_their_engine() {
    for (threshold, count) in [(10, 2), (100, 1)] {
        let config = Config::builder().variable("threshold", threshold).build().unwrap();
        both(|| counted::run().engine(&engine(&config)), |report| assert_eq!(report.result(), Some(&count)));
    }
    let empty = Config::from_toml("").unwrap();
    let report = live(counted::run().engine(&engine(&empty)));
    assert_eq!(states(&report), "threshold=failed above=upstream_failed");
    assert!(failure_of(&report, "threshold").starts_with("there is no variable `threshold`"));
    let context =
        TaskContext::detached("threshold").with_config(&Config::builder().variable("threshold", 3).build().unwrap());
    assert_eq!(threshold::call(&context).unwrap(), 3);
}

#[task(connections = ["dwh"], secrets = ["key"])]
fn export(ctx: &TaskContext, rows: usize) -> Result<usize> {
    ctx.secret("key")?;
    ctx.connection("dwh")?;
    Ok(rows)
}

#[task]
fn three() -> Vec<usize> {
    COUNTED.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    vec![1, 2, 3]
}

static COUNTED: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

/// Exports the elements of a list.
#[dag]
fn exports() -> Vec<usize> {
    three().each(|rows| export(rows)).collect()
}

/// B18: `#[task(connections = ["dwh"], secrets = ["key"])]`, without the one and with an empty file
/// for the other.
#[test]
fn what_tasks_declare_is_checked_before_anything_runs() {
    let empty = Config::builder().connection("dw", "postgres://db").build().unwrap();
    let error = exports::run().engine(&engine(&empty)).wait().unwrap_err();
    assert_eq!(error.kind(), taskflow::ErrorKind::NotFound);
    let lines: Vec<String> = error.to_string().lines().map(str::to_owned).collect();
    let [connection, secret] = &lines[..] else { panic!("{lines:?}") };
    assert!(
        connection.starts_with("task `export`: there is no connection `dwh` (did you mean `dw`?); define it in "),
        "{connection}"
    );
    assert!(secret.starts_with("task `export`: there is no secret `key`; define it in "), "{secret}");

    let nowhere = [("TASKFLOW_SECRET_KEY_FILE", "/nowhere/key"), ("TASKFLOW_CONN_DWH", "postgres://db")];
    let unreadable = Config::builder().environment(nowhere).build().unwrap();
    let error = exports::run().engine(&engine(&unreadable)).wait().unwrap_err().to_string();
    assert!(error.starts_with("task `export`: the secret `key` ") && error.contains("/nowhere/key"), "{error}");
    assert_eq!(COUNTED.load(std::sync::atomic::Ordering::SeqCst), 0, "nothing ran");

    let whole = Config::builder().secret("key", "open sesame").connection("dwh", "postgres://db").build().unwrap();
    assert_eq!(live(exports::run().engine(&engine(&whole))).result(), Some(&vec![1, 2, 3]));
    // What does not run is not checked.
    let part = exports::run().engine(&engine(&empty));
    let plan = exports::def().plan().unwrap();
    let selected = part.select(taskflow::Selection::only(&plan, "three").unwrap());
    assert!(live(selected).is_success());
}

#[task]
fn careless(ctx: &TaskContext, how: &str) -> Result<String> {
    let secret = ctx.secret("key")?;
    match how {
        "error" => Err(std::io::Error::other(format!("bad key {}", secret.expose())))?,
        "panic" => panic!("bad key {}", secret.expose()),
        "skip" => Err(ctx.skip(format!("old key {}", secret.expose())))?,
        "fail" => Err(ctx.fail(format!("no key like {}", secret.expose())))?,
        _ => Ok(secret.expose().to_owned()),
    }
}

#[task(blocking)]
fn careless_on_a_thread(ctx: &TaskContext) -> Result<(), String> {
    Err(format!("blocking with {}", ctx.secret("key").map_err(|error| error.to_string())?.expose()))
}

#[task]
async fn careless_later(ctx: &TaskContext) -> Result<(), String> {
    tokio::task::yield_now().await;
    Err(format!("awaiting {}", ctx.secret("key").map_err(|error| error.to_string())?.expose()))
}

#[task]
fn sees(outcome: Result<String, Failure>) -> String {
    outcome.unwrap_or_else(|failure| failure.to_string())
}

#[dag]
fn leaks() -> String {
    careless("panic");
    careless("skip");
    careless("fail");
    careless("value");
    careless_on_a_thread();
    careless_later();
    sees(careless("error").map(|value| value.len().to_string()))
}

const KEY: &str = "swordfish-1729";

#[test]
fn secrets_are_removed_from_failures_before_they_are_reported() {
    let config = Config::builder().secret("key", KEY).build().unwrap();
    let request = || leaks::run().engine(&engine(&config));
    for report in [live(request()), reference(request())] {
        let told = ["careless", "careless_2", "careless_3", "careless_on_a_thread", "careless_later", "careless_5"];
        let told = told.map(|task| failure_of(&report, task));
        assert!(told[0].starts_with("panicked at ") && told[0].ends_with("bad key ***"), "{told:?}");
        let rest = ["skipped: old key ***", "no key like ***", "blocking with ***", "awaiting ***", "bad key ***"];
        assert_eq!(told[1..], rest);
        assert_eq!(report.task("careless_2").unwrap().state(), TaskState::Skipped);
        // Who takes the failure, takes it without the secret.
        assert_eq!(report.result().unwrap(), "bad key ***");
    }
}

#[tokio::test]
async fn neither_the_journal_nor_a_preview_contains_a_secret() {
    let config = Config::builder().secret("key", KEY).build().unwrap();
    let journal = Journal::in_memory().unwrap();
    leaks::run().engine(&engine(&config)).journal(&journal).await.unwrap();
    let history = journal.history("last").await.unwrap();
    assert!(!format!("{history:?}").contains(KEY) && format!("{history:?}").contains("awaiting ***"));
    assert_eq!(journal.preview(&history, "careless_4", 100).await.unwrap().unwrap(), "\"***\"");
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_resumed_run_uses_the_configuration_of_the_resuming_program() {
    let directory = tempfile::tempdir().unwrap();
    let run_with = |config: Config| (engine(&config), Journal::builder());
    {
        let (engine, journal) = run_with(Config::from_toml("").unwrap());
        let journal = journal.open(directory.path()).await.unwrap();
        let report = counted::run().engine(&engine).durability(Durability::Strict).journal(&journal).await.unwrap();
        assert!(!report.is_success());
    }
    let (engine, journal) = run_with(Config::builder().variable("threshold", 10).build().unwrap());
    let journal = journal.open(directory.path()).await.unwrap();
    let failed = taskflow::journal::TaskFilter::all().failed().downstream();
    journal.clear("last", &failed, &taskflow::journal::Note::default()).await.unwrap();
    let report = journal.resume("last").await.unwrap().engine(&engine).await.unwrap();
    assert_eq!(states(&report), "threshold=success above=success");
}

#[test]
fn a_configuration_reads_only_the_named_file() {
    let config = Config::builder().build().unwrap();
    assert_eq!((config.path(), config.variable_or("path", 1).unwrap()), (None::<&Path>, 1));
    let missing = Config::builder().file("/nowhere/taskflow.toml").build().unwrap_err().to_string();
    assert!(missing.starts_with("the configuration /nowhere/taskflow.toml cannot be read: "), "{missing}");
}
