use taskflow::prelude::*;

#[task(pool_slots = 2)]
fn without_pool() {}

#[task(pool = "warehouse", pool_slots = 0)]
fn no_slots() {}

#[task(pool = "")]
fn no_name() {}

fn main() {}
