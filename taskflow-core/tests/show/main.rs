//! The pictures of plans.

mod graphs;
mod task;

mod any_graph;
mod formats;
mod large;
mod svg;
mod tree;
mod view;
