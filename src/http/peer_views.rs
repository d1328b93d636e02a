//! From the engine's view of the cluster and the state of its links to what the peers page and the banners say. Pure.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::engine::snapshot::ClusterView;
use crate::engine::snapshot::Ignored;
use crate::engine::snapshot::NodeView;
use crate::engine::snapshot::Snapshot;
use crate::http::PeerParts;
use crate::http::views::HASH_DIGITS;
use crate::model::id::NodeName;
use crate::model::peer::CLOCK_OFF_MS;
use crate::model::peer::Vantage;
use crate::model::time::spoken;
use crate::model::verdict::Verdict;
use crate::peer::port::Dialer;
use crate::peer::port::LinkState;
use crate::peer::port::LinkView;
use crate::peer::port::RefusedLink;
use crate::ui::component::notice::Banner;
use crate::ui::links::Links;
use crate::ui::page::peers::LinkCard;
use crate::ui::page::peers::NodeCard;
use crate::ui::page::peers::PeersView;
use crate::ui::page::peers::RefusedRow;
use crate::ui::text;

/// The links at one moment.
#[derive(Debug, Clone, Default)]
pub struct LinkReport {
    /// By node.
    pub links: Arc<Vec<LinkView>>,
    /// Those that were refused lately, newest first.
    pub refused: Vec<RefusedLink>,
}

impl LinkReport {
    /// How they are now; nothing when watching alone.
    #[must_use]
    pub fn of(peers: Option<&PeerParts>) -> LinkReport {
        peers.map_or_else(LinkReport::default, |peers| LinkReport {
            links: Arc::clone(&peers.links.views().borrow()),
            refused: peers.links.refused(),
        })
    }

    /// The link to a node.
    #[must_use]
    pub fn link(&self, node: &NodeName) -> Option<&LinkView> {
        self.links.iter().find(|link| link.node == *node)
    }

    /// A second instance under the name of a node that is linked.
    fn twin(&self) -> Option<&RefusedLink> {
        self.refused.iter().find(|refused| refused.is_twin)
    }

    /// Why somebody who calls itself like this node was refused.
    fn refused_as(&self, node: &NodeName) -> Option<&RefusedLink> {
        self.refused.iter().find(|refused| refused.node.as_deref() == Some(node.as_str()))
    }
}

/// How a cluster stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// How bad.
    pub look: Verdict,
    /// In one sentence.
    pub text: String,
}

/// How the cluster stands, as this node sees it: of several things to say the worst.
#[must_use]
pub fn standing(cluster: &ClusterView, report: &LinkReport) -> Standing {
    let say = |look, text: String| Standing { look, text };
    let own = cluster.own();
    let (n_live, n_all) = cluster.n_live();
    let names = |wanted: &dyn Fn(&NodeView) -> bool| {
        let found: Vec<String> = cluster.members().filter(|node| wanted(node)).map(|node| node.name.to_string()).collect();
        (found.len(), text::joined(&found))
    };
    let (n_other, other) = names(&|node| node.has_same_config == Some(false));
    let (_, silent) = names(&|node| !node.is_live);
    let (n_mute, mute) = names(&|node| node.ignored.is_some());
    match own.and_then(|own| own.ignored) {
        Some(Ignored::Forgotten) => {
            let text = "This node was forgotten: the others count and decide without it. Start it again under another name.";
            say(Verdict::Down, text.to_owned())
        }
        _ if !cluster.is_primary => {
            let then = cluster.solo_after.map_or_else(
                || "it decides nothing until it sees more of them".to_owned(),
                |wait| format!("it acts alone after {}", spoken(wait)),
            );
            say(Verdict::Degraded, format!("This node sees {n_live} of {n_all} nodes and is not the primary part: {then}."))
        }
        Some(Ignored::Abstains | Ignored::Outlier) => {
            let why = own.and_then(|own| own.abstains.clone()).unwrap_or_else(|| "it contradicts all others".to_owned());
            say(Verdict::Degraded, format!("This node abstains: {why}. The others decide without it."))
        }
        Some(Ignored::Settling) => say(
            Verdict::Unknown,
            format!("This node has just started and sees {n_live} of {n_all} nodes: it checks everything once before it takes part."),
        ),
        _ if report.twin().is_some() => {
            let why = report.twin().map_or_else(String::new, |twin| capital(&twin.why));
            say(Verdict::Degraded, format!("{n_live} of {n_all} nodes are heard. {why}."))
        }
        _ if n_live < n_all => {
            say(Verdict::Degraded, format!("This node sees {n_live} of {n_all} nodes, enough to decide at once; not heard: {silent}."))
        }
        _ if 0 < n_other => {
            let has = if n_other == 1 { "has" } else { "have" };
            say(Verdict::Degraded, format!("{n_live} of {n_all} nodes see each other; {other} {has} another config than this node."))
        }
        _ if 0 < n_mute => {
            say(Verdict::Degraded, format!("{n_live} of {n_all} nodes see each other and agree on the config; not counted now: {mute}."))
        }
        _ => say(Verdict::Up, format!("{n_live} of {n_all} nodes agree on the config and see each other.")),
    }
}

