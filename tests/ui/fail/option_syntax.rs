use taskflow::prelude::*;

#[task("x", retries 3, timeout: "5s", retries = 3 timeout = "5s", tags = ["a"])]
fn a() {}

#[dag]
fn b() {
    a();
}

fn main() {}
