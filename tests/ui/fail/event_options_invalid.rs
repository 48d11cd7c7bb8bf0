use taskflow::asset::{Day, Month};
use taskflow::prelude::*;

taskflow::asset! {
    RATES: Asset<f64> = "ecb/rates";
    DAYS: Asset<f64, Day> = "ecb/days";
}

#[task]
fn number() -> u32 {
    3
}

#[dag(wait = "3h", events = "or")]
fn without_events() -> u32 {
    number()
}

#[dag(wait = "3h", catchup = "all", timezone = "Asia/Seoul", paused)]
fn without_a_schedule(#[event(RATES)] rates: Events<f64>) -> u32 {
    let _ = rates;
    number()
}

#[dag(schedule = "@daily", wait = "3h", events = "or")]
fn waits_for_nothing(#[event(RATES)] rates: Option<Events<f64>>) -> u32 {
    let _ = rates;
    number()
}

#[dag(schedule = "@daily", events = "any")]
fn unknown_values(
    #[event(RATES, maxage = "1h")] a: Events<f64>,
    #[event(RATES, debounce = "1m")] b: Latest<f64>,
    #[event(RATES, max_age = 12)] c: Events<f64>,
    #[event(RATES, range = 1..)] d: Events<f64>,
    #[event(RATES, max = 0)] e: Events<f64>,
) -> u32 {
    let _ = (a, b, c, d, e);
    number()
}

#[dag]
fn without_effect(
    #[event(RATES, max = 10)] a: Latest<f64>,
    #[event(RATES, max_age = "1h")] b: Seen<f64>,
    #[event(RATES)]
    #[param(default = 3, help = "x")]
    c: Events<f64>,
    limit: u32,
) -> u32 {
    let _ = (a, b, c, limit);
    number()
}

#[dag]
fn without_a_source(
    #[event] a: Events<f64>,
    #[event()] b: Events<f64>,
    #[event(max_age = "1h")] c: Events<f64>,
    #[event(RATES)]
    #[event(RATES)]
    d: Events<f64>,
) -> u32 {
    let _ = (a, b, c, d);
    number()
}

#[dag]
fn grouped(
    #[event(RATES, key = |rate| rate.value, on_update = "rerun")] a: Seen<f64>,
    #[event(RATES, key = "customer")] b: Events<f64>,
    #[event(RATES, key = |rate| rate.value)] c: Option<Events<f64>>,
    #[event(DAYS, key = |day| day.value, max = 3, on_update = "again")] d: Complete<Month, f64>,
    #[event(DAYS, at_least = 25, all_but = 2)] e: Complete<Month, f64>,
    #[event(RATES, all_but = 2)] f: Events<f64>,
) -> u32 {
    let _ = (a, b, c, d, e, f);
    number()
}

fn main() {}
