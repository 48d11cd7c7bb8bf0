use taskflow::prelude::*;

#[task(retries, timeout = , pool("x"), blocking = 3)]
fn a() {}

#[task(retries = "3", pool = 3, priority = high, tags = "x")]
fn b() {}

#[task(retries = -1, pool_slots = 99999999999, tags = [1, "a", ""])]
fn c() {}

#[dag(default = 3, catchup(true))]
fn d() {
    a();
    b();
    c();
}

fn main() {}
