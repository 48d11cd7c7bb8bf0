use taskflow::prelude::*;

#[dag]
fn example(
    #[param] a: u32,
    #[param(defualt = 3)] b: u32,
    #[param(default = 1)]
    #[param(help = "x")]
    c: u32,
    #[param(choices = [one, 2])] d: u32,
    #[param(choices = [])] e: u32,
    #[param(pattern = "(")] f: String,
    #[param(min = 3)] g: u32,
    #[param = 3] h: u32,
    #[param(help = 3)] i: u32,
) {
    let _ = (a, b, c, d, e, f, g, h, i);
}

fn main() {}
