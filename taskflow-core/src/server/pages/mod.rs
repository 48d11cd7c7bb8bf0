//! The pages of the web UI: pure functions from documents to complete HTML.
//!
//! A page is a struct with what it shows and a function `html`. No page has an inline style or
//! script. Templates are in `taskflow-core/templates`; every value in them passes through
//! [`escape::PageText`].

mod routes;

pub(crate) mod ansi;
pub(crate) mod assets;
pub(crate) mod escape;
pub(crate) mod frame;
pub(crate) mod marks;
pub(crate) mod problem;
pub(crate) mod times;

pub(super) use routes::routes;
