use taskflow::prelude::*;

#[task]
fn u32() {}

#[task]
fn main() {}
