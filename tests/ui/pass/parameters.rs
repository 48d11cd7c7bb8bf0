//! Parameters of a DAG and their options.
use serde::{Deserialize, Serialize};
use taskflow::prelude::*;

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Mode {
    Full,
    Delta,
}

const LIMIT: u64 = 10;

fn computed() -> Vec<String> {
    vec!["a".to_owned()]
}

#[task]
fn use_them(day: Date, minutes: u32, mode: Mode, limit: &u64, names: &[String], region: &str, ratio: f64) -> u32 {
    let _ = (day, mode, limit, names, region, ratio);
    minutes
}

#[dag(schedule = "@hourly")]
fn example(
    #[param(default = |run| run.data_interval().start_date(), help = "The day to read.")] day: Date,
    /// Minutes that count
    /// as late.
    #[param(default = 15, range = 0..=600)]
    minutes: u32,
    #[param(default = Mode::Delta, choices = ["Full", "Delta"])] mode: Mode,
    #[param(default = LIMIT * 2, range = LIMIT..)] limit: u64,
    #[param(default = computed())] names: Vec<String>,
    #[param(default = "eu-west", pattern = r"^[a-z]+-[a-z]+$")] mut region: String,
    #[param(default = -0.5, range = -1.0..1.0)] ratio: f64,
    #[param(default = 3, choices = [1, 2, 3])] _level: i8,
    #[param(default = None)] nothing: Option<String>,
    #[param(default = false)] dry: bool,
    #[param(default = "2026-01-31")] since: Date,
    #[param(default = ["eu", "us"], choices = ["eu", "us"])] regions: Vec<String>,
    #[param(default = [1, -2])] numbers: std::collections::BTreeSet<i8>,
    #[param(default = [Mode::Full, Mode::Delta])] modes: Vec<Mode>,
    #[param(default = ["2026-01-31"])] days: Vec<Date>,
    #[param(default = [1, 2])] pair: [u8; 2],
) -> u32 {
    let _ = (nothing, dry, since, regions, numbers, modes, days, pair);
    region = if region.clone().handle_for_macros() == region.handle_for_macros() { region } else { region };
    use_them(day, minutes, mode, limit, names, region, ratio)
}

#[dag]
fn required(day: Date, #[param(range = 1..=3)] n: usize) -> usize {
    let _ = day;
    n
}

fn main() {
    let params = (example::def().params)();
    let texts: Vec<_> = params.iter().map(|param| (param.name, param.default_text.unwrap())).collect();
    assert_eq!(
        texts,
        [
            ("day", "|run| run.data_interval().start_date()"),
            ("minutes", "15"),
            ("mode", "Mode::Delta"),
            ("limit", "LIMIT * 2"),
            ("names", "computed()"),
            ("region", "eu-west"),
            ("ratio", "-0.5"),
            ("_level", "3"),
            ("nothing", "None"),
            ("dry", "false"),
            ("since", "2026-01-31"),
            ("regions", r#"["eu", "us"]"#),
            ("numbers", "[1, -2]"),
            ("modes", "[Mode::Full, Mode::Delta]"),
            ("days", r#"["2026-01-31"]"#),
            ("pair", "[1, 2]"),
        ]
    );
    assert_eq!(params[0].help, "The day to read.");
    assert_eq!(params[1].help, "Minutes that count\nas late.");
    assert_eq!(params[1].range_text, Some("0..=600"));
    assert_eq!(params[2].choices, ["Full", "Delta"]);
    assert_eq!(params[5].pattern, Some("^[a-z]+-[a-z]+$"));
    assert_eq!(params[6].range_text, Some("-1.0..1.0"));
    assert_eq!(params[7].choices, ["1", "2", "3"]);
    let shown: Vec<_> = params[11..].iter().map(|param| param.default_view().unwrap().to_string()).collect();
    assert_eq!(shown, [r#"["eu","us"]"#, "[-2,1]", r#"["Full","Delta"]"#, r#"["2026-01-31"]"#, "[1,2]"]);
    assert_eq!(params[2].default_view().unwrap().to_string(), "Delta");
    example::def().plan().unwrap();
    drop(example::run_with_defaults().minutes(30).mode(Mode::Full)._level(2).modes(vec![]).request().fail_fast(true));
    let params = (required::def().params)();
    assert!(params.iter().all(|param| !param.has_default()));
    drop(required::run(Date::new(2026, 1, 31).unwrap(), 2));
}
