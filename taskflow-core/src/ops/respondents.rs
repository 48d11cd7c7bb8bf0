//! Who may answer a question. [`send_event`](super::send_event()) asks here, and nothing else
//! decides it; pages ask here too, in order not to offer what would be refused.
//!
//! 1. A question that is asked now has its rule with it, as stored by the process that asks.
//! 2. One that is not asked now takes no answer if it has a rule, neither in advance nor a second
//!    time: nobody could be checked against what is not stored yet. Whether it has one says the
//!    graph of the program, if that is the graph of the run. Otherwise it counts as one that has.
//!    That holds for a run that has ended too: it may go on before the event is stored.
//! 3. Every other event is free.
//! 4. Whoever answers a question with a rule answers under the name that was checked.

use std::iter;

use super::actor::Via;
use super::error::OpsError;
use crate::approval::{asks, asks_by_name};
use crate::dag::{Registry, node_id_of};
use crate::journal::{Journal, RunHistory, Signature, TaskHistory};
use crate::run::{QuestionRespondents, TaskState};

/// Somebody who wants to answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Respondent<'a> {
    /// The name of the actor.
    pub(crate) name: &'a str,
    /// How that was established: the name of a [`Via`].
    pub(crate) via: &'a str,
    /// The user that a session or a token belongs to.
    pub(crate) user: Option<&'a str>,
    /// The groups, as whoever has authenticated them says.
    pub(crate) groups: &'a [String],
}

impl<'a> Respondent<'a> {
    fn of(signature: &'a Signature) -> Self {
        let Signature { actor, via, user, groups, .. } = signature;
        Respondent { name: actor, via, user: user.as_deref(), groups }
    }

    /// The names that they are known by. A token and its user are one person.
    fn names(self) -> impl Iterator<Item = &'a str> {
        iter::once(self.name).chain(self.user)
    }

    fn is_user(&self, name: &str) -> bool {
        // A token can have any name, and the account of a server stands for whoever uses its
        // machine.
        let is_own = [Via::Proxy, Via::Cli].iter().any(|via| via.name() == self.via);
        self.user == Some(name) || (is_own && self.name == name)
    }

    /// Whether they have asked for the run. Names that differ in case only may be one person's, and
    /// this only refuses.
    fn has_asked(&self, requested_by: &[String]) -> bool {
        let lower = str::to_lowercase;
        self.names().any(|name| requested_by.iter().any(|known| lower(known) == lower(name)))
    }

    /// Whether they may answer a question with this rule, in a run that these have asked for.
    pub(crate) fn may_answer(&self, respondents: &QuestionRespondents, requested_by: &[String]) -> bool {
        let is_named = |name: &String| match name.strip_prefix(QuestionRespondents::USER) {
            Some(user) => self.is_user(user),
            None => self.groups.contains(name),
        };
        let QuestionRespondents { answered_by, four_eyes } = respondents;
        let is_admitted = answered_by.is_empty() || answered_by.iter().any(is_named);
        is_admitted && !(*four_eyes && self.has_asked(requested_by))
    }
}

/// The names of those who act through a journal, and so ask for what they start; none if it is not
/// signed.
pub(super) fn requesters(journal: &Journal) -> Vec<String> {
    let names = journal.signature().map(|signature| Respondent::of(signature).names().map(str::to_owned).collect());
    names.unwrap_or_default()
}

/// Checks whether those who act through a journal may send an event with this key to a run. Returns
/// their name if it answers a question with a rule.
///
/// # Errors
///
/// With [`OpsError::MayNotAnswer`] when it answers a question, and they may not; with
/// [`OpsError::NoQuestion`] when the question is not asked now.
pub(super) fn check<'j>(journal: &'j Journal, history: &RunHistory, key: &str) -> Result<Option<&'j str>, OpsError> {
    // The journal says that it has ended, unless it goes on meanwhile.
    if history.state.is_terminal() && has_rule(history, key) != Some(true) {
        return Ok(None);
    }
    let task = history.tasks.iter().find(|task| &*task.id == key);
    let asked = task.and_then(|task| asked_by(history, task));
    if let Some(respondents) = asked {
        admit(journal, history, key, respondents)?;
        let name = journal.signature().map(|signature| &*signature.actor);
        return Ok(name.filter(|_| !respondents.is_everybody()));
    }
    let state = task.map_or(TaskState::None, |task| task.state);
    let takes_any = match has_rule(history, key) {
        None => true,
        Some(has_rule) => !has_rule && !state.is_terminal(),
    };
    if takes_any { Ok(None) } else { Err(OpsError::NoQuestion { number: history.number, task: key.to_owned(), state }) }
}

