use taskflow::prelude::*;

#[task]
fn number() -> u32 {
    3
}

#[dag]
fn example() {
    number() >> 5;
    chain((number(), "x"));
    number().after(3);
}

fn main() {}
