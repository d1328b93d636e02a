//! What nodes tell each other of incidents, where much happens in one breath.

use super::*;
use crate::model::incident::Epoch;
use crate::model::incident::Lane;

const ALL: [&str; 3] = ["a", "b", "c"];

/// Who decided an epoch of an outage, by what a node has told of it.
fn decided_by(world: &World, node: &str, (monitor, epoch): (&str, Epoch)) -> Option<NodeName> {
    world.hosts[&name(node)].said.iter().find_map(|record| match record {
        Record::Epoch(fact) if fact.lane == Lane::Outage && fact.monitor.as_str() == monitor && fact.epoch == epoch => {
            Some(fact.by.clone())
        }
        Record::Epoch(_)
        | Record::Meta(_)
        | Record::Watermark(_)
        | Record::Opinion(_)
        | Record::Delivery(_)
        | Record::Ping(_)
        | Record::Operator(_)
        | Record::Forgotten(_) => None,
    })
}

#[test]
fn an_end_and_a_beginning_that_are_decided_in_one_breath_are_both_told() {
    // Both incidents are the first of their monitors, so that they have the same number; and what opens comes first in the order of monitors.
    let mut world = up_world(&three(vec![watched("api"), watched("web")]));
    world.set("web", &ALL, Outcome::Down);
    world.run(60);
    // One alone decides nothing before a minute has passed. When the others are back all that has changed is decided at once.
    world.stop("b");
    world.stop("c");
    world.set("web", &ALL, Outcome::Up);
    world.set("api", &ALL, Outcome::Down);
    world.run(40);
    world.start("b");
    world.start("c");
    world.run(120);
    world.assert_agreed();
    let first = |what: &str| {
        let line = world.story.lines().find(|line| line.ends_with(what)).unwrap_or_else(|| panic!("{what}\n{}", world.story));
        let (at, rest) = line.split_once(": ").expect("a line of the story");
        (at, rest.split(' ').next().expect("a node"))
    };
    let end = first("closes web outage");
    assert_eq!(end, first("opens api outage"), "in one breath\n{}", world.story);
    for (monitor, epoch) in [("web", Epoch(2)), ("api", Epoch(1))] {
        assert_eq!(decided_by(&world, end.1, (monitor, epoch)), Some(name(end.1)), "whoever decides it tells it\n{}", world.story);
    }
}