/// What the reader has to be told of the cluster wherever they are.
#[must_use]
pub fn banners(snapshot: &Snapshot, report: &LinkReport, links: &Links) -> Vec<Banner> {
    let Some(cluster) = &snapshot.cluster else { return Vec::new() };
    let more = Some((links.peers(), "See the peers".to_owned()));
    let mut banners = Vec::new();
    let own = cluster.own().and_then(|own| own.ignored);
    let is_out = matches!(own, Some(Ignored::Forgotten | Ignored::Abstains | Ignored::Outlier));
    if is_out || !cluster.is_primary {
        let Standing { look, text } = standing(cluster, report);
        banners.push(Banner { state: look, text, link: more.clone() });
    }
    let others: Vec<String> =
        cluster.members().filter(|node| node.has_same_config == Some(false)).map(|node| node.name.to_string()).collect();
    if !others.is_empty() {
        let has = if others.len() == 1 { "has" } else { "have" };
        let text = format!("{} {has} another config than this node. {OTHER_CONFIG}", text::joined(&others));
        banners.push(Banner { state: Verdict::Degraded, text, link: more.clone() });
    }
    if let Some(twin) = report.twin() {
        let text = format!("{}; the older one, from {}, gets no link.", capital(&twin.why), twin.from);
        banners.push(Banner { state: Verdict::Down, text, link: more });
    }
    banners
}

/// What follows from configs that differ, and the way out.
const OTHER_CONFIG: &str = "Monitors that differ are not voted on together: put the same files on all nodes.";

/// The peers page; `None` when watching alone.
#[must_use]
pub fn page(snapshot: &Snapshot, report: &LinkReport) -> Option<PeersView> {
    let cluster = snapshot.cluster.as_ref()?;
    let Standing { look, text: standing } = standing(cluster, report);
    let is_strange = |refused: &&RefusedLink| !cluster.nodes.iter().any(|node| refused.node.as_deref() == Some(node.name.as_str()));
    Some(PeersView {
        cluster: cluster.name.clone(),
        look,
        standing,
        solo_after: match cluster.solo_after {
            Some(wait) => format!("acts alone after {}, and says so", spoken(wait)),
            None => "stays silent".to_owned(),
        },
        nodes: cluster.nodes.iter().map(|node| card(node, cluster, report)).collect(),
        refused: report.refused.iter().filter(is_strange).map(refused_row).collect(),
        forgotten: cluster.forgotten.iter().map(ToString::to_string).collect(),
    })
}

fn refused_row(refused: &RefusedLink) -> RefusedRow {
    RefusedRow { at: refused.at, from: refused.from.clone(), node: refused.node.clone(), why: refused.why.clone() }
}

/// What goes into the config of an instance that watches alone.
#[must_use]
pub fn snippet(config: &Config) -> String {
    let base = &config.server.base_path;
    // A public URL may end with the base path too.
    let public = config.server.public_url.as_deref().unwrap_or("https://status.example.com");
    let origin = public.strip_suffix(base.as_str()).unwrap_or(public).trim_end_matches('/');
    let origin = origin.strip_prefix("http").map_or_else(|| origin.to_owned(), |rest| format!("ws{rest}"));
    let region = &config.instance.region;
    format!(
        "peers:\n  cluster: acme\n  secret: {{ env: VIGILMON_CLUSTER_SECRET }}   # from `openssl rand -hex 32`, the same on all nodes\n  \
         nodes:\n    - {{ name: here, region: {region}, url: \"{origin}{base}/peer\" }}\n    \
         - {{ name: there, region: elsewhere }}   # no url: it dials the others\n"
    )
}

