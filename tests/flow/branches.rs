//! Branches: parts of a graph that run or are skipped depending on the value of a task.
#![allow(
    clippy::needless_pass_by_value,
    clippy::ptr_arg,
    reason = "how tasks take their inputs is what is tested here"
)]

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use taskflow::engine::{RunState, TaskState};
use taskflow::prelude::*;
use taskflow::render::{Format, render};
use taskflow_tests::common::{both, cases, failure_of, on_both_drivers, panic_of, reference, state_of, states};

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Route {
    Small(u32),
    Large { rows: Vec<u32>, parts: u32 },
    Pair(u32, String),
    Nothing,
}

#[task]
fn route(name: &str) -> Result<Route> {
    Ok(match name {
        "small" => Route::Small(7),
        "large" => Route::Large { rows: vec![1, 2, 3], parts: 2 },
        "pair" => Route::Pair(3, "three".to_owned()),
        "nothing" => Route::Nothing,
        name => Err(format!("no route to {name}"))?,
    })
}

#[task]
fn say(n: u32) -> String {
    format!("{n}")
}

#[task]
fn split(rows: &[u32], parts: u32) -> String {
    format!("{rows:?} in {parts}")
}

#[task]
fn both_of(n: u32, name: &str) -> String {
    format!("{n} is {name}")
}

#[task]
fn empty() -> String {
    "empty".to_owned()
}

#[dag]
fn routed(name: String) -> String {
    branch!(route(name) => {
        Route::Small(n) => say(n),
        Route::Large { rows, parts } => split(rows, parts),
        Route::Pair(n, name) => both_of(n, name),
        Route::Nothing => empty(),
    })
}

#[test]
fn the_matching_arm_runs_with_its_payload_and_the_others_are_skipped() {
    for (name, result, ran) in [
        ("small", "7", ["route.Small", "say"]),
        ("large", "[1, 2, 3] in 2", ["route.Large", "split"]),
        ("pair", "3 is three", ["route.Pair", "both_of"]),
        ("nothing", "empty", ["route.Nothing", "empty"]),
    ] {
        both(
            || routed::run(name.to_owned()),
            |report| {
                assert_eq!(report.success().unwrap(), result);
                for task in report.tasks() {
                    let runs = ["route", "route.joined"].contains(&&*task.id()) || ran.contains(&&*task.id());
                    let expected = if runs { TaskState::Success } else { TaskState::Skipped };
                    assert_eq!(task.state(), expected, "{} of {name}", task.id());
                }
            },
        );
    }
}

/// Runs the graph on both drivers and compares its result.
#[track_caller]
fn assert_result(build: impl Fn() -> Output<String>, expected: &str) {
    let dag = Dag::build("branch", build).expect("the graph is sound");
    on_both_drivers(&dag, |report| {
        assert_eq!(report.result().map(String::as_str), Some(expected), "{}", states(report));
    });
}

#[test]
fn a_skipped_task_names_the_arm_that_was_taken() {
    let report = reference(routed::run("large".to_owned()));
    assert_eq!(failure_of(&report, "route.Small"), "skipped: the branch `Large` was taken");
    assert_eq!(failure_of(&report, "say"), "skipped: upstream task `route.Small` was skipped");
    let dag = Dag::build("condition", || {
        only_if(yes(), || say(1));
        when(no(), || say(1).id("hold")).otherwise(|| say(2))
    });
    on_both_drivers(&dag.unwrap(), |report| {
        assert_eq!(failure_of(report, "no.yes"), "skipped: the condition is false");
        assert_eq!(state_of(report, "no.no"), TaskState::Success);
        assert_eq!(state_of(report, "yes.yes"), TaskState::Success);
        assert_eq!(report.result().unwrap(), "2");
    });
}

#[task]
fn yes() -> bool {
    true
}

#[task]
fn no() -> bool {
    false
}

#[task]
fn fails() -> Result<String> {
    Err("the disk is full")?
}

#[task]
fn skips(ctx: &TaskContext) -> Result<String> {
    Err(ctx.skip("nothing landed"))?
}

// Patterns.

#[test]
fn wildcards_alternatives_and_catch_alls_are_patterns() {
    #[task]
    fn show(route: &Route) -> String {
        format!("{route:?}")
    }
    for (name, wildcard, alternative, catch_all) in [
        ("small", "7", "7", "7"),
        ("pair", "empty", "3", "Pair(3, \"three\")"),
        ("nothing", "empty", "empty", "Nothing"),
    ] {
        assert_result(|| branch!(route(name) => { Route::Small(n) => say(n), _ => empty() }), wildcard);
        let alternatives = || {
            branch!(route(name) => {
                Route::Small(n) | Route::Pair(n, _) => say(n),
                Route::Large { .. } | Route::Nothing => empty(),
            })
        };
        assert_result(alternatives, alternative);
        assert_result(|| branch!(route(name) => { Route::Small(n) => say(n), other => show(other) }), catch_all);
    }
}

