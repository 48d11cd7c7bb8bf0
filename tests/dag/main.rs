//! Building DAGs: edges, groups, projections, and the errors found in a graph.

mod any_of;
mod dag_inside;
mod defaults;
mod edges;
mod explicit;
mod graph;
mod hash;
mod inputs;
mod lists;
mod mistakes;
mod order;
mod parts;
mod pictures;
mod projections;
mod results;
mod support;
