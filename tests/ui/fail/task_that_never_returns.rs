use taskflow::prelude::*;

#[task]
fn serve() -> ! {
    loop {}
}

fn main() {}
