//! Building DAGs: edges, groups, projections, and the errors found in a graph.

mod dag_inside;
mod edges;
mod explicit;
mod graph;
mod pictures;
mod projections;
