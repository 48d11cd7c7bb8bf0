//! Order without values: `>>`, `before`, `after`, `chain`, `chain_linear`.
#![deny(unused_must_use)]
use taskflow::prelude::*;

#[task]
fn step() {}

#[task]
fn number() -> u32 {
    1
}

#[dag]
fn example() {
    let [a, b, c, d] = [(); 4].map(|()| step());
    let n = number();
    a >> b >> [c, d];
    [c, d] >> n;
    vec![a, b] >> n;
    step().after(n).after([a, b]).before((c, vec![d]));
    a >> (b, n);
    chain((step(), [step(), step()], number()));
    chain(vec![step(), step()]);
    chain_linear(([step(), step()], [number(), number()]));
    let cleaned = number() >> step();
    cleaned >> number();
}

fn main() {
    let errors = example::def().plan().map(|_| ()).unwrap_err();
    assert!(errors.to_string().contains("the graph has a cycle through"), "{errors}");
}