/// Who may answer what a task asks now. An answer that the task has not seen yet is one: a question
/// with a rule has one only.
fn asked_by<'h>(history: &RunHistory, task: &'h TaskHistory) -> Option<&'h QuestionRespondents> {
    let wait = task.waits_for.as_ref().filter(|_| task.state == TaskState::Deferred)?;
    wait.question.as_ref().filter(|_| wait.event.as_deref() == Some(&*task.id))?;
    let seen = task.wait.as_ref().and_then(|wait| wait.event.as_ref()).map_or(0, |&(_, seen)| seen);
    let is_answered = (1_u64..).zip(&history.events).any(|(number, (key, _))| number > seen && **key == *task.id);
    Some(&wait.respondents).filter(|respondents| respondents.is_everybody() || !is_answered)
}

/// Whether the question of the task with this id has a rule; `None` if it asks nothing.
fn has_rule(history: &RunHistory, key: &str) -> Option<bool> {
    let dag = Registry::dags().into_iter().find(|dag| dag.id == history.info.dag_id);
    let plan = dag.and_then(|dag| dag.plan().ok()).filter(|plan| plan.hash() == history.graph);
    if let Some(plan) = plan {
        let node = plan.find(node_id_of(key)).filter(|&node| asks(plan.def(node)))?;
        return Some(plan.node_options(node).respondents.is_some());
    }
    let node = history.shape.nodes.iter().position(|node| &*node.id == key);
    match node.and_then(|node| u32::try_from(node).ok()).map(|node| history.shape.kind(node)) {
        Some(kind) => asks_by_name(&kind.task, &kind.output).then_some(true),
        // Perhaps an element of a list that is not known yet.
        None => (node_id_of(key) != key).then_some(true),
    }
}

fn admit(
    journal: &Journal,
    history: &RunHistory,
    key: &str,
    respondents: &QuestionRespondents,
) -> Result<(), OpsError> {
    let requested_by = &history.info.requested_by;
    let respondent = journal.signature().map(Respondent::of);
    let may = respondent.is_some_and(|respondent| respondent.may_answer(respondents, requested_by));
    if respondents.is_everybody() || may {
        return Ok(());
    }
    Err(OpsError::MayNotAnswer {
        number: history.number,
        task: key.to_owned(),
        who: respondent.map(|respondent| respondent.name.to_owned()),
        has_asked: respondents.four_eyes && respondent.is_some_and(|respondent| respondent.has_asked(requested_by)),
        respondents: respondents.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(answered_by: &[&str], four_eyes: bool) -> QuestionRespondents {
        let mut respondents = QuestionRespondents::default();
        respondents.answered_by.extend(answered_by.iter().map(|&name| name.to_owned()));
        respondents.four_eyes = four_eyes;
        respondents
    }

    /// Each name as a group, as a user, and as what only looks like one of these.
    #[test]
    fn a_name_is_that_of_a_group_or_of_a_user_as_the_rule_says() {
        let groups = ["finance".to_owned(), "user:ada".to_owned()];
        let of = |name, via: Via, user| Respondent { name, via: via.name(), user, groups: &groups };
        for (names, respondent, may) in [
            (&["finance"][..], of("kim", Via::Session, Some("kim")), true),
            (&["ops"][..], of("kim", Via::Session, Some("kim")), false),
            (&["ops", "user:kim"][..], of("kim", Via::Session, Some("kim")), true),
            (&["kim"][..], of("kim", Via::Session, Some("kim")), false),
            // A group that is called like the rule about a user.
            (&["user:ada"][..], of("kim", Via::Session, Some("kim")), false),
            (&["user:kim"][..], of("ci", Via::Token, Some("kim")), true),
            (&["user:ci"][..], of("ci", Via::Token, Some("kim")), false),
            (&["user:ci"][..], of("ci", Via::Token, None), false),
            (&["user:kim"][..], of("kim", Via::Proxy, None), true),
            (&["user:kim"][..], of("kim", Via::Cli, None), true),
            (&["user:kim"][..], of("kim", Via::Loopback, None), false),
            (&[][..], of("kim", Via::Loopback, None), true),
        ] {
            assert_eq!(respondent.may_answer(&rule(names, false), &[]), may, "{names:?} {respondent:?}");
        }
    }

    /// The token and the user of whoever has asked, and somebody else.
    #[test]
    fn whoever_has_asked_is_known_by_the_names_of_tokens_and_users() {
        let of = |name, via: Via, user| Respondent { name, via: via.name(), user, groups: &[] };
        let asked = ["ci".to_owned(), "kim".to_owned()];
        let may = |respondent: Respondent<'_>| respondent.may_answer(&rule(&[], true), &asked);
        assert!(!may(of("kim", Via::Session, Some("kim"))));
        assert!(!may(of("ci", Via::Token, Some("kim"))));
        assert!(!may(of("other", Via::Token, Some("kim"))));
        assert!(!may(of("kim", Via::Proxy, None)));
        assert!(!may(of("Kim", Via::Proxy, None)), "a provider may spell it otherwise");
        assert!(may(of("lee", Via::Session, Some("lee"))));
        assert!(of("kim", Via::Session, Some("kim")).may_answer(&rule(&[], true), &[]), "nobody has asked");
        assert!(of("kim", Via::Session, Some("kim")).may_answer(&rule(&[], false), &asked), "no four eyes");
    }
}
