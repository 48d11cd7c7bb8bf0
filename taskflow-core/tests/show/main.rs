//! The pictures of plans.

mod graphs;
mod task;

mod formats;
