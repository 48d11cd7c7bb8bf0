//! The tasks that a branch is made of.

use std::sync::Arc;

use crate::task::{Body, InputDef, Inputs, Interrupt, Produced, TaskContext, TaskDef, pass_on};
use crate::value::{TypeInfo, Value};

/// Which arm it is, and how to tell: the constant that the node of an arm takes. In pictures and in
/// the hash it is the name of the arm.
pub(super) struct Case<V, P> {
    pub(super) place: u32,
    pub(super) labels: &'static [&'static str],
    pub(super) choose: fn(&V) -> u32,
    pub(super) take: fn(&V) -> Option<P>,
    pub(super) not_taken: NotTaken,
}

/// How the skip of an arm is explained.
#[derive(Clone, Copy, Debug)]
pub(super) enum NotTaken {
    Branch,
    Condition,
}

/// Generic functions cannot have statics; the constants of a generic type serve instead.
struct ArmOf<V, P>(V, P);
struct Of<T>(T);

impl<V: Value, P: Value> ArmOf<V, P> {
    const DEF: &'static TaskDef = &TaskDef {
        id: "arm",
        doc: "An arm of a branch: gives what the value holds if this arm is taken, and is skipped if another one is.",
        inputs: &[
            InputDef { name: "on", ty: TypeInfo::of::<V>() },
            InputDef { name: "arm", ty: TypeInfo::of::<&'static str>() },
        ],
        output: TypeInfo::of_value::<P>(),
        body: Body::Sync(run_arm::<V, P>),
        ..TaskDef::OWN
    };
}

impl<T: Value> Of<T> {
    const JOIN: &'static TaskDef = &TaskDef {
        id: "join",
        doc: "The value of a branch: that of the arm that was taken.",
        inputs: &[InputDef { name: "arms", ty: TypeInfo::of::<T>() }],
        output: TypeInfo::of_value::<T>(),
        body: Body::Sync(pass_on),
        ..TaskDef::OWN
    };
    const PASS: &'static TaskDef = &TaskDef {
        id: "pass",
        doc: "Passes a value on that an arm of a branch gives and does not make.",
        inputs: &[InputDef { name: "value", ty: TypeInfo::of::<T>() }],
        output: TypeInfo::of_value::<T>(),
        body: Body::Sync(pass_on),
        ..TaskDef::OWN
    };
}

pub(super) fn arm<V: Value, P: Value>() -> &'static TaskDef {
    ArmOf::<V, P>::DEF
}

pub(super) fn join<T: Value>() -> &'static TaskDef {
    Of::<T>::JOIN
}

pub(super) fn pass<T: Value>() -> &'static TaskDef {
    Of::<T>::PASS
}

fn run_arm<V: Value, P: Value>(inputs: &mut Inputs, _: Option<&TaskContext>) -> Produced {
    let (value, case) = (inputs.shared::<V>(0), inputs.shared::<Case<V, P>>(1));
    let chosen = (case.choose)(&value);
    let taken = if chosen == case.place { (case.take)(&value) } else { None };
    match taken {
        Some(payload) => Ok(Arc::new(payload)),
        None => Err(Box::new(Interrupt::skip(case.not_taken.reason(chosen, case.labels)))),
    }
}

impl NotTaken {
    fn reason(self, chosen: u32, labels: &[&str]) -> String {
        match self {
            NotTaken::Condition => format!("the condition is {}", chosen == 0),
            NotTaken::Branch => {
                let label = labels.get(chosen as usize).unwrap_or(&"?");
                format!("the branch `{label}` was taken")
            }
        }
    }
}
