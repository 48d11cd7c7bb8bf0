use taskflow::prelude::*;

#[task(retry = 3)]
fn a() {}

#[task(colour = "red")]
fn b() {}

#[dag(max_active_run = 3)]
fn c() {
    a();
    b();
}

fn main() {}
