#![deny(unused_must_use)]
use taskflow::prelude::*;

#[task]
fn number() -> u32 {
    3
}

#[dag]
fn example() -> u32 {
    number()
}

pub fn use_it() {
    example::run();
}

fn main() {}
