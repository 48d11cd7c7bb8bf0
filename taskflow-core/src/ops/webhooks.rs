//! The webhooks of the configuration, checked against the program.

use super::assets;
use crate::config::{Config, ConfigError, Mistake};

/// Checks that the webhooks of the configuration can work: that their assets exist, with or without
/// partitions, and that their secrets can be read. `is_secret` says what is wrong with a secret.
///
/// # Errors
///
/// All that cannot, with their places.
pub(crate) fn check_webhooks(
    config: &Config,
    wrong_secret: impl Fn(&crate::config::Webhook, &str) -> Option<String>,
) -> Result<(), ConfigError> {
    let mut mistakes = Vec::new();
    for (name, webhook, origin) in config.webhooks() {
        let mut add = |reason: String| {
            mistakes.push(Mistake { origin: origin.clone(), message: format!("the webhook `{name}`: {reason}") });
        };
        match assets::find(&webhook.asset) {
            Err(error) => add(error.to_string()),
            Ok(asset) => match (asset.partition.is_some(), webhook.partition.is_some()) {
                (true, false) => add(format!(
                    "`{}` has partitions; say where the partition stands in the body, such as `partition = \"/day\"`",
                    webhook.asset
                )),
                (false, true) => add(format!("`{}` has no partitions; remove `partition`", webhook.asset)),
                (true, true) | (false, false) => {}
            },
        }
        match config.webhook_secret(webhook) {
            Err(reason) => add(reason),
            Ok(secret) => wrong_secret(webhook, secret.expose()).into_iter().for_each(&mut add),
        }
    }
    if mistakes.is_empty() { Ok(()) } else { Err(ConfigError::Invalid { mistakes }) }
}
