use taskflow::prelude::*;

#[task]
fn number() -> u32 {
    3
}

#[dag]
fn example() {
    number()
}

fn main() {}
