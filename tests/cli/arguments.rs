//! The command line of a DAG binary: its words, its flags, and what it refuses.

use taskflow_tests::binaries::{self, call, call_at};

#[test]
fn the_dags_are_listed_with_their_parameters() {
    let printed = call("cli_several", &["list"]);
    assert_eq!(printed.code, Some(0), "{printed:?}");
    insta::assert_snapshot!(binaries::masked(&printed.stdout), @r#"
    dag tasks schedule parameters description
    ─
    failing 3 note Fails, with all that a failure can have.
    large 500 Has many tasks.
    lists 2 region, day, filter, id Takes lists, JSON and a large number.
    panicking 1 Panics.
    required 1 table*, offset Takes a table that must be named.
    skipping 2 Does nothing.
    tables 2 @daily table Counts the rows of a table.
    * required
    "#);
}

#[test]
fn a_list_can_be_printed_as_json() {
    let printed = call("cli_several", &["list", "--output", "json"]);
    let list = printed.json();
    let required = &list.as_array().unwrap().iter().find(|dag| dag["id"] == "required").unwrap();
    assert_eq!(required["tasks"], 1);
    assert_eq!(required["params"][0]["name"], "table");
    assert_eq!(required["params"][0]["required"], true);
    assert_eq!(required["params"][1]["default"], -1);
    assert_eq!(required["errors"], serde_json::json!([]));
    let lists = &list.as_array().unwrap().iter().find(|dag| dag["id"] == "lists").unwrap();
    assert_eq!(lists["params"][0]["default"], serde_json::json!(["eu", "us"]));
    assert_eq!(lists["params"][2]["default"], serde_json::json!({ "late": 15 }));
}

/// A7, E6: `--filter '{"a":1}'` for a `serde_json::Value`, an `--id` above `u64`, and lists.
#[test]
fn a_flag_of_a_list_may_be_repeated() {
    let run =
        |words: &[&str]| call("cli_several", &[&["run", "lists", "-q", "--durability", "ephemeral"], words].concat());
    let max = u128::MAX;
    assert_eq!(run(&[]).stdout, format!("eu+us |  | {{\"late\":15}} | {max}\n"));
    let given = ["--region", "ap", "--region=eu", "--day", "2026-01-31", "--day", "2026-02-01"];
    assert_eq!(run(&given).stdout, format!("ap+eu | 2026-01-31+2026-02-01 | {{\"late\":15}} | {max}\n"));
    let json = ["--region", r#"["us"]"#, "--filter", r#"{"a":1}"#, "--id", "340282366920938463463374607431768211454"];
    assert_eq!(run(&json).stdout, format!("us |  | {{\"a\":1}} | {}\n", max - 1));

    let wrong = run(&["--region", "eu", "--region", "mars"]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains(r#"--region: `["eu","mars"]` is not one of eu, us, ap"#), "{wrong:?}");
    let wrong = run(&["--filter", r#"{"a":1"#]);
    assert!(wrong.stderr.contains("is not valid JSON"), "{wrong:?}");

    let help = call("cli_several", &["run", "lists", "--help"]).stdout;
    assert!(help.contains(r#"--region <String>  [repeatable] [default: ["eu","us"]]"#), "{help}");
    assert!(help.contains("--id <u128>        [default: 340282366920938463463374607431768211455]"), "{help}");
}

#[test]
fn an_invalid_dag_is_listed_with_its_mistakes_beside_valid_dags() {
    let printed = call("cli_broken", &["list"]);
    assert_eq!(printed.code, Some(1));
    insta::assert_snapshot!(binaries::masked(&printed.stdout), @r#"
    dag tasks schedule parameters description
    ─
    cycle broken Contains a cycle.
    sound 1 Has nothing wrong.
    "#);
    assert!(printed.stderr.starts_with("error: DAG `cycle`"), "{}", printed.stderr);
    assert!(printed.stderr.contains("the graph has a cycle through `work`, `work_2`"), "{}", printed.stderr);
}

#[test]
fn an_invalid_dag_can_be_neither_run_nor_shown() {
    for verb in ["run", "show"] {
        let printed = call("cli_broken", &[verb, "cycle"]);
        assert_eq!(printed.code, Some(1), "{printed:?}");
        assert!(printed.stderr.contains("the graph has a cycle through `work`, `work_2`"), "{printed:?}");
    }
}

#[test]
fn a_binary_without_dags_explains_how_to_add_them() {
    for words in [&["list"][..], &["run"], &["show"], &["run", "daily"], &[]] {
        let printed = call("cli_empty", words);
        assert!(printed.code.is_some_and(|code| code > 0), "{printed:?}");
        assert!(printed.stderr.contains("taskflow::main!(my_dags::daily);"), "{printed:?}");
    }
}

#[test]
fn without_arguments_several_dags_are_listed_and_none_runs() {
    let printed = call("cli_several", &[]);
    assert_eq!(printed.code, Some(2));
    assert!(printed.stdout.contains("Counts the rows of a table."), "{printed:?}");
    assert!(printed.stderr.contains("Usage: cli_several run <DAG>"), "{printed:?}");
}

#[test]
fn a_graph_is_shown_in_every_format() {
    for (format, part) in
        [("tree", "connect"), ("dot", "digraph"), ("mermaid", "flowchart"), ("json", "\"connect\""), ("svg", "<svg")]
    {
        let printed = call("cli_several", &["show", "failing", "--format", format]);
        assert_eq!(printed.code, Some(0), "{printed:?}");
        assert!(printed.stdout.contains(part), "{format}: {}", printed.stdout);
    }
    assert_eq!(call("cli_several", &["show", "failing"]), call("cli_several", &["show", "failing", "--format=tree"]));
}

#[test]
fn the_only_dag_need_not_be_named() {
    assert_eq!(call("cli_single", &["show"]), call("cli_single", &["show", "greeting"]));
}

#[test]
fn one_of_several_dags_must_be_named() {
    for verb in ["show", "run"] {
        let printed = call("cli_several", &[verb]);
        assert_eq!(printed.code, Some(2));
        assert!(printed.stderr.starts_with("error: name one of the DAGs: failing, large,"), "{printed:?}");
    }
}

#[test]
fn an_unknown_dag_is_rejected_with_a_suggestion() {
    for (program, words) in [("cli_several", ["run", "tabels"]), ("cli_several", ["show", "tabels"])] {
        let printed = call(program, &words);
        assert_eq!(
            (printed.code, &*printed.stderr),
            (Some(2), "error: there is no DAG `tabels`; did you mean `tables`?\n")
        );
    }
    let printed = call("cli_single", &["run", "greting"]);
    assert_eq!(
        (printed.code, &*printed.stderr),
        (Some(2), "error: there is no DAG `greting`; did you mean `greeting`?\n")
    );
}

#[test]
fn a_dag_in_place_of_a_command_suggests_the_command() {
    let printed = call("cli_several", &["tables"]);
    assert_eq!(printed.code, Some(2));
    assert_eq!(printed.stderr, "error: `tables` is a DAG; to run it: cli_several run tables\n");
}

#[test]
fn the_help_of_run_has_a_flag_for_each_parameter() {
    let printed = call("cli_single", &["run", "--help"]);
    assert_eq!(printed.code, Some(0));
    let params = printed.stdout.split_once("Parameters:\n").unwrap().1;
    let params: Vec<_> = params.lines().map(str::trim).collect();
    insta::assert_snapshot!(params.join("\n"), @r#"
    --name <String>          Whom to greet. [default: world] [pattern: ^[A-Za-z ]+$]
    --times <u32>            How often. [default: 1] [range: 1..=5]
    --loud[=<bool>]          [default: false]
    --param-output <String>  [default: plain] [possible values: plain, framed]
    --day <Date>             [default: run.logical_date.date()]
    --started <PathBuf>
    --stubborn[=<bool>]      [default: false]
    "#);
}

#[test]
fn a_parameter_named_like_a_built_in_flag_is_renamed() {
    let printed = call("cli_single", &["run", "--param-output", "framed", "--output", "json", "-q"]);
    assert_eq!(printed.json()["params"]["output"], "framed");
}

#[test]
fn every_invalid_value_is_rejected_with_the_valid_ones() {
    let refusals = |words: &[&str]| {
        let printed = call("cli_single", &[&["run"], words].concat());
        assert_eq!((printed.code, &*printed.stdout), (Some(2), ""), "{printed:?}");
        printed.stderr
    };
    assert_eq!(
        refusals(&["--times", "9", "--name", "r2d2"]),
        "error: --name: `r2d2` does not match the pattern ^[A-Za-z ]+$\n\
         error: --times: `9` is not in the range 1..=5\n"
    );
    assert_eq!(refusals(&["--times", "often"]), "error: --times: `often` is not a valid u32\n");
    assert_eq!(
        refusals(&["--times=-1"]),
        "error: --times: `-1` is not a valid u32: invalid value: integer `-1`, expected u32\n"
    );
    assert_eq!(refusals(&["--param-output", "bold"]), "error: --param-output: `bold` is not one of plain, framed\n");
    assert_eq!(refusals(&["--loud=perhaps"]), "error: --loud: `perhaps` is not a valid bool\n");
    assert_eq!(
        refusals(&["--day", "2026-02-30"]),
        "error: --day: `2026-02-30` is not a valid Date: `2026-02-30` is not a day such as 2026-01-31\n"
    );
}

#[test]
fn a_parameter_without_a_default_is_required() {
    let printed = call("cli_several", &["run", "required"]);
    assert_eq!(printed.code, Some(2));
    assert!(printed.stderr.contains("required arguments were not provided:\n  --table <String>"), "{printed:?}");
}

#[test]
fn an_unknown_flag_is_rejected_with_a_suggestion() {
    let printed = call("cli_several", &["run", "required", "--tabel", "x"]);
    assert_eq!(printed.code, Some(2));
    assert!(printed.stderr.contains("a similar argument exists: '--table'"), "{printed:?}");
}

#[test]
fn an_unknown_selected_task_is_rejected_with_a_suggestion() {
    for flag in ["--only", "--from"] {
        let printed = call("cli_several", &["run", "tables", flag, "extrakt"]);
        assert_eq!(printed.code, Some(2));
        assert_eq!(printed.stderr, "error: DAG `tables` has no task `extrakt`; did you mean `extract`?\n");
    }
}

#[test]
fn completions_include_the_dags_and_their_flags() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let printed = call("cli_several", &["completions", shell]);
        assert_eq!(printed.code, Some(0), "{printed:?}");
        assert!(
            printed.stdout.contains("required") && printed.stdout.contains("offset"),
            "{shell}: {}",
            printed.stdout
        );
    }
}

#[test]
fn the_version_is_that_of_the_package_with_the_dags() {
    let printed = call("cli_single", &["--version"]);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!((printed.code, printed.stdout), (Some(0), format!("cli_single {version} (taskflow {version})\n")));
}

/// A7: a task that returns `vec![u128::MAX, 1]`.
#[test]
fn integers_of_128_bits_are_shown_exactly() {
    let home = tempfile::tempdir().unwrap();
    let at = |words: &[&str]| call_at(home.path(), "cli_several", words);
    assert_eq!(at(&["run", "lists", "-q"]).code, Some(0));
    let largest = at(&["values", "1", "largest", "--json"]).json();
    assert_eq!(largest, serde_json::json!(["340282366920938463463374607431768211455", 1]));
}
