//! Which tasks run: branches, trigger rules, skipping, setup and teardown, mapping.

mod branches;
#[cfg(feature = "sqlite")]
mod branches_stored;
mod each;
#[cfg(feature = "sqlite")]
mod each_durable;
#[cfg(feature = "sqlite")]
mod each_lists;
#[cfg(feature = "testing")]
mod each_options;
#[cfg(feature = "testing")]
mod scopes;
mod skip_fail;
mod trigger_rules;
