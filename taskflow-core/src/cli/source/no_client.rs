//! In place of a client, in a program without the feature `server`.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::super::error::CliError;

/// There is none.
#[derive(Debug)]
pub(in crate::cli) enum Client {}

#[allow(clippy::unused_self, reason = "as the client with the feature")]
impl Client {
    pub(super) fn connect(_: &str, _: bool) -> Result<Self, CliError> {
        Err(CliError::usage("this program is built without the feature `server`, which asks a service"))
    }

    pub(super) fn flags(&self) -> Vec<String> {
        match *self {}
    }

    pub(super) fn shown(&self) -> &str {
        match *self {}
    }

    pub(super) fn get<T: DeserializeOwned>(&self, _: &str, _: &[(&str, String)]) -> Result<T, CliError> {
        match *self {}
    }

    pub(super) fn list<T: DeserializeOwned>(
        &self,
        _: &str,
        _: &[(&str, String)],
        _: usize,
    ) -> Result<Vec<T>, CliError> {
        match *self {}
    }

    pub(super) fn each_page<T: DeserializeOwned>(
        &self,
        _: &str,
        _: &[(&str, String)],
        _: &mut dyn FnMut(Vec<T>) -> Result<bool, CliError>,
    ) -> Result<(), CliError> {
        match *self {}
    }

    pub(super) fn events(&self, _: String, _: Vec<(&'static str, String)>) -> Events<'_> {
        match *self {}
    }

    pub(super) fn text(&self, _: &str, _: &[(&str, String)]) -> Result<String, CliError> {
        match *self {}
    }

    pub(super) fn send<T: DeserializeOwned>(
        &self,
        _: &str,
        _: &str,
        _: &[(&str, String)],
        _: &Value,
        _: Option<&str>,
    ) -> Result<T, CliError> {
        match *self {}
    }

    pub(super) fn preview<T: DeserializeOwned>(
        &self,
        _: &str,
        _: &[(&str, String)],
        _: &Value,
    ) -> Result<(T, String), CliError> {
        match *self {}
    }

    pub(super) fn run_name(&self, _: &str) -> Result<String, CliError> {
        match *self {}
    }
}

/// There are none.
#[allow(dead_code, reason = "as the client with the feature")]
pub(in crate::cli) struct Events<'c>(&'c Client);

impl Events<'_> {
    pub(in crate::cli) fn next(&mut self) -> Result<Option<String>, CliError> {
        match *self.0 {}
    }
}

/// A segment of an address.
pub(super) fn segment(text: &str) -> String {
    text.to_owned()
}
