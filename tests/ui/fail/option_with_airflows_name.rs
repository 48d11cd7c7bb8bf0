use taskflow::prelude::*;

#[task(task_id = "a", execution_timeout = "5s", retry_exponential_backoff = true)]
fn a() {}

#[dag(dag_id = "x", start_date = "2026-01-01", default_args = { retries: 3 }, description = "x")]
fn b() {
    a();
}

fn main() {}
