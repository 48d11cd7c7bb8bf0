use taskflow::prelude::*;

use std::rc::Rc;

#[task]
fn make() -> Rc<u32> {
    Rc::new(1)
}

#[task]
fn take(x: &Rc<u32>) -> u32 {
    **x
}

fn main() {}
