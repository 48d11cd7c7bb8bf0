//! Who may do what: every route of the API and of the pages, asked by every kind of principal.
//!
//! The routes come from the program: the `OpenAPI` document and the source of the table of pages. A
//! route that is not in the tables of `routes` fails.
//!
//! - `routes`: what each route needs, and a request for it. `askers`: who asks.
//! - `matrix`: every route, asked by everybody.
//! - `objects`: the DAG of an object decides, whatever the request and the id of a run say.
//! - `shown`: what somebody who may not see everything is shown.

mod askers;
mod matrix;
mod objects;
mod routes;
mod shown;