#[test]
fn the_first_matching_arm_is_taken() {
    #[task]
    fn number(n: u32) -> u32 {
        n
    }
    let build = |n: u32| {
        move || {
            branch!(number(n) => {
                0 => empty(),
                small @ 1..=9 => say(small),
                _ => { let many = say(0); many.id("many") }
            })
        }
    };
    assert_result(build(0), "empty");
    assert_result(build(5), "5");
    assert_result(build(50), "0");
    let dag = Dag::build("labels", build(0)).unwrap();
    for id in ["number.0", "number.small", "number.otherwise"] {
        assert!(dag.plan().find(id).is_some(), "{id}");
    }
}

#[test]
fn imported_variants_and_options_can_be_branched_on() {
    use Route::{Large, Nothing, Pair, Small};
    #[task]
    fn first(name: &str) -> Option<u32> {
        name.bytes().next().map(u32::from)
    }
    let build = || {
        branch!(route("nothing") => {
            Nothing => empty(),
            Small(n) | Pair(n, _) => say(n),
            Large { parts, .. } => say(parts),
        })
    };
    assert_result(build, "empty");
    assert_result(|| branch!(first("a") => { Some(n) => say(n), None => empty() }), "97");
    assert_result(|| branch!(first("") => { Some(n) => say(n), None => empty() }), "empty");
}

#[test]
fn an_arm_can_be_empty() {
    #[task]
    fn note(n: u32) {
        assert_eq!(n, 7);
    }
    let dag = |name: &'static str| {
        Dag::build("empty", move || {
            branch!(route(name) => {
                Route::Small(n) => note(n),
                Route::Large { rows: _, parts: _ } => {}
                Route::Pair(..) | Route::Nothing => {}
            })
        })
    };
    on_both_drivers(&dag("nothing").unwrap(), |report| {
        let expected = "route=success route.Small=skipped note=skipped route.Large=skipped \
                        route.Pair_or_Nothing=success route.joined=success";
        assert_eq!(states(report), expected);
        assert_eq!(report.result(), Some(&()));
    });
    on_both_drivers(&dag("small").unwrap(), |report| assert_eq!(state_of(report, "note"), TaskState::Success));
}

// What may be branched on.

#[dag]
fn on_a_parameter(route: Route) -> String {
    branch!(route => { Route::Small(n) => say(n), _ => empty() })
}

#[test]
fn parameters_and_projected_values_can_be_branched_on() {
    let report = reference(on_a_parameter::run(Route::Small(4)));
    assert_eq!(report.result().unwrap(), "4");
    assert_eq!(report.tasks().next().unwrap().id(), "route.Small");
    #[task]
    fn rows() -> Vec<u32> {
        vec![1, 2, 3]
    }
    let build = || {
        let rows = rows();
        when(rows.map(|rows| rows.len() > 2), || split(rows, 3)).otherwise(|| empty())
    };
    assert_result(build, "[1, 2, 3] in 3");
    assert!(Dag::build("ids", build).unwrap().plan().find("rows.yes").is_some());
}

// What belongs to an arm.

#[test]
fn a_task_that_takes_nothing_from_its_arm_runs_only_if_it_is_taken() {
    #[task]
    fn cleanup(outcome: Result<String, Failure>, maybe: Option<String>) -> String {
        format!("{} {maybe:?}", outcome.is_ok())
    }
    let build = |name: &'static str| {
        move || {
            let outer = say(1).id("outer");
            let failed = fails();
            branch!(route(name) => {
                Route::Nothing => {
                    let first = empty().id("first");
                    // Its own rule would let it run whatever happens.
                    say(2).id("always").trigger_rule(TriggerRule::AllDone).after(first);
                    cleanup(failed, outer)
                }
                _ => empty(),
            })
        }
    };
    assert_result(build("nothing"), "false Some(\"1\")");
    let dag = Dag::build("gates", build("small")).unwrap();
    on_both_drivers(&dag, |report| {
        for id in ["first", "always", "cleanup"] {
            assert_eq!(state_of(report, id), TaskState::Skipped, "{id}");
            assert_eq!(failure_of(report, id), "skipped: upstream task `route.Nothing` was skipped", "{id}");
        }
        assert_eq!(report.result().unwrap(), "empty");
    });
    let plan = dag.plan();
    let of = |id: &str| plan.find(id).unwrap();
    assert_eq!(plan.gate(of("cleanup")), Some(of("route.Nothing")));
    assert!(plan.upstreams(of("first")).eq([of("route.Nothing")]));
    assert_eq!(plan.gate(of("outer")), None);
}

