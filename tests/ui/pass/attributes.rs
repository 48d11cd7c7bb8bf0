//! Other attributes go where they belong.
#![deny(warnings)]
#![allow(dead_code)]
use taskflow::prelude::*;

/** Over
 * several
 *
 * lines. */
#[task]
#[inline]
#[must_use]
#[expect(unused_variables)]
fn documented(x: u32) -> u32 {
    1
}

#[doc = "Written as an attribute."]
#[doc(hidden)]
#[task]
pub fn attribute() {}

#[doc = concat!("made ", "of parts")]
#[task]
fn parts() {}

#[task]
#[allow(non_snake_case)]
fn CamelCase(
    /// A comment on a parameter.
    #[allow(unused)]
    x: u32,
) {
}

#[cfg(any())]
#[task]
fn absent(x: Missing) -> Missing {}

#[task]
#[cfg(not(any()))]
fn present() {}

#[task]
#[cfg(any())]
fn present() -> Missing {}

#[deprecated = "use `present`"]
#[task]
fn old() {}

#[dag]
#[cfg(not(any()))]
#[allow(non_snake_case)]
fn Example() {
    documented(1);
    attribute();
    parts();
    CamelCase(2);
    #[allow(deprecated)]
    old();
    present();
}

fn main() {
    assert_eq!(documented::def().doc, "Over\nseveral\n\nlines.");
    assert_eq!(attribute::def().doc, "Written as an attribute.");
    assert_eq!(parts::def().doc.trim(), "made of parts");
    assert_eq!(Example::def().plan().unwrap().len(), 6);
}
