use taskflow::prelude::*;

#[dag(schedule = "@daily", start = "2026-02-30")]
fn no_such_day() {}

#[dag(schedule = "@daily", start = "01.02.2026", end = "2026-01-01T06:00:00")]
fn no_dates() {}

#[dag(schedule = "@daily", start = "2026-06-01", end = "2026-01-01")]
fn reversed() {}

#[dag(schedule = "@daily", timezone = "Asia/Seoul", start = "2026-06-01", end = "2026-05-31T14:59:59Z")]
fn reversed_by_a_second() {}

#[dag(schedule = "@daily", start = "1066-10-14")]
fn long_ago() {}

fn main() {}
