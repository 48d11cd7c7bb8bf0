use taskflow::prelude::*;

#[task]
fn number() -> u32 {
    3
}

#[dag(catchup, start = "2026-01-01", end = "2026-12-31", timezone = "Asia/Seoul")]
fn example() -> u32 {
    number()
}

fn main() {}
