use taskflow::notify::Notification;
use taskflow::prelude::*;

#[task(on_failure = "page")]
fn text() -> u32 {
    1
}

fn of_nothing() {}

#[task(on_failure = of_nothing)]
fn takes_nothing() -> u32 {
    1
}

fn gives_a_number(_: &Notification) -> u32 {
    1
}

#[task(on_success = gives_a_number)]
fn gives() -> u32 {
    1
}

#[task(on_failure_callback = gives)]
fn airflow() -> u32 {
    1
}

fn main() {}