#[test]
fn a_task_that_takes_something_from_its_arm_needs_no_gate() {
    let dag = Dag::build("gates", || {
        branch!(route("small") => {
            Route::Small(n) => { let output = say(n); empty().after(output) },
            _ => empty().id("other"),
        })
    });
    let dag = dag.unwrap();
    let plan = dag.plan();
    let gated: Vec<&str> =
        plan.node_indices().filter(|&node| plan.gate(node).is_some()).map(|node| plan.node(node).id()).collect();
    assert_eq!(gated, ["other"]);
}

#[test]
fn an_outer_value_is_the_result_of_an_arm_only_if_it_is_taken() {
    let build = |name: &'static str| {
        move || {
            let before = say(1).id("before");
            branch!(route(name) => { Route::Small(n) => say(n), Route::Nothing => before, _ => before })
        }
    };
    assert_result(build("small"), "7");
    assert_result(build("nothing"), "1");
    let dag = Dag::build("passes", build("small")).unwrap();
    on_both_drivers(&dag, |report| {
        assert_eq!(state_of(report, "route.Nothing.value"), TaskState::Skipped);
        assert_eq!(state_of(report, "before"), TaskState::Success);
    });
}

#[test]
fn a_payload_can_be_projected_and_be_the_result_of_its_arm() {
    let build = || {
        branch!(route("pair") => {
            Route::Pair(_, name) => name,
            Route::Large { rows, parts: _ } => rows.map(|rows| rows.len().to_string()),
            _ => empty(),
        })
    };
    assert_result(build, "three");
    let dag = Dag::build("payload", build).unwrap();
    assert_eq!(dag.plan().find("route.Pair.value"), None);
}

#[test]
fn branches_can_be_nested() {
    let build = |outer: &'static str, inner: &'static str| {
        move || {
            branch!(route(outer) => {
                Route::Small(n) => branch!(route(inner).id("inner") => {
                    Route::Small(m) => when(yes(), || both_of(n, say(m))).otherwise(|| say(n)),
                    Route::Nothing => empty().id("inside"),
                    _ => say(n).id("else"),
                }),
                _ => empty(),
            })
        }
    };
    assert_result(build("small", "small"), "7 is 7");
    assert_result(build("small", "nothing"), "empty");
    assert_result(build("nothing", "small"), "empty");
    on_both_drivers(&Dag::build("nested", build("nothing", "small")).unwrap(), |report| {
        for id in ["inner", "inner.Small", "yes", "yes.joined", "inside", "inner.joined"] {
            assert_eq!(state_of(report, id), TaskState::Skipped, "{id}");
            assert_eq!(failure_of(report, id), "skipped: upstream task `route.Small` was skipped", "{id}");
        }
    });
}

#[test]
fn the_result_of_a_branch_feeds_other_tasks() {
    let build = || {
        let whole = branch!(route("large") => { Route::Large { rows, .. } => split(rows, 9), _ => empty() });
        let again = when(no(), || say(1)).otherwise(|| whole);
        again.id("last").retries(1)
    };
    assert_result(build, "[1, 2, 3] in 9");
}

// How branches end.

#[test]
fn a_failure_in_the_taken_arm_fails_downstream_tasks() {
    let build = || branch!(route("small") => { Route::Small(_) => fails(), _ => empty() });
    on_both_drivers(&Dag::build("fails", build).unwrap(), |report| {
        assert_eq!(report.state(), RunState::Failed);
        assert_eq!(state_of(report, "route.joined"), TaskState::UpstreamFailed);
        assert_eq!(failure_of(report, "route.joined"), "upstream task `fails` failed");
        assert_eq!(state_of(report, "empty"), TaskState::Skipped);
    });
}

#[test]
fn a_skip_in_the_taken_arm_skips_downstream_tasks() {
    let build = || branch!(route("small") => { Route::Small(_) => skips(), _ => empty() });
    on_both_drivers(&Dag::build("skips", build).unwrap(), |report| {
        assert_eq!(report.state(), RunState::Success);
        assert_eq!(state_of(report, "route.joined"), TaskState::Skipped);
        assert_eq!(failure_of(report, "route.joined"), "skipped: upstream task `skips` was skipped");
    });
}

