//! Parameters with defaults.
#![allow(clippy::needless_pass_by_value, reason = "how a task takes its inputs is part of what is tested")]

use taskflow::prelude::*;
use taskflow_tests::common::both;

/// Parameters with a constant default, one from the run, a list and none.
#[dag]
fn with_defaults(
    #[param(default = |run| run.logical_date.date())] day: Date,
    name: String,
    #[param(default = 15, range = 0..=600)] late_after_min: u32,
    #[param(default = ["eu", "us"])] regions: Vec<String>,
    #[param(default = [1, -2])] request: Vec<i8>,
) -> String {
    #[task]
    fn show(day: Date, name: String, late: u32, regions: Vec<String>, numbers: Vec<i8>) -> String {
        format!("{day} {name} {late} {regions:?} {numbers:?}")
    }
    show(day, name, late_after_min, regions, request)
}

/// E9: `run_with_defaults` takes the parameters without a default; a method sets each of the
/// others.
#[test]
fn a_run_takes_defaults_for_parameters_that_are_not_set() {
    let date = "2026-01-31".parse().unwrap();
    both(
        || with_defaults::run_with_defaults("a".to_owned()).request().logical_date(date),
        |report| {
            assert_eq!(report.result().unwrap(), r#"2026-01-31 a 15 ["eu", "us"] [1, -2]"#);
        },
    );
    let some = || {
        let run =
            with_defaults::run_with_defaults("b".to_owned()).late_after_min(30).day(Date::new(2013, 1, 7).unwrap());
        run.regions(vec![]).param_request(vec![3])
    };
    both(|| some().request(), |report| assert_eq!(report.result().unwrap(), "2013-01-07 b 30 [] [3]"));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let report = runtime.block_on(async { some().await }).unwrap();
    assert_eq!(report.result().unwrap(), "2013-01-07 b 30 [] [3]");
    let error = some().late_after_min(601).request().run_sequentially().unwrap_err();
    assert_eq!(error.to_string(), "parameter `late_after_min`: `601` is not in the range 0..=600");
}

/// E6: what `list`, `show` and the help of `run` show.
#[test]
fn a_default_is_shown_as_its_value() {
    let params = (with_defaults::def().params)();
    let shown: Vec<_> = params.iter().map(|param| param.default_view().map(|default| default.to_string())).collect();
    let shown: Vec<_> = shown.iter().map(Option::as_deref).collect();
    assert_eq!(shown, [Some("run.logical_date.date()"), None, Some("15"), Some(r#"["eu","us"]"#), Some("[1,-2]")]);
    let json: serde_json::Value = serde_json::from_str(&taskflow::render::render(
        &with_defaults::def().plan().unwrap(),
        taskflow::render::Format::Json,
    ))
    .unwrap();
    assert_eq!(json["params"][0]["default_from_run"], "run.logical_date.date()");
    assert_eq!(json["params"][3]["default"], serde_json::json!(["eu", "us"]));
}
