use taskflow::prelude::*;

#[dag]
fn example(
    #[param(default = "fifteen")] count: u32,
    #[param(default = "2026-13-01")] day: Date,
    #[param(default = "maybe")] flag: bool,
    #[param(choices = ["1", "two", 3])] level: i8,
) {
}

fn main() {}
