//! The HTTP server of `serve`: real services over temporary homes, asked over plain sockets.

#![cfg(unix)]

mod foreign;
mod guard;
mod home;
mod metrics;
mod pages;
mod reads;
mod start;
mod writes;
