use taskflow::prelude::*;

#[task(trigger_rule = "one_fail")]
fn a() {}

#[task(trigger_rule = TriggerRule::AllSucceeded)]
fn b() {}

#[task(trigger_rule = all_done)]
fn c() {}

fn main() {}
