//! The HTTP server of `serve`: real services over temporary homes, asked over plain sockets.

#![cfg(unix)]

mod access;
mod audit;
mod backfills;
mod below;
mod calls;
mod client;
mod compatibility;
mod control;
mod exports;
mod foreign;
mod grids;
mod guard;
mod home;
mod hooks;
mod hostile_json;
mod limits;
mod metrics;
mod nginx;
#[cfg(feature = "oidc")]
mod oidc;
mod openapi;
mod pages;
mod pages_bulk;
mod pages_emit;
mod pages_release;
mod pages_trigger;
mod paging;
#[cfg(feature = "oidc")]
mod provider;
mod readers;
mod reads;
mod recipes;
mod requested;
mod respondents;
mod rights;
mod run_log;
mod run_params;
mod schema;
mod secrets;
mod start;
mod stream_rights;
mod streams;
mod threats;
#[cfg(feature = "tls")]
mod tls;
mod transfer;
mod writes;
