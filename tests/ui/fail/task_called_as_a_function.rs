use taskflow::prelude::*;

#[task]
fn number() -> u32 {
    3
}

pub fn helper() -> u32 {
    number() + 1
}

fn main() {}
