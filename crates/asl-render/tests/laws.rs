//! What holds for every picture, checked on random definitions, and how long large ones take.

mod common;

use asl_render::{
    EdgeKind, Graph, NodeKind, Place, Point, Rect, TextOptions, dot, layout, mermaid, statuses, svg, text,
};
use asl_value::Value;
use common::{Answer, definition, run};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write;

/// A flow in the making: its states with where they lead, as indices into the flow.
#[derive(Clone, Debug)]
enum Draft {
    Simple { task: bool, catches: Vec<usize> },
    Choice { rules: Vec<usize>, default: usize },
    Group { map: bool, flows: Vec<Vec<Draft>>, catches: Vec<usize> },
}

fn flow(depth: u32) -> BoxedStrategy<Vec<Draft>> {
    let simple = (any::<bool>(), prop::collection::vec(0_usize..12, 0..3))
        .prop_map(|(task, catches)| Draft::Simple { task, catches });
    let choice = (prop::collection::vec(0_usize..12, 1..5), 0_usize..12)
        .prop_map(|(rules, default)| Draft::Choice { rules, default });
    let plain = prop_oneof![3 => simple, 1 => choice].boxed();
    if depth == 0 {
        return prop::collection::vec(plain, 1..8).boxed();
    }
    let group = (any::<bool>(), prop::collection::vec(flow(depth - 1), 1..4), prop::collection::vec(0_usize..12, 0..3))
        .prop_map(|(map, flows, catches)| Draft::Group { map, flows, catches });
    prop::collection::vec(prop_oneof![4 => plain, 1 => group], 1..10).boxed()
}

