use taskflow::prelude::*;

#[task]
fn number() -> u32 {
    3
}

#[dag]
fn example(day: Date, n: u32) -> u32 {
    let _ = (day, n);
    number()
}

pub fn use_it() {
    let _ = example::run(3);
    let _ = example::run("2026-01-01", 3);
}

fn main() {}
