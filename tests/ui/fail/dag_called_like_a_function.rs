use taskflow::prelude::*;

#[task]
fn number() -> u32 {
    3
}

#[dag]
fn inner() -> u32 {
    number()
}

#[dag]
fn outer() -> u32 {
    inner()
}

fn main() {}
