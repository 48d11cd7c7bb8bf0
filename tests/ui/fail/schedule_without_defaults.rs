use taskflow::prelude::*;

#[task]
fn number() -> u32 {
    3
}

#[dag(schedule = "@daily")]
fn example(day: Date, #[param(range = 1..=3)] level: u32, #[param(default = 1)] fine: u32) -> u32 {
    let _ = (day, level, fine);
    number()
}

fn main() {}
