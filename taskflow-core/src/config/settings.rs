//! The configured settings, typed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use tracing_subscriber::filter::Targets;

use super::group::GroupRole;
use super::network::Network;
use super::origin::Given;
use super::setting::{Datum, SETTINGS, Setting};

/// The configured settings of the command line. Flags take precedence; a setting that is not
/// configured is `None` and has its default.
#[derive(Clone, Debug, Default)]
pub struct Settings(BTreeMap<&'static str, Given<Datum>>);

impl Settings {
    pub(super) fn set(&mut self, setting: &'static Setting, given: Given<Datum>) {
        self.0.insert(setting.name, given);
    }

    /// Every setting with its configured value.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static Setting, Option<&Given<Datum>>)> {
        SETTINGS.iter().map(|setting| (setting, self.0.get(setting.name)))
    }

    pub(super) fn datum(&self, name: &str) -> Option<&Datum> {
        self.0.get(name).map(|given| &given.value)
    }

    fn count(&self, name: &str) -> Option<NonZeroUsize> {
        match self.datum(name) {
            Some(&Datum::Count(count)) => Some(count),
            _ => None,
        }
    }

    fn size(&self, name: &str) -> Option<u64> {
        match self.datum(name) {
            Some(&Datum::Size(bytes)) => Some(bytes),
            _ => None,
        }
    }

    fn word(&self, name: &str) -> Option<&'static str> {
        match self.datum(name) {
            Some(&Datum::Word(word)) => Some(word),
            _ => None,
        }
    }

    /// `run.jobs`: how many tasks run at once.
    pub fn jobs(&self) -> Option<NonZeroUsize> {
        self.count("run.jobs")
    }

    /// `run.workers`: the number of threads for sync tasks.
    pub fn workers(&self) -> Option<NonZeroUsize> {
        self.count("run.workers")
    }

    /// `run.grace`: how long running tasks may take to end after Ctrl-C.
    pub fn grace(&self) -> Option<Duration> {
        self.span("run.grace")
    }

    /// `run.fail_fast`: whether a run ends when the first task fails.
    pub fn fail_fast(&self) -> Option<bool> {
        match self.datum("run.fail_fast") {
            Some(&Datum::Switch(on)) => Some(on),
            _ => None,
        }
    }

    /// `run.durability`: `strict`, `relaxed` or `ephemeral`.
    pub fn durability(&self) -> Option<&'static str> {
        self.word("run.durability")
    }

    /// `serve.max_active_runs`: how many runs a service runs at once.
    pub fn max_active_runs(&self) -> Option<NonZeroUsize> {
        self.count("serve.max_active_runs")
    }

    /// `store.home`: the directory of the runs.
    pub fn home(&self) -> Option<&Path> {
        self.path("store.home")
    }

    /// `store.sync`: `full` or `normal`.
    pub fn sync(&self) -> Option<&'static str> {
        self.word("store.sync")
    }

    /// `store.inline_limit`: values larger than this, in bytes, are stored in files of their own.
    pub fn inline_limit(&self) -> Option<u64> {
        self.size("store.inline_limit")
    }

    /// `store.value_limit`: values larger than this, in bytes, are rejected.
    pub fn value_limit(&self) -> Option<u64> {
        self.size("store.value_limit")
    }

    /// `log.level`: which records are kept, as a filter of `tracing_subscriber`.
    #[cfg_attr(
        not(all(feature = "cli", feature = "sqlite")),
        allow(dead_code, reason = "only the command line of stored runs sets up the logs")
    )]
    pub(crate) fn log_filter(&self) -> Option<&Targets> {
        match self.datum("log.level") {
            Some(Datum::Filter(targets, _)) => Some(targets),
            _ => None,
        }
    }

    /// `log.attempt_limit`: the most bytes in the log of an attempt.
    pub fn log_attempt_limit(&self) -> Option<u64> {
        self.size("log.attempt_limit")
    }

    /// `log.queue_records`: the most records that may wait to be written.
    pub fn log_queue_records(&self) -> Option<NonZeroUsize> {
        self.count("log.queue_records")
    }

    /// `log.queue_bytes`: the most bytes of records that may wait to be written.
    pub fn log_queue_bytes(&self) -> Option<u64> {
        self.size("log.queue_bytes")
    }

    /// `serve.bind`: the address of the HTTP server.
    pub fn bind(&self) -> Option<SocketAddr> {
        match self.datum("serve.bind") {
            Some(&Datum::Address(address)) => Some(address),
            _ => None,
        }
    }

    /// `serve.public_url`: the address at which people reach the server, without a slash at its
    /// end.
    pub fn public_url(&self) -> Option<&str> {
        self.text("serve.public_url")
    }

    /// `serve.hosts`: further names that the server answers to.
    pub fn hosts(&self) -> &[String] {
        match self.datum("serve.hosts") {
            Some(Datum::Texts(hosts)) => hosts,
            _ => &[],
        }
    }

    /// `serve.rate_limit`: how many requests a second somebody may send to the server.
    pub fn rate_limit(&self) -> Option<NonZeroUsize> {
        self.count("serve.rate_limit")
    }

    /// `serve.tls_cert`: the file with the certificate of the server.
    pub fn tls_cert(&self) -> Option<&Path> {
        self.path("serve.tls_cert")
    }

    /// `serve.tls_key`: the file with the key of the certificate.
    pub fn tls_key(&self) -> Option<&Path> {
        self.path("serve.tls_key")
    }

    /// `serve.webhook_limit`: the most bytes in the body of a delivery to a webhook.
    pub fn webhook_limit(&self) -> Option<u64> {
        self.size("serve.webhook_limit")
    }

    /// `auth.proxy_header`: the header in which a proxy names the user.
    pub fn proxy_header(&self) -> Option<&str> {
        self.text("auth.proxy_header")
    }

    /// `auth.proxy_trusted`: the networks of the proxies whose headers are believed.
    pub fn proxy_trusted(&self) -> &[Network] {
        match self.datum("auth.proxy_trusted") {
            Some(Datum::Networks(networks)) => networks,
            _ => &[],
        }
    }

    /// `auth.proxy_role`: the role of those whom a proxy names and who are no users here: `none`,
    /// `viewer`, `operator` or `admin`.
    pub fn proxy_role(&self) -> Option<&'static str> {
        self.word("auth.proxy_role")
    }

    /// `auth.proxy_groups_header`: the header in which a proxy names the groups of the user,
    /// separated by commas.
    pub fn proxy_groups_header(&self) -> Option<&str> {
        self.text("auth.proxy_groups_header")
    }

    /// `auth.proxy_groups`: the roles of groups.
    pub fn proxy_groups(&self) -> &[GroupRole] {
        self.groups("auth.proxy_groups")
    }

    /// `auth.confirm_after`: how long the password of a session counts for changes of users and
    /// tokens.
    pub fn confirm_after(&self) -> Option<Duration> {
        self.span("auth.confirm_after")
    }

    pub(super) fn span(&self, name: &str) -> Option<Duration> {
        match self.datum(name) {
            Some(&Datum::Span(span)) => Some(span),
            _ => None,
        }
    }

    pub(super) fn groups(&self, name: &str) -> &[GroupRole] {
        match self.datum(name) {
            Some(Datum::Groups(groups)) => groups,
            _ => &[],
        }
    }

    fn path(&self, name: &str) -> Option<&Path> {
        match self.datum(name) {
            Some(Datum::Path(path)) => Some(path),
            _ => None,
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.datum(name) {
            Some(Datum::Text(text)) => Some(text),
            _ => None,
        }
    }
}
