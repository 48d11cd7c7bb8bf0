//! What DAGs consist of: tasks, edges, groups, values on their way along an edge; and the mistakes
//! that are found in a graph.

mod dag_inside;
mod edges;
mod explicit;
mod graph;
mod projections;
