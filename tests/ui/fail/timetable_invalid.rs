use taskflow::prelude::*;

#[task]
fn number() -> u32 {
    3
}

const NIGHTLY: &str = "0 6 * * *";

#[dag(schedule = NIGHTLY)]
fn constant() -> u32 {
    number()
}

#[dag(schedule = 15)]
fn minutes() -> u32 {
    number()
}

#[dag(schedule = "@daily", except = "2026-12-25")]
fn text() -> u32 {
    number()
}

#[dag(schedule = "@daily", except = number)]
fn task() -> u32 {
    number()
}

#[dag(schedule = "@daily", shift = "next_day")]
fn nothing_to_shift() -> u32 {
    number()
}

#[dag(schedule = "@daily", except = Vec::<Date>::new(), shift = "tomorrow")]
fn unknown_shift() -> u32 {
    number()
}

#[dag(schedule = "@continuous", except = Vec::<Date>::new())]
fn without_days() -> u32 {
    number()
}

#[dag(except = Vec::<Date>::new(), shift = "next_day")]
fn without_schedule() -> u32 {
    number()
}

fn main() {}
