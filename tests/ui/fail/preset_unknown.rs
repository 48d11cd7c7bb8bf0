use taskflow::prelude::*;

#[dag(schedule = "@dayly")]
fn misspelt() {}

#[dag(schedule = "@reboot")]
fn unknown() {}

#[dag(schedule = "daily")]
fn without_at() {}

fn main() {}
