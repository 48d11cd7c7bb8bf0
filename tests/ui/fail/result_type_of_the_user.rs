use taskflow::prelude::*;

mod own {
    pub enum Result<T> {
        Good(T),
        Bad,
    }
    pub type Hidden = Result<u32>;
}

#[task]
fn work() -> own::Result<u32> {
    own::Result::Good(1)
}

fn main() {}
