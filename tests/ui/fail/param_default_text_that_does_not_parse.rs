use taskflow::prelude::*;

#[dag]
fn example(
    #[param(default = "fifteen")] count: u32,
    #[param(default = "maybe")] flag: bool,
    #[param(choices = ["1", "two", 3])] level: i8,
) {
    let _ = (count, flag, level);
}

fn main() {}
