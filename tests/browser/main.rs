//! The pages of the server in a real Chromium, over the protocol of its developer tools.
//!
//! [`page`] has what a test says to a page, [`site`] the server with something of everything.

#![cfg(unix)]

mod chromium;
mod page;
mod site;
// The service of the tests of the API.
#[allow(dead_code, reason = "the tests of the API use the rest")]
#[path = "../server/home.rs"]
mod home;

mod access;
mod colours;
mod everywhere;
mod forms;
mod layout;
mod logs;
mod self_check;
mod times;
