//! A secret is no value: values are stored.

use taskflow::config::Secret;
use taskflow::prelude::*;

#[task]
fn token(ctx: &TaskContext) -> Result<Secret> {
    Ok(ctx.secret("token")?)
}

#[task]
fn warehouse(ctx: &TaskContext) -> Result<taskflow::Connection> {
    Ok(ctx.connection("warehouse")?)
}

#[dag]
fn leaks(token: Secret) {}

fn main() {}
