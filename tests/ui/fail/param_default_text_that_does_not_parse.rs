use taskflow::prelude::*;

#[dag]
fn example(
    #[param(default = "fifteen")] count: u32,
    #[param(default = "maybe")] flag: bool,
    #[param(choices = ["1", "two", 3])] level: i8,
    #[param(default = [1, "two"])] list: Vec<u32>,
    #[param(choices = ["1", "two"])] chosen: Vec<u32>,
) {
    let _ = (count, flag, level, list, chosen);
}

fn main() {}
