//! What DAGs are made of: tasks, edges, groups, values on their way along an edge; and every mistake that is found in them.

mod dag_inside;
mod edges;
mod explicit;
mod graph;
mod projections;
