//! A DAG without `->` can end in anything or return early; one with `->` returns an output.
use taskflow::prelude::*;

#[task]
fn number() -> u32 {
    1
}

#[task]
fn unit() {}

#[dag]
fn ends_with_semicolon() {
    number();
}

#[dag]
fn empty() {}

#[dag]
fn gives_unit() -> () {
    number() >> unit()
}

#[dag]
fn ends_in_a_unit_task() {
    unit()
}

#[dag]
fn returns_early(#[param(default = true)] flag: bool) {
    let _ = flag;
    if std::env::var_os("NEVER").is_some() {
        return;
    }
    number();
}

#[dag]
fn gives_its_parameter(n: u32) -> u32 {
    n
}

fn main() {
    for def in taskflow::Registry::dags() {
        def.plan().unwrap();
    }
    assert!(gives_unit::def().plan().unwrap().result().is_some());
    assert!(ends_with_semicolon::def().plan().unwrap().result().is_none());
}
