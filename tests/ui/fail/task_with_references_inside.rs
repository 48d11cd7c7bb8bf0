use taskflow::prelude::*;

#[task]
fn twice(x: &&u32) -> u32 {
    **x
}

#[task]
fn maybe(x: Option<&u32>) -> u32 {
    *x.unwrap()
}

#[task]
fn names(x: Vec<&str>, pair: (&u8, u8)) -> usize {
    x.len() + usize::from(pair.1)
}

#[task]
fn for_ever(x: &'static str, y: std::borrow::Cow<'_, str>) -> usize {
    x.len() + y.len()
}

#[dag]
fn example() {
    twice(1);
    maybe(Some(2));
    names(vec!["x"], (1, 2));
    for_ever("x", "y");
}

fn main() {}
