//! What nodes say of each other and of themselves, and certificates that several nodes see end.

use crate::engine::core::tests_together::*;
use crate::model::expect::CertificateDays;
use crate::model::expect::Expectation;

fn told(setup: &Setup) -> World {
    let mut world = World::new(setup);
    let ops = ChannelName::parse("ops").expect("a name");
    for node in setup.nodes.iter().map(|(node, _)| *node) {
        let host = world.hosts.get_mut(&name(node)).expect("a host");
        host.config = Arc::new(Config { self_channels: vec![ops.clone()], ..(*host.config).clone() });
        world.stop(node);
    }
    setup.nodes.iter().for_each(|(node, _)| world.start(node));
    world.run(60);
    world
}

#[test]
fn a_lost_peer_is_told_by_one_of_those_that_are_left_and_so_is_its_return() {
    let mut world = told(&three(vec![watched("api")]));
    world.stop("c");
    world.run(290);
    world.assert_owed("a: ; b: ; c: ");
    world.run(30);
    world.assert_owed("a: self the peer c is lost; b: ; c: ");
    assert_eq!(world.picture("b").troubles.len(), 1, "everybody shows it");
    world.start("c");
    world.run(60);
    world.assert_owed("a: self the peer c is lost, self the peer c is back; b: ; c: ");
    assert!(world.picture("b").troubles.is_empty());
}

#[test]
fn who_told_of_a_loss_tells_of_its_end_after_a_restart_and_when_it_dies_another_one_does() {
    let mut world = told(&three(vec![watched("api")]));
    world.stop("c");
    world.run(320);
    world.stop("a");
    world.run(20);
    world.start("a");
    world.run(60);
    world.start("c");
    world.run(60);
    world.assert_owed("a: self the peer c is lost, self the peer c is back; b: ; c: ");
    world.stop("c");
    // Told again only after a pause.
    world.run(1700);
    world.assert_owed("a: self the peer c is lost, self the peer c is back, self the peer c is lost; b: ; c: ");
    world.stop("a");
    world.run(60);
    world.start("c");
    world.run(60);
    world.assert_owed("a: self the peer c is lost, self the peer c is back, self the peer c is lost; b: self the peer c is back; c: ");
}

#[test]
fn a_restart_of_a_peer_is_no_news_and_one_that_is_cut_off_speaks_of_itself() {
    let mut world = told(&three(vec![watched("api")]));
    world.stop("c");
    world.run(120);
    world.start("c");
    world.run(120);
    world.assert_owed("a: ; b: ; c: ");
    world.cut("a", "b");
    world.cut("a", "c");
    world.run(330);
    world.assert_owed("a: self this node hears no peer (region-a); b: self the peer a is lost; c: ");
    world.heal();
    world.run(60);
    world.assert_owed(
        "a: self this node hears no peer (region-a), self this node hears its peers again (region-a); b: self the peer a is lost, self the peer a is back; c: ",
    );
}

#[test]
fn a_node_whose_uplink_is_gone_says_nothing_of_its_peers() {
    let mut world = told(&three(vec![watched("api")]));
    world.hosts.get_mut(&name("a")).expect("a host").is_cut = true;
    world.cut("a", "b");
    world.cut("a", "c");
    world.run(400);
    world.assert_owed("a: self the vantage region-a lost its uplink; b: self the peer a is lost; c: ");
}

#[test]
fn a_clock_that_is_wrong_is_told_by_the_node_that_has_it() {
    let mut world = told(&three(vec![watched("api")]));
    let offsets = |ms| Event::Peers(PeerNews::ClockOffsets([(name("b"), ms), (name("c"), ms)].into()));
    world.apply(&name("a"), offsets(3_600_000));
    world.run(150);
    world.assert_owed("a: self the clock of this machine is wrong (region-a); b: ; c: ");
    world.apply(&name("a"), offsets(0));
    world.run(60);
    world.assert_owed("a: self the clock of this machine is wrong (region-a), self the clock is right again (region-a); b: ; c: ");
}

#[test]
fn a_certificate_that_three_nodes_see_is_one_message_for_each_limit() {
    let minute = Duration::from_secs(60);
    let certificate = CertificateDays { degraded: Some(minute * 20), down: None, warn: vec![minute * 10] };
    let api = Monitor { expect: Expectation { certificate: Some(certificate), ..Expectation::default() }, ..watched("api") };
    let mut world = World::new(&three(vec![api]));
    world.certificate = Some(UnixMillis(START + 1_500_000));
    world.run(1000);
    world.assert_owed("a: certificate api, certificate api; b: certificate api, certificate api; c: certificate api, certificate api");
    world.certificate = Some(UnixMillis(START + 150_000_000));
    world.run(60);
    let keys = |node: &str| world.hosts[&name(node)].owed.iter().map(|(_, owed)| owed.key.clone()).collect::<Vec<_>>();
    assert_eq!((keys("a").len(), keys("a"), keys("b")), (3, keys("b"), keys("c")), "{}", world.story);
}
