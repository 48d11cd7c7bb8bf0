//! Pictures of graphs: boxes around what belongs together, and their size.
#![allow(
    clippy::needless_pass_by_value,
    clippy::unwrap_used,
    reason = "how a task takes its inputs is part of the graph, and a picture that cannot be read fails the test"
)]

use taskflow::graph::Plan;
use taskflow::prelude::*;
use taskflow::render::{Format, render};

#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
enum Size {
    Small(u32),
    Large,
}

#[task]
fn list_files() -> Vec<String> {
    Vec::new()
}

#[task]
fn parse(file: String) -> u32 {
    u32::try_from(file.len()).unwrap_or(0)
}

#[task]
fn validate_against_the_schema_of_the_previous_month(rows: u32) -> u32 {
    rows
}

#[task]
fn total(rows: Vec<u32>) -> u32 {
    rows.iter().sum()
}

#[task]
fn measure(rows: u32) -> Size {
    if rows < 10 { Size::Small(rows) } else { Size::Large }
}

#[task]
fn quick(rows: u32) -> u32 {
    rows
}

#[task]
fn thorough() -> u32 {
    0
}

#[task]
fn create_cluster(workers: u32) -> u32 {
    workers
}

#[task]
fn train(cluster: u32, fold: u32) -> u32 {
    cluster + fold
}

#[task]
fn delete_cluster(cluster: u32) {
    let _ = cluster;
}

#[task]
fn step(before: u32) -> u32 {
    before
}

#[task]
fn source(number: u32) -> u32 {
    number
}

/// 19 nodes: a list, a branch inside its elements, a scope inside a group.
fn nineteen() -> Dag<u32> {
    Dag::build("nineteen", || {
        let rows = list_files().each(|file| {
            let rows = validate_against_the_schema_of_the_previous_month(parse(file));
            branch!(measure(rows) => { Size::Small(n) => quick(n), _ => thorough() })
        });
        let all = total(rows);
        let trained = group("models", || {
            scope(
                create_cluster(all),
                |cluster| total(vec![train(cluster, 1), train(cluster, 2), train(cluster, 3)]),
                |cluster| {
                    delete_cluster(cluster);
                },
            )
        });
        group("publish", || (0..4).fold(trained, |before, _| step(before)))
    })
    .unwrap()
}

/// `count` nodes in a grid of some width, in nested groups, each with two upstreams.
fn grid(count: u32, across: u32, grouped: bool) -> Dag<u32> {
    Dag::build("grid", || {
        let mut layer: Vec<Output<u32>> = (0..across).map(source).collect();
        let mut drawn = across;
        let mut number = 0;
        while drawn < count {
            number += 1;
            let next = || -> Vec<Output<u32>> {
                let left = across.min(count - drawn) as usize;
                let pair = |at: usize| {
                    let other = (at * 7 + 3) % layer.len();
                    total(vec![layer[at], layer[other]])
                };
                (0..left)
                    .map(|at| if at % 3 == 0 && grouped { group("inner", || pair(at)) } else { pair(at) })
                    .collect()
            };
            layer = if grouped { group(&format!("layer_{number}"), next) } else { next() };
            drawn += u32::try_from(layer.len()).unwrap();
        }
        total(layer)
    })
    .unwrap()
}

fn chain(count: u32) -> Dag<u32> {
    Dag::build("chain", || (1..count).fold(source(1), |before, _| step(before))).unwrap()
}

#[derive(Clone, Copy, Debug)]
struct Rect {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

impl Rect {
    fn holds(&self, inner: &Rect) -> bool {
        inner.x >= self.x
            && inner.y >= self.y
            && inner.x + inner.width <= self.x + self.width
            && inner.y + inner.height <= self.y + self.height
    }

    fn is_beside(&self, other: &Rect) -> bool {
        self.x + self.width <= other.x
            || other.x + other.width <= self.x
            || self.y + self.height <= other.y
            || other.y + other.height <= self.y
    }
}

/// What a drawing has: its width, cards by id, boxes by kind and id.
struct Drawn {
    width: f64,
    cards: Vec<(String, Rect)>,
    boxes: Vec<(String, Rect)>,
}

fn attribute<'a>(text: &'a str, name: &str) -> &'a str {
    let start = text.find(&format!(" {name}=\"")).unwrap_or_else(|| panic!("no {name} in {text}")) + name.len() + 3;
    text[start..].split('"').next().unwrap()
}

fn number(text: &str, name: &str) -> f64 {
    attribute(text, name).parse().unwrap()
}

fn drawn(plan: &Plan) -> Drawn {
    let svg = render(plan, Format::Svg);
    let rect_of = |line: &str, (x, y): (f64, f64)| {
        let rect = &line[line.find("<rect").unwrap()..];
        Rect { x, y, width: number(rect, "width"), height: number(rect, "height") }
    };
    let mut all = Drawn { width: number(&svg, "width"), cards: Vec::new(), boxes: Vec::new() };
    for at in svg.match_indices("<g class=\"").map(|(at, _)| at) {
        let line = &svg[at..];
        if line.starts_with("<g class=\"task\"") {
            let (x, y) = attribute(line, "transform")
                .trim_start_matches("translate(")
                .trim_end_matches(')')
                .split_once(' ')
                .map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap()))
                .unwrap();
            all.cards.push((attribute(line, "data-task").to_owned(), rect_of(line, (x, y))));
        } else if line.starts_with("<g class=\"cluster ") {
            let kind = attribute(line, "class").split(' ').nth(1).unwrap();
            let rect = &line[line.find("<rect").unwrap()..];
            let of = attribute(line, &format!("data-{kind}"));
            all.boxes.push((format!("{kind} {of}"), rect_of(line, (number(rect, "x"), number(rect, "y")))));
        }
    }
    all
}

