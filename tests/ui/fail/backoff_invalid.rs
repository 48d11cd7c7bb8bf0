use taskflow::prelude::*;

#[task(retries = 1, backoff = 0.5)]
fn shrinking() {}

#[task(retries = 1, backoff = "linear")]
fn unknown() {}

#[task(retries = 1, retry_delay = "10m", max_retry_delay = "5m")]
fn capped_below() {}

#[task(retries = 0, backoff = 2)]
fn never_used() {}

fn main() {}
