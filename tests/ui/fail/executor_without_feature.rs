use taskflow::prelude::*;

#[task(executor = "spark")]
fn elsewhere() {}

fn main() {}
