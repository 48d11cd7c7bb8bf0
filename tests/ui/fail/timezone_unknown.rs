use taskflow::prelude::*;

#[dag(schedule = "@daily", timezone = "Asia/Soul")]
fn misspelt() {}

#[dag(schedule = "@daily", timezone = "Seoul")]
fn city() {}

#[dag(schedule = "@daily", timezone = "KST")]
fn letters() {}

#[dag(schedule = "@daily", timezone = "+09:00")]
fn offset() {}

fn main() {}
