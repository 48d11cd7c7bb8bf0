//! The HTTP server of `serve`: real services over temporary homes, asked over plain sockets.

#![cfg(unix)]

mod control;
mod guard;
mod home;
mod pages;
mod reads;
mod start;
mod writes;
