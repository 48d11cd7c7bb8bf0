use taskflow::prelude::*;

#[task(retries = 3, timeout = "5s", retries = 4)]
fn a() {}

#[dag(catchup, schedule = "@daily", catchup = false)]
fn b() {
    a();
}

fn main() {}
