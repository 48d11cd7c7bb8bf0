use taskflow::notify::Notification;
use taskflow::prelude::*;

fn tell(_: &Notification) {}

#[dag(deadline = "2h")]
fn after_nothing() {}

#[dag(deadline = "2h after strat")]
fn after_what() {}

#[dag(deadline = "2 after start")]
fn how_long() {}

#[dag(on_deadline_missed = tell)]
fn no_deadline() {}

#[dag(retry_delay = "1m", on_retry = tell)]
fn no_retries() {}

#[dag(on_skip = tell)]
fn skips() {}

#[dag(schedule = "@daily", deadline = "09:00")]
fn without_by() {}

#[dag(schedule = "@daily", deadline = "by 9pm")]
fn twelve_hours() {}

#[task(on_deadline_missed = tell)]
fn no_deadline_of_task() {}

fn main() {}