#[test]
fn a_decision_that_fails_fails_every_arm() {
    on_both_drivers(
        &Dag::build("fails", || branch!(route("mars") => { Route::Small(n) => say(n), _ => empty() })).unwrap(),
        |report| {
            for id in ["route.Small", "say", "route.otherwise", "empty", "route.joined"] {
                assert_eq!(state_of(report, id), TaskState::UpstreamFailed, "{id}");
                assert_eq!(failure_of(report, id), "upstream task `route` failed", "{id}");
            }
        },
    );
}

#[test]
fn an_option_is_none_if_the_condition_is_false() {
    #[task]
    fn report(fresh: Option<String>, kept: Option<String>) -> String {
        format!("{fresh:?} {kept:?}")
    }
    #[task]
    fn needs(fresh: String) -> String {
        fresh
    }
    let build = || {
        let fresh = only_if(no(), || empty());
        let (kept, _) = only_if(yes(), || (say(1), say(2)));
        needs(fresh);
        report(fresh, kept)
    };
    assert_result(build, "None Some(\"1\")");
    on_both_drivers(&Dag::build("needs", build).unwrap(), |report| {
        assert_eq!(state_of(report, "needs"), TaskState::Skipped);
        assert_eq!(report.state(), RunState::Success);
    });
}

// Names, options, mistakes.

#[test]
fn arms_are_named_after_the_task_they_branch_on() {
    let build = || {
        let first = route("small");
        branch!(first => { Route::Small(n) => say(n), _ => empty() });
        branch!(first => { Route::Small(n) => say(n), _ => empty() });
        group("box", || {
            branch!(route("small").id("decide") => { Route::Small(n) => say(n), _ => empty() });
            only_if(yes(), || empty())
        })
    };
    let dag = Dag::build("names", build).unwrap();
    let ids: Vec<&str> = dag.plan().nodes().map(taskflow::graph::Node::id).collect();
    let expected = [
        "route",
        "route.Small",
        "say",
        "route.otherwise",
        "empty",
        "route.joined",
        "route.Small_2",
        "say_2",
        "route.otherwise_2",
        "empty_2",
        "route.joined_2",
        "box.decide",
        "box.decide.Small",
        "box.say",
        "box.decide.otherwise",
        "box.empty",
        "box.decide.joined",
        "box.yes",
        "box.yes.yes",
        "box.empty_2",
    ];
    assert_eq!(ids, expected);
}

#[dag(default(retries = 3, priority = 2))]
fn with_defaults() -> String {
    let value = branch!(route("small") => { Route::Small(n) => say(n), _ => empty() });
    value.priority(5)
}

#[test]
fn the_defaults_of_the_dag_do_not_apply_to_the_nodes_of_a_branch() {
    let plan = with_defaults::def().plan().unwrap();
    let options = |id: &str| plan.node_options(plan.find(id).unwrap());
    assert_eq!((options("say").retry.retries, options("say").priority), (3, 2));
    assert_eq!((options("route.Small").retry.retries, options("route.Small").priority), (0, 0));
    assert_eq!((options("route.joined").retry.retries, options("route.joined").priority), (0, 5));
}

#[test]
fn an_order_edge_against_a_gate_is_a_cycle() {
    let build = || {
        let decision = route("small");
        branch!(decision => { Route::Small(_) => { let inside = empty(); decision.after(inside); inside }, _ => say(1) })
    };
    let error = Dag::build("cycle", build).unwrap_err().to_string();
    assert!(error.contains("the graph has a cycle through `route`, `route.Small`, `empty`"), "{error}");
}

#[test]
fn branching_on_an_output_of_another_graph_is_a_mistake() {
    let mut smuggled = None;
    Dag::build("one", || {
        let decision = route("small");
        smuggled = Some(decision);
        decision
    })
    .unwrap();
    let error = Dag::build("two", || branch!(smuggled.unwrap() => { Route::Small(n) => say(n), _ => empty() }));
    assert!(error.unwrap_err().to_string().contains("an output of another graph is used"));
}

#[test]
fn a_branch_outside_a_dag_is_an_error() {
    let mut outside = None;
    Dag::build("one", || {
        let condition = yes();
        outside = Some(condition);
        condition
    })
    .unwrap();
    let (message, place) = panic_of(|| only_if(outside.unwrap(), || ()));
    assert_eq!(
        message,
        "`branch!`, `when`, `only_if` and `each` add parts to a graph: call them inside a `#[dag]` function"
    );
    assert!(place.starts_with("tests/flow/branches.rs:"), "{place}");
}