/// Writes a flow. State `i` always leads to `i + 1`, so that all are reached; other ways go anywhere, back as well.
fn write_flow(drafts: &[Draft], prefix: &str, out: &mut String) {
    let name = |i: usize| {
        format!(
            "{prefix}{}",
            ["S", "Check", "AVeryLongNameOfAStateThat Goes-On", "状態"][i % 4].to_owned() + &i.to_string()
        )
    };
    let to = |i: usize| name(i % drafts.len());
    let catches = |list: &[usize]| {
        let mut seen = 0;
        let entries: Vec<String> = list
            .iter()
            .map(|c| {
                seen += 1;
                format!(r#"{{"ErrorEquals": ["Error{seen}", "Other<{seen}>"], "Next": "{}"}}"#, to(*c))
            })
            .collect();
        format!(r#""Catch": [{}]"#, entries.join(","))
    };
    write!(out, r#"{{"StartAt": "{}", "States": {{"#, name(0)).unwrap();
    for (i, draft) in drafts.iter().enumerate() {
        let last = i + 1 == drafts.len();
        let ahead = if last { r#""End": true"#.to_owned() } else { format!(r#""Next": "{}""#, name(i + 1)) };
        write!(out, r#"{}"{}": {{"#, if i > 0 { "," } else { "" }, name(i)).unwrap();
        match draft {
            Draft::Simple { task: true, catches: c, .. } => {
                write!(out, r#""Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {{"FunctionName": "f"}}, {}, {ahead}"#, catches(c)).unwrap();
            }
            Draft::Simple { .. } => write!(out, r#""Type": "Pass", {ahead}"#).unwrap(),
            Draft::Choice { .. } if last => write!(out, r#""Type": "Succeed""#).unwrap(),
            Draft::Choice { rules, default } => {
                let rules: Vec<String> = rules
                    .iter()
                    .map(|r| {
                        format!(r#"{{"Variable": "$.value{r}", "NumericGreaterThan": {r}, "Next": "{}"}}"#, to(*r))
                    })
                    .chain([format!(r#"{{"Variable": "$.x", "IsPresent": true, "Next": "{}"}}"#, name(i + 1))])
                    .collect();
                write!(out, r#""Type": "Choice", "Choices": [{}], "Default": "{}""#, rules.join(","), to(*default))
                    .unwrap();
            }
            Draft::Group { map: true, flows, catches: c, .. } => {
                write!(out, r#""Type": "Map", {}, {ahead}, "ItemProcessor": "#, catches(c)).unwrap();
                write_flow(&flows[0], &format!("{prefix}{i}."), out);
            }
            Draft::Group { flows, catches: c, .. } => {
                write!(out, r#""Type": "Parallel", {}, {ahead}, "Branches": ["#, catches(c)).unwrap();
                for (branch, flow) in flows.iter().enumerate() {
                    out.push_str(if branch > 0 { "," } else { "" });
                    write_flow(flow, &format!("{prefix}{i}.{branch}."), out);
                }
                out.push(']');
            }
        }
        out.push('}');
    }
    out.push_str("}}");
}

fn inside(outer: &Rect, inner: &Rect) -> bool {
    outer.surrounds(inner)
}

/// The laws of a picture; the error says which is broken.
fn check(graph: &Graph) -> Result<(), String> {
    let whole = Rect { x: 0, y: 0, w: graph.width, h: graph.height };
    let holds = |ok: bool, what: &dyn Fn() -> String| if ok { Ok(()) } else { Err(what()) };
    let mut boxes: Vec<(Option<usize>, Rect, String)> =
        graph.nodes.iter().map(|n| (n.group, n.rect, n.name.to_string())).collect();
    boxes.extend(graph.groups.iter().map(|g| (g.group, g.rect, g.name.to_string())));
    for (i, (group, rect, name)) in boxes.iter().enumerate() {
        let around = group.map_or(whole, |g| graph.groups[g].rect);
        let fits = if group.is_some() {
            inside(&around, rect)
        } else {
            around.x <= rect.x && rect.right() <= around.right() && rect.bottom() <= around.bottom()
        };
        holds(fits, &|| format!("{name} {rect:?} leaves {around:?}"))?;
        for (other_group, other, other_name) in &boxes[i + 1..] {
            holds(group != other_group || !rect.overlaps(other), &|| {
                format!("{name} {rect:?} overlaps {other_name} {other:?}")
            })?;
        }
    }
    for (i, node) in graph.nodes.iter().enumerate() {
        for other in &graph.nodes[i + 1..] {
            holds(!node.rect.overlaps(&other.rect), &|| format!("{node:?} overlaps {other:?}"))?;
        }
    }
    let labels: Vec<_> = graph.edges.iter().filter_map(|e| e.label.as_ref()).collect();
    for (i, label) in labels.iter().enumerate() {
        for node in &graph.nodes {
            holds(!node.rect.overlaps(&label.rect), &|| format!("{label:?} lies on {node:?}"))?;
        }
        for other in &labels[i + 1..] {
            holds(!other.rect.overlaps(&label.rect), &|| format!("{label:?} lies on {other:?}"))?;
        }
        holds(label.rect.x >= 0 && label.rect.right() < graph.width, &|| format!("{label:?} is outside"))?;
    }
    let mut rects: BTreeMap<Place, Rect> = graph.groups.iter().map(|g| (Place::State(g.state), g.rect)).collect();
    rects.extend(graph.nodes.iter().filter_map(|n| match n.kind {
        NodeKind::Start => Some((Place::Start, n.rect)),
        NodeKind::End => Some((Place::End, n.rect)),
        NodeKind::State(id) => Some((Place::State(id), n.rect)),
        NodeKind::Jump(_) => None,
    }));
    for edge in &graph.edges {
        let end = edge.jump.map_or_else(|| rects[&edge.to], |j| graph.nodes[j].rect);
        let (first, last) = (edge.points[0], *edge.points.last().unwrap());
        holds(rects[&edge.from].on_border(first), &|| format!("{edge:?} does not begin at a border"))?;
        holds(end.on_border(last), &|| format!("{edge:?} does not end at a border"))?;
        for part in edge.points.windows(2) {
            holds((part[0].x == part[1].x) != (part[0].y == part[1].y), &|| format!("{edge:?} is slanted"))?;
            let line = span(part[0], part[1]);
            for node in &graph.nodes {
                let core = Rect { x: node.rect.x + 1, y: node.rect.y + 1, w: node.rect.w - 2, h: node.rect.h - 2 };
                holds(!core.overlaps(&line), &|| format!("{edge:?} runs through {node:?}"))?;
            }
            for other in graph.edges.iter().filter(|o| !std::ptr::eq(*o, edge)) {
                let hit = other.label.as_ref().is_some_and(|l| l.rect.overlaps(&line));
                holds(!hit, &|| format!("{edge:?} runs through the label of {other:?}"))?;
            }
        }
    }
    apart(graph)
}

fn span(a: Point, b: Point) -> Rect {
    let at = Point::new(a.x.min(b.x), a.y.min(b.y));
    Rect::new(at, (a.x - b.x).abs() + 1, (a.y - b.y).abs() + 1)
}

/// Lines run along each other only where they come from one box or lead to one.
fn apart(graph: &Graph) -> Result<(), String> {
    for (i, edge) in graph.edges.iter().enumerate() {
        for other in &graph.edges[i + 1..] {
            let kin = edge.from == other.from || edge.to == other.to;
            if kin {
                continue;
            }
            for a in edge.points.windows(2) {
                for b in other.points.windows(2) {
                    let (s, t) = (span(a[0], a[1]), span(b[0], b[1]));
                    let along = (s.w == 1 && t.w == 1) || (s.h == 1 && t.h == 1);
                    if along && s.overlaps(&t) {
                        return Err(format!("{edge:?} runs along {other:?}"));
                    }
                }
            }
        }
    }
    Ok(())
}

/// A small reader of XML: tags nest, attributes are quoted, and text has no markup of its own.
fn well_formed(text: &str) -> Result<(), String> {
    let mut open = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        entities(&rest[..at])?;
        let end = rest[at..].find('>').ok_or("a tag without an end")? + at;
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name) {
                return Err(format!("</{name}> closes nothing"));
            }
            continue;
        }
        let body = tag.strip_suffix('/').unwrap_or(tag);
        let (name, attributes) = body.split_once(' ').unwrap_or((body, ""));
        if attributes.matches('"').count() % 2 != 0 || attributes.contains('<') {
            return Err(format!("bad attributes: {tag}"));
        }
        entities(attributes)?;
        if !tag.ends_with('/') {
            open.push(name);
        }
    }
    entities(rest)?;
    if open.is_empty() { Ok(()) } else { Err(format!("{open:?} stay open")) }
}

fn entities(text: &str) -> Result<(), String> {
    for part in text.split('&').skip(1) {
        if !["amp;", "lt;", "gt;", "quot;"].iter().any(|e| part.starts_with(e)) {
            return Err(format!("a bare & before {part}"));
        }
    }
    let forbidden = |c: char| c.is_control() && c != '\n';
    if text.contains('>') || text.chars().any(forbidden) { Err(format!("not escaped: {text}")) } else { Ok(()) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_picture(drafts in flow(2), failing in any::<u8>()) {
        let mut json = String::new();
        write_flow(&drafts, "", &mut json);
        let definition = definition(&json);
        let graph = layout(&definition);
        prop_assert_eq!(check(&graph), Ok(()));
        let mut calls = 0_u8;
        let events = run(&definition, "[]", true, |_| {
            calls = calls.wrapping_add(1);
            match calls % 4 {
                _ if calls > 60 => Answer::Never,
                0 => Answer::Failure("Error1"),
                n if n == failing % 16 => Answer::Failure("Unknown"),
                _ => Answer::Output(Value::empty_array()),
            }
        });
        let statuses = statuses(&definition, &events);
        for told in [None, Some(&statuses)] {
            for options in [TextOptions::default(), TextOptions { unicode: false, colour: true, width: usize::MAX }] {
                let picture = text(&graph, told, &options);
                prop_assert_eq!(&picture, &text(&layout(&definition), told, &options));
                let longest = picture.lines().map(|l| l.chars().count()).max().unwrap_or(0);
                prop_assert!(options.colour || longest <= options.width);
            }
            prop_assert_eq!(well_formed(&svg(&graph, told)), Ok(()));
            prop_assert_eq!(svg(&graph, told), svg(&layout(&definition), told));
            prop_assert_eq!(mermaid(&graph, told), mermaid(&layout(&definition), told));
            prop_assert_eq!(dot(&graph, told), dot(&layout(&definition), told));
        }
    }
}

fn chain(states: usize, each: impl Fn(usize) -> String) -> String {
    let mut out = String::from(r#"{"StartAt": "s0", "States": {"#);
    for i in 0..states {
        write!(out, r#""s{i}": {},"#, each(i)).unwrap();
    }
    out + r#""last": {"Type": "Succeed"}}}"#
}

fn next(i: usize, states: usize) -> String {
    if i + 1 < states { format!("s{}", i + 1) } else { "last".to_owned() }
}

/// Large definitions are drawn, and nothing overlaps in them. The time is bounded by the number of bends, not by a clock.
#[test]
fn large_definitions() {
    let pass = |i| format!(r#"{{"Type": "Pass", "Next": "{}"}}"#, next(i, 5000));
    let fork = |i: usize| match i {
        0 => {
            let rule = |n: usize| format!(r#"{{"Variable": "$.x", "NumericEquals": {n}, "Next": "s{n}"}}"#);
            format!(r#"{{"Type": "Choice", "Choices": [{}]}}"#, (1..=500).map(rule).collect::<Vec<_>>().join(","))
        }
        _ => r#"{"Type": "Pass", "Next": "last"}"#.to_owned(),
    };
    // Every state may fail to one far away: that would be millions of bends.
    let tangle = |i: usize| {
        let far = (i * 7919 + 13) % 1500;
        format!(
            r#"{{"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {{"FunctionName": "f"}}, "Catch": [{{"ErrorEquals": ["E"], "Next": "s{far}"}}], "Next": "{}"}}"#,
            next(i, 1500)
        )
    };
    let mut nested = String::from(r#"{"Type": "Pass", "End": true}"#);
    for level in (0..10).rev() {
        let kind = if level % 2 == 0 {
            r#""Type": "Map", "ItemProcessor": "#.to_owned()
        } else {
            r#""Type": "Parallel", "Branches": "#.to_owned()
        };
        let flow = format!(r#"{{"StartAt": "n{level}", "States": {{"n{level}": {nested}}}}}"#);
        let flow = if level % 2 == 0 { flow } else { format!("[{flow}]") };
        nested = format!(r#"{{{kind}{flow}, "End": true}}"#);
    }
    let nested = format!(r#"{{"StartAt": "n", "States": {{"n": {nested}}}}}"#);
    for (what, json) in
        [("chain", chain(5000, pass)), ("fork", chain(501, fork)), ("tangle", chain(1500, tangle)), ("nested", nested)]
    {
        let definition = definition(&json);
        let graph = layout(&definition);
        assert_eq!(
            graph.nodes.iter().filter(|n| matches!(n.kind, NodeKind::State(_))).count() + graph.groups.len(),
            definition.states.len()
        );
        if what == "tangle" {
            assert!(graph.nodes.iter().any(|n| matches!(n.kind, NodeKind::Jump(_))));
            assert!(graph.edges.iter().any(|e| e.kind == EdgeKind::Catch && e.jump.is_some()));
        } else if what != "chain" {
            assert_eq!(check(&graph), Ok(()), "{what}");
        }
        let narrow = TextOptions { width: 30, ..TextOptions::default() };
        let list = text(&graph, None, &narrow);
        assert!(list.lines().all(|l| l.chars().count() <= 30 || graph.width <= 30), "{what}");
        assert_eq!(well_formed(&svg(&graph, None)), Ok(()), "{what}");
    }
}