/// The ids of the tasks in a box. Asserts that nothing in the drawing overlaps.
fn inside<'a>(drawn: &'a Drawn, name: &str) -> Vec<&'a str> {
    let (_, around) = drawn.boxes.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no box {name}"));
    let cards = drawn.cards.iter().filter(|(id, card)| {
        assert!(around.holds(card) || around.is_beside(card), "{id} and {name} overlap");
        around.holds(card)
    });
    cards.map(|(id, _)| &**id).collect()
}

fn nothing_overlaps(drawn: &Drawn) {
    for (place, (id, card)) in drawn.cards.iter().enumerate() {
        for (other, rect) in &drawn.cards[place + 1..] {
            assert!(card.is_beside(rect), "{id} and {other} overlap");
        }
        for (name, rect) in &drawn.boxes {
            assert!(rect.holds(card) || rect.is_beside(card), "{id} and {name} overlap");
        }
    }
    for (place, (name, rect)) in drawn.boxes.iter().enumerate() {
        for (other, inner) in &drawn.boxes[place + 1..] {
            assert!(rect.holds(inner) || inner.holds(rect) || rect.is_beside(inner), "{name} and {other} overlap");
        }
    }
}

/// E12: nothing grouped the elements of an `each`, a scope or an arm.
#[test]
fn groups_elements_scopes_and_arms_have_boxes_in_every_picture() {
    let dag = nineteen();
    let drawn = drawn(dag.plan());
    nothing_overlaps(&drawn);
    let elements = [
        "parse",
        "validate_against_the_schema_of_the_previous_month",
        "measure",
        "measure.Small",
        "quick",
        "measure.otherwise",
        "thorough",
        "measure.joined",
    ];
    assert_eq!(inside(&drawn, "each list_files.each"), elements);
    assert_eq!(inside(&drawn, "arm measure.Small"), ["measure.Small", "quick"]);
    assert_eq!(inside(&drawn, "arm measure.otherwise"), ["measure.otherwise", "thorough"]);
    let scope = ["create_cluster", "train", "train_2", "train_3", "total", "delete_cluster"];
    let scope = scope.map(|id| format!("models.{id}"));
    assert_eq!(inside(&drawn, "scope models.create_cluster"), scope);
    assert_eq!(inside(&drawn, "group models"), scope);
    assert_eq!(drawn.boxes.len(), 6);

    let svg = render(dag.plan(), Format::Svg);
    let names = ["each of list_files", "arm measure.Small", "models", "scope of create_cluster", "publish"];
    for name in names {
        assert!(svg.contains(&format!(">{name}</text>")), "{name}");
    }
    let mermaid = render(dag.plan(), Format::Mermaid);
    assert!(
        mermaid.contains(
            "\
  subgraph g0[\"each of list_files\"]
    n2[\"parse\"]
    n3[\"validate_against_the_schema_of_the_previous_month\"]
    n4[\"measure\"]
    n9[\"measure.joined<br/>join\"]
    subgraph g1[\"arm measure.Small\"]
      n5[\"measure.Small<br/>arm\"]
      n6[\"quick\"]
    end
"
        ),
        "{mermaid}"
    );
    let dot = render(dag.plan(), Format::Dot);
    let scope = dot.find("  subgraph \"cluster_3_models\" {\n    label=\"models\"").expect("the group");
    assert!(
        dot[scope..].contains("\n    subgraph \"cluster_4_models.create_cluster\" {\n      label=\"scope of"),
        "{dot}"
    );
    let json: serde_json::Value = serde_json::from_str(&render(dag.plan(), Format::Json)).unwrap();
    assert_eq!(json["clusters"][1]["kind"], "arm");
    assert_eq!(json["clusters"][1]["parent"], 0);
    assert_eq!(json["nodes"][6]["cluster"], 1);
}

/// An `each` that is continued elsewhere has a second box there, and one box where it is continued
/// beside its first part.
#[test]
fn a_continued_each_has_a_box_in_each_place() {
    let beside = Dag::build("beside", || total(list_files().each(parse).each(quick).each(step))).unwrap();
    assert_eq!(inside(&drawn(beside.plan()), "each list_files.each"), ["parse", "quick", "step"]);
    let elsewhere = Dag::build("elsewhere", || {
        let rows = list_files().each(parse);
        total(group("load", || rows.each(quick)))
    });
    let elsewhere = drawn(elsewhere.unwrap().plan());
    nothing_overlaps(&elsewhere);
    let names: Vec<&str> = elsewhere.boxes.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["each list_files.each", "group load", "each list_files.each"]);
    assert_eq!(inside(&elsewhere, "each list_files.each"), ["parse"]);
}

/// E12: 19 nodes were 3,098 pixels wide.
#[test]
fn drawings_of_common_graphs_fit_a_page() {
    let graphs = [
        nineteen(),
        chain(3),
        chain(19),
        chain(100),
        grid(100, 5, false),
        grid(100, 5, true),
        grid(60, 40, true),
        grid(1000, 8, true),
        grid(1000, 600, false),
    ];
    for dag in graphs {
        let drawn = drawn(dag.plan());
        assert!(drawn.width <= 1200.0, "{} nodes of {} are {} wide", dag.plan().len(), dag.plan().id(), drawn.width);
        if dag.plan().len() <= 200 {
            nothing_overlaps(&drawn);
        }
    }
}
