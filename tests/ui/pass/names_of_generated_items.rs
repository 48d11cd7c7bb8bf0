//! The names that generated code uses are free for tasks, DAGs and parameters.
use taskflow::prelude::*;

#[task]
fn call(call: u32) -> u32 {
    if call == 0 { 0 } else { call::call(call - 1) }
}

#[task]
fn def(def: &u32, ctx: &TaskContext) -> u32 {
    *def + ctx.attempt()
}

#[task]
async fn body(body: Vec<u32>, params: &[u32]) -> u32 {
    body.len() as u32 + params.len() as u32
}

#[task]
fn params() -> Vec<u32> {
    vec![]
}

#[dag]
fn run(run: u32, params: Vec<u32>, options: u8, inputs: u8) -> u32 {
    let _ = (options, inputs);
    let list = self::params();
    body(list, params);
    def(call(run))
}

fn main() {
    assert_eq!(call::call(3), 0);
    run::def().plan().unwrap();
    drop(run::run(1, vec![2], 3, 4));
}
