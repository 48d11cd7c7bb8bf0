//! The fallback for systems without process groups.

use super::spec::Spec;
use super::{CommandError, CommandOutput};
use crate::task::TaskContext;

impl Spec {
    pub(super) async fn run(&self, context: &TaskContext) -> Result<CommandOutput, CommandError> {
        let message = format!("`{self}` cannot be started: commands need process groups, which exist on Unix only");
        let _ = context.fail(&message);
        Err(CommandError::new(message))
    }
}
