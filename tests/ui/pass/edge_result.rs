//! `Result<T, Failure>` runs however its upstream ended, and sees how.
use taskflow::Failure;
use taskflow::prelude::{Result, dag, task};

#[task]
fn number() -> Result<u32> {
    Err("no number today")?
}

#[task]
fn report(outcome: Result<u32, Failure>) -> String {
    match outcome {
        Ok(number) => number.to_string(),
        Err(failure) => failure.kind().to_owned(),
    }
}

#[task]
fn borrowed(outcome: &Result<u32, Failure>) -> bool {
    outcome.is_ok()
}

#[task]
fn count(outcomes: &[std::result::Result<u32, Failure>]) -> usize {
    outcomes.iter().filter(|outcome| outcome.is_ok()).count()
}

#[task]
fn all(outcomes: Vec<Result<u32, Failure>>) -> usize {
    outcomes.len()
}

#[dag]
fn example() -> usize {
    report(number());
    borrowed(number());
    count([number(), number()]);
    all((0..3).map(|_| number()).collect::<Vec<_>>())
}

fn main() {
    example::def().plan().unwrap();
    assert_eq!(report::call(Ok(3)), "3");
}
