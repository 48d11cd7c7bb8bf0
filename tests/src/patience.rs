//! How long tests wait before they give up.

use std::time::Duration;

/// How long anything may take before a test gives up. Far more than anything needs, also on a
/// machine that has thirty other things to do: it only turns a hang into a failure.
pub const PATIENCE: Duration = Duration::from_secs(240);
