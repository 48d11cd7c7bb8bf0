use taskflow::prelude::*;

#[task(executor = "yarn")]
fn elsewhere() {}

#[task(executor = "spark", isolation = "process")]
fn twice_apart() {}

#[task(executor = "spark", deferrable)]
fn waiting() {}

fn main() {}