fn card(node: &NodeView, cluster: &ClusterView, report: &LinkReport) -> NodeCard {
    let link = report.link(&node.name).filter(|_| !node.is_me);
    let meta = node.meta.as_ref();
    let (look, word) = state(node.ignored);
    NodeCard {
        name: node.name.clone(),
        region: node.region.to_string(),
        vantage: match node.vantage {
            Vantage::External => "looks from outside",
            Vantage::Internal => "looks from inside",
        },
        is_me: node.is_me,
        look,
        word,
        notes: notes(node, cluster, report),
        link: link.map(link_card),
        round_trip: link.and_then(|link| link.round_trip),
        clock: clock_offset_ms(node, cluster, report).map(clock_words),
        has_same_config: node.has_same_config,
        config: meta.map(|meta| meta.config_digest.chars().take(HASH_DIGITS).collect()),
        n_decides: node.n_decides,
        traffic: link.filter(|link| matches!(link.state, LinkState::Up { .. })).map(|link| link.n_bytes),
        version: meta.map(|meta| (meta.version.split(' ').next().unwrap_or_default().to_owned(), meta.version.clone())),
        started_at: meta.map(|meta| meta.started_at),
        may_be_forgotten: !node.is_me && !node.is_live,
    }
}

/// How bad the state of a node is, and its word.
fn state(ignored: Option<Ignored>) -> (Verdict, &'static str) {
    match ignored {
        None | Some(Ignored::OtherProbe | Ignored::NoOpinion) => (Verdict::Up, "Live"),
        Some(Ignored::Silent) => (Verdict::Down, "Silent"),
        Some(Ignored::Wedged) => (Verdict::Degraded, "Wedged"),
        Some(Ignored::Settling) => (Verdict::Unknown, "Settling"),
        Some(Ignored::Abstains) => (Verdict::Degraded, "Abstains"),
        Some(Ignored::Outlier) => (Verdict::Degraded, "Outlier"),
        Some(Ignored::Draining) => (Verdict::Unknown, "Draining"),
        Some(Ignored::Forgotten) => (Verdict::Paused, "Forgotten"),
    }
}

/// How far a node's clock is ahead of this one's; for this node, of the others'.
#[must_use]
pub fn clock_offset_ms(node: &NodeView, cluster: &ClusterView, report: &LinkReport) -> Option<i64> {
    if node.is_me { cluster.clock_offset_ms.map(|behind| -behind) } else { report.link(&node.name)?.clock_offset_ms }
}

fn clock_words(offset_ms: i64) -> String {
    let amount = spoken(Duration::from_millis(offset_ms.unsigned_abs()));
    match offset_ms {
        0 => "in step".to_owned(),
        1.. => format!("{amount} ahead"),
        _ => format!("{amount} behind"),
    }
}

fn link_card(link: &LinkView) -> LinkCard {
    let by = |is_dialed| if is_dialed { "dialed from here" } else { "dialed by it" };
    let (words, since, look, dialer) = match &link.state {
        LinkState::Up { since, is_dialed } => ("Up", *since, Verdict::Up, by(*is_dialed)),
        LinkState::Down { since, .. } => match link.dialer {
            Dialer::Here => ("Down", *since, Verdict::Down, "this node dials"),
            Dialer::There => ("Down", *since, Verdict::Down, "it is to dial"),
            Dialer::Nobody => ("None", *since, Verdict::Unknown, "neither has a url"),
        },
    };
    LinkCard { words, since, look, dialer, address: link.address.clone() }
}

/// Why the votes of a node do not count, in one sentence and with the way out; `None`: they do.
#[must_use]
pub fn reason(node: &NodeView) -> Option<String> {
    let text = match node.ignored? {
        Ignored::Silent => "It is not heard, neither directly nor through others.",
        Ignored::Wedged => "It answers, and its checks do not run: look at its load and its log.",
        Ignored::Settling => "It has just started, and checks everything once before it takes part.",
        Ignored::Abstains => {
            let why = node.abstains.as_deref().unwrap_or("its own network is in trouble");
            return Some(format!("It abstains: {}.", why.trim_end_matches('.')));
        }
        Ignored::Outlier => "It contradicts all others about most monitors: look at its network.",
        Ignored::Draining => "It is stopping.",
        Ignored::Forgotten if node.is_me => "It was forgotten: start it again under another name.",
        Ignored::Forgotten => "It was forgotten and still runs, without a vote: stop it, or start it under another name.",
        Ignored::OtherProbe | Ignored::NoOpinion => return None,
    };
    Some(text.to_owned())
}

