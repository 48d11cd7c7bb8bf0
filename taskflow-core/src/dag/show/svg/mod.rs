//! stub
use super::View;
use super::layout::*;
/// a
pub const STATES: [&str; 0] = [];
/// a
#[derive(Debug, Default)]
pub struct SvgOptions {}
/// a
pub fn svg(_: &View<'_>, _: &SvgOptions) -> String {
    let _ = lay_out(&Graph::default());
    String::new()
}
