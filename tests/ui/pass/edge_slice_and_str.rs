//! `&[T]` is fed like `Vec<T>`, and `&str` like `String`.
use taskflow::prelude::*;

#[task]
fn numbers() -> Vec<u32> {
    vec![1, 2]
}

#[task]
fn number() -> u32 {
    3
}

#[task]
fn name() -> String {
    "Ada".to_owned()
}

#[task]
fn total(numbers: &[u32]) -> u32 {
    numbers.iter().sum()
}

#[task]
fn owned(numbers: Vec<u32>, label: String) -> u32 {
    let _ = label;
    numbers.into_iter().sum()
}

#[task]
fn greet(name: &str) -> String {
    format!("hello {name}")
}

#[task]
fn whole(numbers: &Vec<u32>, name: &String) -> usize {
    numbers.len() + name.len()
}

#[dag]
fn example(who: String) -> u32 {
    greet(name());
    greet("Grace");
    greet(String::from("Edsger"));
    greet(who);
    owned(numbers(), "label");
    owned(vec![1, 2, 3], name());
    whole(numbers(), "literal");
    total(vec![1u32]);
    total([number(), number()]);
    total(numbers())
}

fn main() {
    example::def().plan().unwrap();
    assert_eq!(total::call(&[1, 2, 3]), 6);
    assert_eq!(greet::call("Ada"), "hello Ada");
}
