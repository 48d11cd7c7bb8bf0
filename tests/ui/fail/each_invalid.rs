//! What the closures of `each` and `label` return.

use taskflow::prelude::*;

struct Region;

#[task]
fn regions() -> Vec<String> {
    vec![]
}

#[task]
fn load(region: &str) -> u32 {
    region.len() as u32
}

#[dag]
fn nothing_returned() {
    regions().each(|region| {
        load(region);
    });
}

#[dag]
fn a_plain_value_returned() {
    regions().label(|region| region.clone()).each(|_| 3);
}

#[dag]
fn nothing_in_a_tuple() {
    regions().each(|region| (load(region), ()));
}

#[dag]
fn a_label_that_is_no_text() {
    regions().label(|_| Region).each(|region| load(region));
}

fn main() {}
