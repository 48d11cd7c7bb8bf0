use taskflow::prelude::*;

#[task(timeout = 30)]
fn bare() {}

#[task(timeout = 30s, retry_delay = 1.5)]
fn unquoted() {}

#[task(timeout = "30", retry_delay = "5 minutes")]
fn without_unit() {}

#[task(timeout = "0s", retry_delay = "-5s")]
fn senseless() {}

#[task(timeout = "soon", retry_delay = "1y", max_retry_delay = "")]
fn unknown() {}

#[task(timeout = "1h 2h", retry_delay = "1..5s", max_retry_delay = "99999999999999999w")]
fn odd() {}

fn main() {}