#[test]
fn the_hash_includes_arms_and_gates() {
    let hash = |build: &dyn Fn() -> Output<String>| Dag::build("hash", build).unwrap().plan().hash().to_owned();
    let versions = [
        hash(&|| branch!(route("a") => { Route::Small(n) => say(n), _ => empty() })),
        hash(&|| branch!(route("a") => { Route::Small(_) => say(1), _ => empty() })),
        hash(&|| branch!(route("a") => { Route::Pair(n, _) => say(n), _ => empty() })),
        hash(&|| when(yes(), || empty()).otherwise(|| say(1))),
        hash(&|| {
            let outside = empty();
            when(yes(), || outside).otherwise(|| say(1))
        }),
    ];
    for (place, version) in versions.iter().enumerate() {
        assert!(!versions[..place].contains(version), "version {place}");
    }
}

#[test]
fn pictures_show_arms_and_gates() {
    let dag = Dag::build("picture", || branch!(route("a") => { Route::Small(n) => say(n), _ => empty() })).unwrap();
    let tree = render(dag.plan(), Format::Tree);
    let expected = "\
route(name: \"a\")
├─ route.Small  arm
│  └─ say
│     └─ route.joined [first]  join, result String
└─ route.otherwise  arm
   └─ empty [after]
      └─ ^ route.joined [first]
";
    assert!(tree.ends_with(expected), "{tree}");
    let json: serde_json::Value = serde_json::from_str(&render(dag.plan(), Format::Json)).unwrap();
    let arm = &json["nodes"][3];
    assert_eq!((arm["id"].as_str(), arm["built_in"].as_bool()), (Some("route.otherwise"), Some(true)));
    assert!(arm["location"].as_str().unwrap().starts_with("tests/flow/branches.rs:"));
    let gate = json["edges"].as_array().unwrap().iter().find(|edge| edge["to"] == "empty").unwrap();
    assert_eq!((&gate["from"]["task"], &gate["kind"]), (&"route.otherwise".into(), &"order".into()));
    for format in Format::ALL {
        assert!(render(dag.plan(), format).contains("route.otherwise"), "{format}");
    }
}

// Any nesting.

/// A part of a graph that is known to the test as plain data.
#[derive(Clone, Debug)]
enum Tree {
    Leaf(u32),
    When(bool, Box<Tree>, Box<Tree>),
    Branch(usize, Vec<Tree>),
}

impl Tree {
    fn draw(&self) -> Output<u32> {
        #[task]
        fn leaf(n: u32) -> u32 {
            n
        }
        #[task]
        fn check(holds: bool) -> bool {
            holds
        }
        #[task]
        fn pick(place: usize) -> Route {
            [Route::Nothing, Route::Small(1), Route::Pair(2, String::new())][place].clone()
        }
        match self {
            Tree::Leaf(n) => leaf(*n),
            Tree::When(holds, yes, no) => when(check(*holds), || yes.draw()).otherwise(|| no.draw()),
            Tree::Branch(place, arms) => branch!(pick(*place) => {
                Route::Nothing => arms[0].draw(),
                Route::Small(_) => arms[1].draw(),
                _ => arms[2].draw(),
            }),
        }
    }

    /// The leaf that runs.
    fn result(&self) -> u32 {
        match self {
            Tree::Leaf(n) => *n,
            Tree::When(holds, yes, no) => if *holds { yes } else { no }.result(),
            Tree::Branch(place, arms) => arms[*place].result(),
        }
    }
}

fn tree() -> impl Strategy<Value = Tree> {
    any::<u32>().prop_map(Tree::Leaf).prop_recursive(4, 24, 3, |inner| {
        let when = (any::<bool>(), inner.clone(), inner.clone())
            .prop_map(|(holds, yes, no)| Tree::When(holds, Box::new(yes), Box::new(no)));
        let branch = (0..3_usize, prop::collection::vec(inner, 3)).prop_map(|(place, arms)| Tree::Branch(place, arms));
        prop_oneof![when, branch]
    })
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn exactly_one_leaf_of_nested_branches_runs_and_is_the_result(tree in tree()) {
        let dag = Dag::build("tree", || tree.draw()).expect("the graph is sound");
        on_both_drivers(&dag, |report| {
            assert_eq!(report.result(), Some(&tree.result()), "{}", states(report));
            let leaves = report.tasks().filter(|task| report.plan().def(task.node()).id == "leaf");
            assert_eq!(leaves.filter(|task| task.state() == TaskState::Success).count(), 1, "{}", states(report));
        });
    }
}
