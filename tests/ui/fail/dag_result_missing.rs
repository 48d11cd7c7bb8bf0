use taskflow::prelude::*;

#[task]
fn number() -> u32 {
    3
}

#[dag]
fn example() -> u32 {
    number();
}

fn main() {}
