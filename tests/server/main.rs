//! The HTTP server of `serve`: real services over temporary homes, asked over plain sockets.

#![cfg(unix)]

mod access;
mod audit;
mod below;
mod calls;
mod client;
mod control;
mod foreign;
mod grids;
mod guard;
mod home;
mod metrics;
mod pages;
mod reads;
mod recipes;
mod rights;
mod start;
mod streams;
mod threats;
mod writes;
