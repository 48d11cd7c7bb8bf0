use taskflow::prelude::*;

#[dag]
#[task]
fn both() {}

fn main() {}
