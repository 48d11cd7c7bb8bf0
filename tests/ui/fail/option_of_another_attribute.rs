use taskflow::prelude::*;

#[task(schedule = "@daily")]
fn a() {}

#[dag(pool = "x", default(blocking, id = "x"))]
fn b(#[param(retries = 3)] n: u32) {
    let _ = n;
    a();
}

fn main() {}