/// Why there is no link to a node, in one sentence; `None`: there is one, or nothing more is to be said.
#[must_use]
pub fn link_trouble(node: &NodeView, report: &LinkReport) -> Option<String> {
    let refused = report.refused_as(&node.name).map(|refused| format!("A link from {} was refused: {}.", refused.from, refused.why));
    let link = report.link(&node.name)?;
    let LinkState::Down { error, .. } = &link.state else { return refused };
    let through = if node.is_live && link.dialer != Dialer::Nobody { " It was heard lately, perhaps through others." } else { "" };
    let why = match (error, link.dialer) {
        (Some(error), _) => format!("No link: {error}."),
        (None, _) if refused.is_some() => return refused,
        (None, Dialer::Here) => "It is being dialed.".to_owned(),
        (None, Dialer::There) => "It has not dialed this node yet.".to_owned(),
        (None, Dialer::Nobody) => "Neither this node nor it has a `url`: they hear each other through others only.".to_owned(),
    };
    Some(why + through)
}

fn notes(node: &NodeView, cluster: &ClusterView, report: &LinkReport) -> Vec<String> {
    let clock = clock_offset_ms(node, cluster, report).filter(|offset| CLOCK_OFF_MS < offset.abs()).map(|offset| {
        let by = spoken(Duration::from_millis(offset.unsigned_abs()));
        if node.meta.as_ref().is_some_and(|meta| meta.is_clock_off) {
            format!("Its clock is off by {by}: times are corrected, and it decides last. Set it right, best by NTP.")
        } else {
            format!("Its clock and this node's differ by {by}: set the wrong one right, best by NTP.")
        }
    });
    let config = node.has_same_config.filter(|is_same| !is_same).map(|_| format!("Its config is another one. {OTHER_CONFIG}"));
    let own_version = cluster.own().and_then(|own| own.meta.as_ref()).map(|meta| &meta.version);
    let version = node.meta.as_ref().map(|meta| &meta.version).filter(|version| own_version.is_some_and(|own| own != *version));
    let version = version.map(|_| "It runs another release than this node: finish the upgrade.".to_owned());
    [reason(node), link_trouble(node, report), config, clock, version].into_iter().flatten().collect()
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::Region;
    use crate::model::peer::Meta;
    use crate::model::peer::Readiness;
    use crate::model::time::UnixMillis;

    fn node(name: &str, ignored: Option<Ignored>) -> NodeView {
        let region = Region::parse(name).expect("a region");
        NodeView {
            name: NodeName::parse(name).expect("a name"),
            region: region.clone(),
            vantage: Vantage::External,
            is_me: name == "a",
            is_configured: true,
            is_live: ignored != Some(Ignored::Silent),
            ignored,
            abstains: (ignored == Some(Ignored::Abstains)).then(|| "`a` reaches none of its controls".to_owned()),
            meta: Some(Meta {
                region,
                vantage: Vantage::External,
                version: "0.1.0 (abc)".to_owned(),
                config_digest: "0123456789abcdef".to_owned(),
                readiness: Readiness::Ok,
                is_clock_off: false,
                clock_offset_ms: None,
                started_at: UnixMillis(0),
            }),
            has_same_config: Some(true),
            known_ago: None,
            n_decides: 3,
        }
    }

    fn cluster(states: [Option<Ignored>; 3], is_primary: bool) -> ClusterView {
        let nodes = ["a", "b", "c"].iter().zip(states).map(|(name, ignored)| node(name, ignored)).collect();
        let me = NodeName::parse("a").expect("a name");
        let solo_after = Some(Duration::from_secs(60));
        ClusterView {
            name: "acme".to_owned(),
            me,
            nodes,
            forgotten: Vec::new(),
            is_ready: true,
            is_primary,
            solo_after,
            clock_offset_ms: None,
        }
    }

    fn link(state: LinkState, dialer: Dialer) -> LinkView {
        let node = NodeName::parse("b").expect("a name");
        LinkView { node, state, address: None, round_trip: None, clock_offset_ms: None, n_bytes: (0, 0), dialer }
    }

    fn report(links: Vec<LinkView>, refused: Option<RefusedLink>) -> LinkReport {
        LinkReport { links: Arc::new(links), refused: refused.into_iter().collect() }
    }

    fn stranger(is_twin: bool) -> RefusedLink {
        let why = if is_twin { "two instances call themselves `b`: stop one of them" } else { "`b` presented another key" };
        RefusedLink { at: UnixMillis(0), node: Some("b".to_owned()), from: "192.0.2.1".to_owned(), why: why.to_owned(), is_twin }
    }

    #[test]
    fn how_a_cluster_stands_is_one_sentence() {
        use Ignored::Abstains;
        use Ignored::Forgotten;
        use Ignored::Settling;
        use Ignored::Silent;
        let says = |cluster: &ClusterView| standing(cluster, &LinkReport::default()).text;
        for (states, is_primary, expected) in [
            ([None, None, None], true, "3 of 3 nodes agree on the config and see each other."),
            ([None, Some(Silent), None], true, "This node sees 2 of 3 nodes, enough to decide at once; not heard: b."),
            (
                [None, Some(Silent), Some(Silent)],
                false,
                "This node sees 1 of 3 nodes and is not the primary part: it acts alone after 1 min.",
            ),
            (
                [None, Some(Settling), Some(Abstains)],
                true,
                "3 of 3 nodes see each other and agree on the config; not counted now: b and c.",
            ),
            ([Some(Abstains), None, None], true, "This node abstains: `a` reaches none of its controls. The others decide without it."),
            (
                [Some(Settling), None, None],
                true,
                "This node has just started and sees 3 of 3 nodes: it checks everything once before it takes part.",
            ),
            ([None, None, Some(Forgotten)], true, "2 of 2 nodes agree on the config and see each other."),
            (
                [Some(Forgotten), None, None],
                true,
                "This node was forgotten: the others count and decide without it. Start it again under another name.",
            ),
        ] {
            assert_eq!(says(&cluster(states, is_primary)), expected);
        }
        let silent = ClusterView { solo_after: None, ..cluster([None, Some(Silent), Some(Silent)], false) };
        assert!(says(&silent).ends_with("it decides nothing until it sees more of them."), "{}", says(&silent));
        let mut other = cluster([None; 3], true);
        other.nodes[1].has_same_config = Some(false);
        assert_eq!(says(&other), "3 of 3 nodes see each other; b has another config than this node.");
        let twins = standing(&cluster([None; 3], true), &report(Vec::new(), Some(stranger(true))));
        assert_eq!(twins.text, "3 of 3 nodes are heard. Two instances call themselves `b`: stop one of them.");
    }

    #[test]
    fn why_there_is_no_link_is_said_in_plain_words() {
        let up = || LinkState::Up { since: UnixMillis(0), is_dialed: true };
        let down = |error: Option<&str>| LinkState::Down { since: UnixMillis(0), error: error.map(ToOwned::to_owned) };
        let (heard, silent) = (node("b", None), node("b", Some(Ignored::Silent)));
        for (node, state, dialer, refused, expected) in [
            (&heard, up(), Dialer::Here, None, None),
            (&silent, down(Some("nobody is there")), Dialer::Here, None, Some("No link: nobody is there.")),
            (
                &heard,
                down(Some("nobody is there")),
                Dialer::Here,
                None,
                Some("No link: nobody is there. It was heard lately, perhaps through others."),
            ),
            (&silent, down(None), Dialer::Here, None, Some("It is being dialed.")),
            (&silent, down(None), Dialer::There, None, Some("It has not dialed this node yet.")),
            (
                &heard,
                down(None),
                Dialer::Nobody,
                None,
                Some("Neither this node nor it has a `url`: they hear each other through others only."),
            ),
            (
                &silent,
                down(None),
                Dialer::There,
                Some(stranger(false)),
                Some("A link from 192.0.2.1 was refused: `b` presented another key."),
            ),
            (
                &heard,
                up(),
                Dialer::Here,
                Some(stranger(true)),
                Some("A link from 192.0.2.1 was refused: two instances call themselves `b`: stop one of them."),
            ),
        ] {
            let report = report(vec![link(state, dialer)], refused);
            assert_eq!(link_trouble(node, &report).as_deref(), expected);
        }
    }

    #[test]
    fn clocks_that_are_far_off_are_warned_of() {
        let cluster = cluster([None; 3], true);
        let mut far = link(LinkState::Up { since: UnixMillis(0), is_dialed: true }, Dialer::Here);
        far.clock_offset_ms = Some(-600_000);
        let shown = card(&cluster.nodes[1], &cluster, &report(vec![far.clone()], None));
        assert_eq!(shown.clock.as_deref(), Some("10 min behind"));
        assert_eq!(shown.notes, ["Its clock and this node's differ by 10 min: set the wrong one right, best by NTP."]);
        far.clock_offset_ms = Some(59_000);
        assert!(card(&cluster.nodes[1], &cluster, &report(vec![far], None)).notes.is_empty());
    }
}
