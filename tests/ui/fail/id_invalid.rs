use taskflow::prelude::*;

#[task(id = "")]
fn a() {}

#[task(id = "load table")]
fn b() {}

fn main() {}
