//! Plain Rust is the graph language: helper functions, generics, loops, conditions, groups.
use taskflow::prelude::*;

#[task]
fn start() -> u64 {
    1
}

#[task]
fn double(x: u64) -> u64 {
    2 * x
}

#[task]
fn sum(all: &[u64]) -> u64 {
    all.iter().sum()
}

fn doubled_twice(x: Output<u64>) -> Output<u64> {
    double(double(x))
}

fn apply<T>(x: Output<T>, f: impl Fn(Output<T>) -> Output<T>) -> Output<T> {
    group("applied", || f(f(x)))
}

#[dag]
fn example() -> u64 {
    let mut value = start();
    for round in 0..5 {
        value = if round % 2 == 0 { double(value) } else { doubled_twice(value).retries(2) };
    }
    let grouped = group("fan", || (0..10).map(|_| double(value)).collect::<Vec<_>>());
    let first = grouped[0].id("first");
    apply(first, |x| double(x));
    apply(first, doubled_twice);
    sum(grouped)
}

fn main() {
    let plan = example::def().plan().unwrap();
    assert_eq!(plan.len(), 1 + 7 + 10 + 2 + 4 + 1);
    assert!(plan.find("fan.first").is_some() || plan.find("first").is_some());
}
