//! Pages as a real browser shows them: Chromium opens a real instance, follows it, fills in its forms, and looks at every page in light
//! and dark, on a phone and on a desk, with scripts and without. What it cannot see is said by axe-core.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod common;

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use common::Answer;
use common::Instance;
use common::Server;
use common::browser;
use common::browser::Browser;
use common::browser::DESK;
use common::browser::PHONE;
use common::closed_port;
use common::request;
use common::vigilmon;
use common::wait_for;
use serde_json::Value;
use serde_json::json;

const PASSWORD: &str = "correct horse battery";

/// What a browser must take for text, wherever it stands: as the name of a monitor, a group, a page, a channel, as an answer, as a ping.
const HOSTILE: &[&str] = &[
    "<script>alert(1)</script>",
    "\"><script>alert(2)</script>",
    "'><img src=x onerror=alert(3)>",
    "</title><svg/onload=alert(4)>",
    "</textarea><b onmouseover=alert(5) style=position:fixed;inset:0>x</b>",
    "\" autofocus onfocus=alert(6) x=\"",
    "</pre><iframe srcdoc='<script>parent.alert(7)</script>'></iframe>",
    "javascript:alert(8)//",
    "</script><script>alert(9)</script>",
    "--><meta http-equiv=refresh content=0;url=javascript:alert(10)>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(11)>",
    "&lt;script&gt;alert(12)&#x3c;/script&#x3e; ${{7*7}} {{7*7}}",
];

/// An instance with everything that a page can show, and what it watches.
struct Scene {
    instance: Instance,
    shop: Server,
    sink: Server,
    _cache: TcpListener,
}

impl Scene {
    fn start() -> Scene {
        Scene::start_at("127.0.0.1")
    }

    /// The same for browsers that know it by this name.
    fn start_at(host: &str) -> Scene {
        let (shop, sink) = (Server::start(Answer::Status(200, "ok")), Server::start(Answer::Status(200, "ok")));
        let cache = TcpListener::bind("127.0.0.1:0").unwrap();
        let (listen, hash) = (closed_port(), hash_of(PASSWORD));
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("mark.svg"), include_str!("../ui/favicon.svg")).unwrap();
        fs::write(dir.path().join("dark.css"), "h1 { letter-spacing: .04em; }\n").unwrap();
        // The window is planned, and far from now at whatever hour this runs.
        let far = (SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 3600 + 12) % 24;
        let config = format!(
            "server: {{ listen: 127.0.0.1:{listen}, public_url: \"http://{host}:{listen}\" }}
instance: {{ state_dir: {} }}
auth: {{ users: [{{ name: ops, password_hash: '{hash}' }}] }}
defaults: {{ interval: 1s, timeout: 1s, confirm: {{ failures: 2, recheck: 1s }}, channels: [chat] }}
channels: [{{ name: chat, webhook: {{ url: \"{}\" }} }}]
monitors:
  - {{ name: Shop, group: Web, http: \"{}\", runbook: \"https://wiki.example.com/shop\", slo: {{ target: 99.9%, window: 30d }} }}
  - {{ name: Cache, group: Data, tcp: \"{}\" }}
  - {{ name: Nightly backup, group: Jobs, heartbeat: {{ interval: 1d, grace: 1h, token: nightly-token-0123456789abcdef }} }}
maintenance: [{{ name: Moving house, monitors: [Cache], schedule: {{ cron: \"0 {far} * * *\", duration: 1h }}, message: Boxes everywhere }}]
status_pages:
  - slug: shop
    title: The shop
    show: {{ regions: true, response_times: true, errors: true }}
    groups: [{{ name: Web, monitors: [Shop] }}, {{ name: Data and jobs, monitors: [Cache, Nightly backup] }}]
    announcements: [{{ at: 2026-06-30T10:00:00Z, kind: info, text: We are moving to the new data centre. }}]
    links: [{{ title: Support, url: \"https://example.com/support\" }}]
    subscriptions: {{ webhook: true }}
  - {{ slug: locked, title: For those who know, visibility: {{ password_hash: '{hash}' }}, language: fr, groups: [{{ name: Web, monitors: [Shop] }}] }}
  - {{ slug: laden, title: Der Laden, language: de, show: {{ regions: true, errors: true }}, groups: [{{ name: Alles, monitors: ['*'] }}] }}
  - slug: dark
    title: The shop at night
    theme: {{ logo: mark.svg, accent: '#7cd', dark: always, css: dark.css }}
    groups: [{{ name: Everything, monitors: ['*'] }}]
",
            dir.path().join("state").display(),
            sink.url("/hook"),
            shop.url("/"),
            cache.local_addr().unwrap(),
        );
        fs::write(dir.path().join("config.yaml"), config).unwrap();
        let instance = Instance::start_in(dir);
        instance.wait_for_verdict("shop", "up");
        instance.wait_for_verdict("cache", "up");
        Scene { instance, shop, sink, _cache: cache }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.instance.address)
    }

    /// The shop fails; the message about it, when it is confirmed.
    fn break_shop(&self) -> Value {
        self.shop.set(Answer::Status(503, "busy"));
        self.instance.wait_for_verdict("shop", "down");
        let down = || self.sink.asked().iter().flat_map(common::Asked::told).find(|told| told["event"] == "down");
        wait_for("the message", down)
    }

    fn sign_in(&self, browser: &Browser) {
        browser.go(&self.url("/sign-in"));
        browser.fill(&browser.find("input[name=name]"), "ops");
        browser.fill(&browser.find("input[name=password]"), PASSWORD);
        browser.click(&browser.find("form button[type=submit]"));
        browser.find_saying("button", "Sign out");
    }
}

/// The hash, as people make it.
fn hash_of(password: &str) -> String {
    let mut child = vigilmon().arg("hash-password").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{password}").unwrap();
    common::stdout(&child.wait_with_output().unwrap()).trim().to_owned()
}

/// Nothing went wrong in the browser: no error, no breach of the policy, no dialog.
#[track_caller]
fn assert_clean(browser: &Browser) {
    assert_clean_but(browser, None);
}

/// The same of a page that is answered with this status, which browsers tell as an error.
#[track_caller]
fn assert_clean_but(browser: &Browser, status: Option<&str>) {
    assert_eq!(browser.dialog(), None, "a script ran");
    let mut said = browser.console();
    if let Some(status) = status {
        assert!(said.iter().any(|line| line.contains(status)), "{}: {said:#?}", browser.url());
        said.retain(|line| !line.contains(status));
    }
    assert!(said.is_empty(), "{}: {said:#?}", browser.url());
}

/// The page is as wide as the window.
#[track_caller]
fn assert_fits(browser: &Browser) {
    let found = widths(browser);
    assert!(found[0].as_u64() <= found[1].as_u64(), "{} scrolls sideways: {found:#}", browser.url());
}

/// How wide the page is, how wide the window, and what sticks out.
fn widths(browser: &Browser) -> Value {
    let script = "const root = document.documentElement, wide = [];
        if (root.scrollWidth > root.clientWidth)
          for (const element of document.body.querySelectorAll('*')) {
            const box = element.getBoundingClientRect();
            if (box.right > root.clientWidth + 1 && !element.closest('.scroll')) wide.push(element.outerHTML.slice(0, 120));
          }
        return [root.scrollWidth, root.clientWidth, wide.slice(0, 5)];";
    browser.execute(script, &json!([]))
}

/// What axe-core finds that keeps people out, one line each.
fn barriers(browser: &Browser, axe: &str) -> Vec<String> {
    let script = format!(
        "{axe};
        const done = arguments[arguments.length - 1];
        axe.run(document, {{ resultTypes: ['violations'], preload: false }}).then(
          (found) => done(found.violations.filter((each) => ['serious', 'critical'].includes(each.impact))
            .flatMap((each) => each.nodes.slice(0, 3).map((node) => `${{each.id}}: ${{node.html.slice(0, 160)}} ${{node.failureSummary}}`))),
          (error) => done([`axe: ${{error}}`]));"
    );
    let found = browser.execute_async(&script, &json!([]));
    found.as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}

/// The key that ends what is typed.
const ENTER: char = '\u{e007}';

/// The keys to the left and down, and the one to the next stop.
const LEFT: char = '\u{e012}';
const DOWN: char = '\u{e015}';
const TAB: char = '\u{e004}';

/// Fetches the page again, as when its tab is looked at anew, until it shows this.
#[track_caller]
fn renew_until(browser: &Browser, text: &str) {
    wait_for(text, || {
        browser.execute("document.dispatchEvent(new Event('visibilitychange'))", &json!([]));
        browser.text().contains(text).then_some(())
    });
}

/// What an expression in the page is worth.
fn worth(browser: &Browser, expression: &str) -> Value {
    browser.execute(&format!("return {expression}"), &json!([]))
}

/// Runs a command that must succeed; what it prints.
#[track_caller]
fn told(scene: &Scene, arguments: &[&str]) -> String {
    let done = scene.instance.run(arguments);
    assert!(done.status.success(), "{}", common::stderr(&done));
    common::stdout(&done)
}

/// The overview with its search, which it has not for so few monitors until one asks for an order.
const SEARCHABLE: &str = "/monitors?by=none";

/// A page that asks for its password first.
const LOCKED: &str = "/status/locked";

/// What is there for everybody: status pages in several languages and looks, and the widget.
const VISITOR_PATHS: [&str; 8] = [
    "/sign-in",
    "/status/shop",
    "/status/shop/subscribe",
    "/status/shop/widget",
    LOCKED,
    "/status/laden",
    "/status/dark",
    "/status/dark/widget",
];

/// The pages of the operator, with an open incident.
fn operator_paths(incident: &str) -> Vec<String> {
    let mut paths: Vec<String> = [
        "/monitors",
        "/new-monitor",
        "/new-monitor?kind=tcp",
        "/new-monitor?kind=heartbeat",
        "/monitors/shop",
        "/monitors/cache",
        "/monitors/nightly-backup",
        "/incidents",
        "/silences",
        "/maintenance",
        "/announcements",
        "/channels",
        "/channels/chat",
        "/channels/chat?preview=down",
        "/heartbeats",
        "/config",
    ]
    .map(str::to_owned)
    .into();
    paths.push(format!("/incidents/{incident}"));
    paths
}

#[test]
fn the_checks_themselves_bite() {
    let Some(browser) = Browser::open() else { return };
    let scene = Scene::start();
    browser.go(&scene.url("/sign-in"));
    browser.execute(
        "document.querySelector('main').insertAdjacentHTML('beforeend', '<img src=/favicon.svg><p id=wide>wide</p>');
        document.getElementById('wide').style.width = '3000px';
        const script = document.createElement('script'); script.textContent = 'window.ran = true'; document.body.append(script);",
        &json!([]),
    );
    let found = widths(&browser);
    assert!(found[0].as_u64() > found[1].as_u64() && found[2][0].as_str().unwrap().contains("id=\"wide\""), "{found}");
    let said = browser.console();
    assert!(said.len() == 1 && said[0].contains("Content Security Policy"), "{said:?}");
    assert_eq!(browser.execute("return window.ran === undefined", &json!([])), true);
    if let Some(axe) = browser::axe() {
        let found = barriers(&browser, &axe);
        assert!(found.len() == 1 && found[0].starts_with("image-alt"), "{found:?}");
    }
    browser.execute("setTimeout(() => alert('seen'), 0)", &json!([]));
    wait_for("the dialog", || browser.dialog().filter(|text| text == "seen"));
}

#[test]
fn one_signs_in_by_link_or_password_and_out_again() {
    let Some(browser) = Browser::open() else { return };
    let scene = Scene::start();
    let link = String::from_utf8(scene.instance.run(&["sign-in-link"]).stdout).unwrap();
    let link = link.split_whitespace().find(|word| word.starts_with("http")).unwrap().to_owned();
    browser.go(&link);
    browser.click(&browser.find("form button[type=submit]"));
    browser.find_saying("a", "Shop");
    assert!(browser.url().ends_with("/monitors"), "{}", browser.url());
    assert_clean(&browser);
    browser.click(&browser.find_saying("button", "Sign out"));
    browser.find("input[name=password]");
    browser.go(&scene.url("/monitors/shop"));
    assert!(browser.url().contains("/sign-in"), "{}", browser.url());

    browser.fill(&browser.find("input[name=name]"), "ops");
    browser.fill(&browser.find("input[name=password]"), "not the password");
    browser.click(&browser.find("form button[type=submit]"));
    browser.find_saying("[role=alert]", "not right");
    let said = browser.console();
    assert!(said.len() == 1 && said[0].contains("401"), "{said:?}");
    browser.fill(&browser.find("input[name=name]"), "ops");
    browser.fill(&browser.find("input[name=password]"), PASSWORD);
    browser.click(&browser.find("form button[type=submit]"));
    browser.find_saying("h1", "Shop");
    assert!(browser.url().ends_with("/monitors/shop"), "one is where one wanted to go: {}", browser.url());
    assert_clean(&browser);
}

#[test]
fn without_tls_in_the_house_everything_works_as_well() {
    let Some(browser) = Browser::open() else { return };
    // To browsers this machine is as good as TLS; a name in the house is not, and they say less about where a request comes from.
    let mut scene = Scene::start_at("house.test");
    scene.instance.address = scene.instance.address.replace("127.0.0.1", "house.test");
    scene.sign_in(&browser);
    scene.shop.set(Answer::Status(503, "busy"));
    browser.find_saying("tr", "status 503");
    browser.click(&browser.find_saying("tr a", "status 503"));
    browser.click(&browser.find_saying("button", "Acknowledge"));
    browser.find_saying("dd", "ops");
    // A stream that was refused would be an error here.
    assert_clean(&browser);
}

#[test]
fn pages_follow_what_happens_without_being_loaded_again() {
    let Some(browser) = Browser::open() else { return };
    let scene = Scene::start();
    scene.sign_in(&browser);
    for (path, mark) in [("/monitors", "is down"), ("/status/shop", "is down")] {
        scene.shop.set(Answer::Status(200, "ok"));
        scene.instance.wait_for_verdict("shop", "up");
        browser.go(&scene.url(path));
        wait_for("calm", || {
            browser.reload();
            (!browser.text().contains(mark)).then_some(())
        });
        browser.execute("window.loadedOnce = true", &json!([]));
        scene.break_shop();
        wait_for(mark, || browser.text().contains(mark).then_some(()));
        assert_eq!(browser.execute("return window.loadedOnce", &json!([])), true, "{path} was loaded again");
        assert_clean(&browser);
    }
}

#[test]
fn a_refresh_leaves_a_search_and_an_incident_as_they_are() {
    let Some(browser) = Browser::open() else { return };
    let scene = Scene::start();
    scene.sign_in(&browser);
    browser.go(&scene.url(SEARCHABLE));
    browser.fill(&browser.find("#filter input[name=q]"), "sho");
    wait_for("the search", || browser.url().contains("q=sho").then_some(()));
    let incident = scene.break_shop()["incident_id"].as_str().unwrap().to_owned();
    renew_until(&browser, "is down");
    assert_eq!(worth(&browser, "[document.activeElement.name, document.activeElement.value]"), json!(["q", "sho"]));
    assert!(browser.url().contains("q=sho"), "{}", browser.url());

    browser.go(&scene.url(&format!("/incidents/{incident}")));
    browser.fill(&browser.find("form[action$=acknowledge] input[name=note]"), "soon");
    browser.click(&browser.find_saying("summary", "Note for everybody who is signed in"));
    browser.fill(&browser.find("form[action$=notes] textarea"), "what I know");
    browser.click(&browser.find("form[action$='/updates'] input[value=monitoring]"));
    browser.fill(&browser.find("form[action$='/updates'] textarea"), "half a sen");
    told(&scene, &["incident", "note", "shop", "--text", "A note of somebody else", "--by", "eve"]);
    renew_until(&browser, "A note of somebody else");
    // The page now begins with what the other one said; what was chosen here stays.
    told(&scene, &["incident", "update", "shop", "--state", "identified", "--text", "An update of somebody else", "--by", "eve"]);
    renew_until(&browser, "An update of somebody else");
    let form = "document.querySelector('form[action$=\"/updates\"]')";
    assert_eq!(
        worth(&browser, &format!("[{form}.text.value, {form}.state.value, {form}.text === document.activeElement]")),
        json!(["half a sen", "monitoring", true])
    );
    let rest = "[document.querySelector('form[action$=notes] textarea').value, document.querySelector('form[action$=notes]').closest('details').open,
        document.querySelector('form[action$=acknowledge] input[name=note]').value]";
    assert_eq!(worth(&browser, rest), json!(["what I know", true, "soon"]));
    assert_clean(&browser);
}

#[test]
fn what_is_typed_for_one_announcement_stays_with_it() {
    let Some(browser) = Browser::open() else { return };
    let scene = Scene::start();
    scene.sign_in(&browser);
    let announce = |title: &str| {
        let made = told(&scene, &["announce", "add", "--title", title, "--text", "so far", "--pages", "shop"]);
        made.split(':').next().unwrap().to_owned()
    };
    let (first, second) = (announce("First trouble"), announce("Second trouble"));
    browser.go(&scene.url("/announcements"));
    for (id, state, text) in [(&first, "monitoring", "about the first"), (&second, "identified", "about the second")] {
        let of = format!("article[data-key='{id}']");
        browser.click(&browser.find(&format!("{of} summary")));
        browser.click(&browser.find(&format!("{of} input[value={state}]")));
        browser.fill(&browser.find(&format!("{of} textarea")), text);
    }
    // The one above goes and another comes, so that everything has another place.
    let third = announce("Third trouble");
    renew_until(&browser, "Third trouble");
    told(&scene, &["announce", "update", &first, "--state", "identified", "--text", "somebody else says"]);
    renew_until(&browser, "somebody else says");
    let form = |id: &str| format!("document.querySelector('article[data-key=\"{id}\"] form.stacked')");
    let of = |id: &str| {
        let form = form(id);
        worth(
            &browser,
            &format!("[{form}.text.value, {form}.state.value, {form}.closest('details').open, {form}.text === document.activeElement]"),
        )
    };
    assert_eq!(of(&second), json!(["about the second", "identified", true, true]));
    told(&scene, &["announce", "end", &second, "--text", "that was it"]);
    renew_until(&browser, "that was it");
    assert_eq!(of(&first), json!(["about the first", "monitoring", true, false]));
    assert_eq!(of(&third), json!(["", "investigating", false, false]));
    assert_eq!(worth(&browser, &form(&second)), Value::Null, "what is over has no form");
    browser.click(&browser.find(&format!("article[data-key='{first}'] form.stacked button")));
    wait_for("the update", || told(&scene, &["announce", "list", "--json"]).contains("about the first").then_some(()));
    let listed: Value = serde_json::from_str(&told(&scene, &["announce", "list", "--json"])).unwrap();
    for announced in listed["announcements"].as_array().unwrap() {
        let said = announced["updates"].to_string();
        assert!(!said.contains("about the second"), "nobody posted it: {said}");
        assert_eq!(said.contains("about the first"), announced["id"] == first.as_str(), "{said}");
    }
    assert_clean(&browser);
}

#[test]
fn what_is_typed_for_a_silence_stays_when_the_first_one_appears() {
    let Some(browser) = Browser::open() else { return };
    let scene = Scene::start();
    scene.sign_in(&browser);
    browser.go(&scene.url("/silences"));
    browser.fill(&browser.find("form[action$=silences] input[name=own]"), "2h");
    browser.fill(&browser.find("form[action$=silences] textarea[name=groups]"), "Dat");
    browser.execute("window.moved = 0; document.activeElement.addEventListener('blur', () => { window.moved += 1; })", &json!([]));
    told(&scene, &["silence", "add", "--groups", "Web", "--for", "1h", "--note", "quiet at last"]);
    renew_until(&browser, "quiet at last");
    assert_eq!(
        worth(
            &browser,
            "[document.activeElement.name, document.activeElement.value, document.querySelector('input[name=own]').value, window.moved]"
        ),
        json!(["groups", "Dat", "2h", 0])
    );
    // A second one, whose end comes sooner: the focus stays at the button of its row.
    browser.execute("document.querySelector('table.silences button').focus()", &json!([]));
    told(&scene, &["silence", "add", "--groups", "Jobs", "--for", "30m", "--note", "another one"]);
    renew_until(&browser, "another one");
    assert_eq!(worth(&browser, "document.activeElement.closest('tr')?.textContent.includes('quiet at last')"), true);
    assert_clean(&browser);
}

#[test]
fn an_open_transcript_stays_with_its_check() {
    let Some(browser) = Browser::open() else { return };
    let scene = Scene::start();
    scene.break_shop();
    scene.sign_in(&browser);
    browser.go(&scene.url("/monitors/shop"));
    browser.click(&browser.find(".results summary"));
    let open = "[...document.querySelectorAll('.results details[open]')].map((each) => [each.closest('tr').querySelector('time').dateTime,
        each.querySelector('summary') === document.activeElement])";
    let before = worth(&browser, open);
    assert_eq!(before.as_array().map(Vec::len), Some(1));
    let newest = "document.querySelector('.results time').dateTime";
    let at = worth(&browser, newest);
    wait_for("newer checks", || {
        browser.execute("document.dispatchEvent(new Event('visibilitychange'))", &json!([]));
        (worth(&browser, newest) != at).then_some(())
    });
    assert_eq!(worth(&browser, open), before);
    assert_clean(&browser);
}

#[test]
fn a_search_outlives_a_refresh_and_enter_waits_for_it() {
    let Some(browser) = Browser::open() else { return };
    let scene = Scene::start();
    scene.sign_in(&browser);
    browser.go(&scene.url(SEARCHABLE));
    // A slow line, and everything fetched is counted.
    browser.execute(
        "const real = window.fetch; window.asked = [];
        window.fetch = async (...all) => { window.asked.push(all[0]); await new Promise((done) => setTimeout(done, 1500)); return real(...all); };",
        &json!([]),
    );
    // A page rests for two seconds after it was loaded.
    wait_for("a page that may be fetched again", || (worth(&browser, "performance.now() > 2500") == true).then_some(()));
    browser.click(&browser.find("#filter input[name=q]"));
    browser.press(&format!("nightly{ENTER}"));
    assert_eq!(worth(&browser, "document.activeElement.name"), "q", "the rows are still those of before");
    wait_for("the search to begin", || (worth(&browser, "window.asked.length") != 0).then_some(()));
    browser.execute("document.dispatchEvent(new Event('visibilitychange'))", &json!([]));
    wait_for("the search", || browser.url().contains("q=nightly").then_some(()));
    wait_for("the first row", || (worth(&browser, "document.activeElement.textContent") == "Nightly backup").then_some(()));
    assert!(!worth(&browser, "document.querySelector('table.monitors').textContent").as_str().unwrap().contains("Cache"));
    browser.press(&ENTER.to_string());
    browser.find_saying("h1", "Nightly backup");
    assert_clean(&browser);
}

#[test]
fn a_status_page_keeps_what_was_folded_when_more_appears() {
    let Some(browser) = Browser::open() else { return };
    let scene = Scene::start();
    scene.break_shop();
    browser.go(&scene.url("/status/shop"));
    renew_until(&browser, "is down");
    browser.click(&browser.find_saying("details.group summary", "Web"));
    browser.execute("[...document.querySelectorAll('details.group summary')].at(-1).focus()", &json!([]));
    // Links and details before them: everything has another number.
    told(&scene, &["announce", "add", "--title", "Wait", "--text", "See [the forum](https://example.com/forum).", "--pages", "shop"]);
    told(&scene, &["incident", "postmortem", "shop", "--text", "It was the disk.", "--public"]);
    for text in ["Wait", "Postmortem"] {
        renew_until(&browser, text);
    }
    let folds = "[...document.querySelectorAll('details.group')].map((fold) => [fold.querySelector('h2').textContent, fold.open])";
    assert_eq!(worth(&browser, folds), json!([["Web", false], ["Data and jobs", true]]));
    assert_eq!(worth(&browser, "document.activeElement.querySelector('h2')?.textContent"), "Data and jobs");
    assert_clean(&browser);
}

#[test]
fn a_day_that_is_looked_at_does_not_keep_a_status_page_from_being_renewed() {
    let Some(browser) = Browser::open() else { return };
    let scene = Scene::start();
    browser.go(&scene.url("/status/shop"));
    browser.find("svg.days");
    let told = "[document.querySelector('.tip').hidden, document.querySelector('.tip b')?.textContent]";
    // A pointer rests on a day of the second bar.
    browser.execute(
        "const bar = document.querySelectorAll('svg.days')[1], box = bar.getBoundingClientRect();
        bar.dispatchEvent(new PointerEvent('pointermove', { bubbles: true, pointerType: 'mouse', clientX: box.left + box.width / 3, clientY: box.top + 2 }));",
        &json!([]),
    );
    let day = worth(&browser, told);
    assert!(day[0] == false && day[1].as_str().is_some_and(|text| text.contains("20")), "{day}");
    announce(&scene, "First");
    renew_until(&browser, "First");
    assert_eq!(worth(&browser, told), day, "the same day is told of");
    let gap = "Math.abs(document.querySelector('.tip').getBoundingClientRect().bottom - document.querySelectorAll('svg.days')[1].getBoundingClientRect().top)";
    assert!(worth(&browser, gap).as_f64().unwrap() < 10.0, "it stands at its bar, which has moved down");
    browser.execute(
        "document.querySelector('h1').dispatchEvent(new PointerEvent('pointermove', { bubbles: true, pointerType: 'mouse' }))",
        &json!([]),
    );
    assert_eq!(worth(&browser, told)[0], true);
    // Now by keys.
    browser.execute("document.querySelector('svg.days').focus()", &json!([]));
    browser.press(&LEFT.to_string().repeat(3));
    let day = worth(&browser, told);
    assert_eq!(day[0], false);
    announce(&scene, "Second");
    renew_until(&browser, "Second");
    assert_eq!(worth(&browser, told), day);
    let bar = "document.activeElement === document.querySelector('svg.days') && document.activeElement.getAttribute('aria-valuenow')";
    assert_eq!(worth(&browser, bar), "86", "it is where the keys had brought it");
    assert_clean(&browser);
}

#[test]
fn days_are_told_by_a_tap_and_all_bars_are_one_stop() {
    let Some(browser) = Browser::open() else { return };
    let scene = Scene::start();
    browser.go(&scene.url("/status/shop"));
    let bars = "[...document.querySelectorAll('svg.days')]";
    let tap = |target: &str| {
        let script = format!(
            "const target = {target}, box = target.getBoundingClientRect(), how = {{ bubbles: true, pointerType: 'touch', clientX: box.left + box.width / 2, clientY: box.top + 2 }};
            for (const kind of ['pointerdown', 'pointerup', 'pointerout', 'pointerleave'])
              (kind === 'pointerleave' ? document.documentElement : target).dispatchEvent(new PointerEvent(kind, how));"
        );
        browser.execute(&script, &json!([]));
        worth(&browser, "document.querySelector('.tip').hidden")
    };
    browser.find("svg.days");
    assert_eq!([tap(&format!("{bars}[0]")), tap(&format!("{bars}[1]")), tap("document.querySelector('h1')")], [false, false, true]);

    // By keys: the way past what is above the services, then one stop for all bars.
    let focused = || {
        worth(
            &browser,
            "[document.activeElement.className.baseVal ?? document.activeElement.className, document.activeElement.ariaLabel, document.activeElement.ariaValueNow]",
        )
    };
    browser.execute("document.activeElement.blur()", &json!([]));
    browser.press(&TAB.to_string());
    assert_eq!(focused()[0], "skip");
    browser.press(&format!("{ENTER}{TAB}{TAB}"));
    assert_eq!(focused(), json!(["days", "Shop", "45"]), "where it was tapped");
    browser.press(&format!("{LEFT}{LEFT}{DOWN}"));
    assert_eq!(focused(), json!(["days", "Cache", "43"]), "the same day of the next one");
    assert_eq!(worth(&browser, &format!("{bars}.filter((bar) => bar.tabIndex === 0).length")), 1);
    browser.press(&TAB.to_string());
    assert_ne!(focused()[0], "days");
    // What is folded away is no stop.
    browser.execute(
        "for (const fold of document.querySelectorAll('details.group')) fold.open = fold.textContent.includes('Cache') === false",
        &json!([]),
    );
    let stops = format!("{bars}.filter((bar) => bar.tabIndex === 0).map((bar) => bar.ariaLabel)");
    wait_for("the stop that is left", || (worth(&browser, &stops) == json!(["Shop"])).then_some(()));
    assert_clean(&browser);

    scene.sign_in(&browser);
    browser.find_saying("a", "Shop");
    browser.press(&TAB.to_string());
    assert_eq!(focused()[0], "skip");
    browser.press(&format!("{ENTER}{TAB}"));
    assert_eq!(worth(&browser, "document.querySelector('main').contains(document.activeElement)"), true);
}

/// Something new on the status page of the shop.
fn announce(scene: &Scene, title: &str) {
    told(scene, &["announce", "add", "--title", title, "--text", "so far", "--pages", "shop"]);
}

#[test]
fn the_rows_of_a_status_page_are_in_line_on_a_phone() {
    let Some(browser) = Browser::open() else { return };
    let scene = Scene::start();
    scene.break_shop();
    browser.look(PHONE, false);
    browser.go(&scene.url("/status/shop"));
    renew_until(&browser, "is down");
    // As wide as a logo may be, whether one is there or not.
    browser.execute(
        "const logo = document.createElement('span');
        logo.className = 'logo'; logo.style.cssText = 'width: 10rem; height: 2rem'; document.querySelector('main > header').prepend(logo);
        document.querySelector('h1').textContent = 'Status of the shop and of everything around it';",
        &json!([]),
    );
    let found = browser.execute(
        "const box = (element) => element.getBoundingClientRect(), all = (selector) => [...document.querySelectorAll(selector)];
        const heads = all('.service-head'), ends = new Set(heads.map((head) => Math.round(box(head.querySelector('.badge')).right - box(head).right)));
        const out = all('.service-head > *').filter((part) => box(part).left < box(part.parentElement).left - 1).length;
        return [heads.length, [...ends], out, box(document.querySelector('h1')).width > 160];",
        &json!([]),
    );
    assert_eq!(found, json!([3, [0], 0, true]), "{found}");
}

#[test]
fn a_widget_that_cannot_renew_itself_grows_old() {
    let Some(browser) = Browser::open() else { return };
    let scene = Scene::start();
    browser.go(&scene.url("/status/shop/widget"));
    assert!(browser.text().contains("The state of 1 of 3") || browser.text().contains("operational"), "{}", browser.text());
    let fresh = browser.text();
    // The line is cut, and an hour goes by.
    browser.execute(
        "window.real = [window.fetch, Date.now]; window.fetch = () => Promise.reject(new TypeError('cut'));
        const [now, tick] = [Date.now, performance.now.bind(performance)];
        Date.now = () => now() + 36e5; performance.now = () => tick() + 36e5;",
        &json!([]),
    );
    wait_for("its age", || browser.text().contains("1 hr. ago").then_some(()));
    let old = browser.text();
    assert!(old.contains("No current data") && !old.contains(fresh.lines().next().unwrap()), "{old}");
    assert_eq!(worth(&browser, "getComputedStyle(document.querySelector('main a')).filter"), "grayscale(1)");
    browser.execute("[window.fetch, Date.now] = window.real; document.dispatchEvent(new Event('visibilitychange'))", &json!([]));
    wait_for("its renewal", || (!browser.text().contains("No current data")).then_some(()));
    assert_eq!(worth(&browser, "document.body.className"), "widget");
    assert_clean(&browser);
}

#[test]
fn a_widget_fits_into_the_frame_that_the_manual_gives_it() {
    let Some(browser) = Browser::open() else { return };
    let manual = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/status-pages.md")).unwrap();
    let frame = manual.split("<iframe").nth(1).unwrap();
    let size = |name: &str| frame.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap().parse::<u32>().unwrap();
    let (width, height) = (size("width"), size("height"));
    let scene = Scene::start();
    browser.look(width, false);
    browser.go(&scene.url("/status/shop/widget"));
    browser.execute(
        "document.querySelector('b').textContent = '4 of 39 services are down, 1 is degraded, 1 is in maintenance, also with trouble of some regions';
        document.querySelector('small span').textContent = 'Everything that the shop and its many branches have';",
        &json!([]),
    );
    let found = worth(&browser, "[document.documentElement.scrollWidth, document.querySelector('main').getBoundingClientRect().height]");
    assert!(found[0] == width && found[1].as_f64().unwrap() <= f64::from(height), "{found} in {width} × {height}");
    let age =
        "document.querySelector('time').getBoundingClientRect().right <= document.querySelector('small').getBoundingClientRect().right";
    assert_eq!(worth(&browser, age), true, "how old it is is seen whatever the page is called");
}

#[test]
fn an_overview_without_news_says_so_and_why() {
    let Some(browser) = Browser::open() else { return };
    let scene = Scene::start();
    scene.sign_in(&browser);
    let look = "[document.querySelector('.no-news').textContent, document.querySelector('.no-news a')?.getAttribute('href') ?? '', getComputedStyle(document.querySelector('main')).filter]";
    browser.find_saying("a", "Shop");
    assert_eq!(worth(&browser, look), json!(["", "", "none"]));
    // The line is cut, and an hour goes by.
    browser.execute(
        "window.real = [window.fetch, Date.now]; window.fetch = () => Promise.reject(new TypeError('cut'));
        const now = Date.now; Date.now = () => now() + 36e5; document.dispatchEvent(new Event('visibilitychange'));",
        &json!([]),
    );
    wait_for("what is said", || browser.text().contains("No news since").then_some(()));
    assert_eq!(worth(&browser, "getComputedStyle(document.querySelector('main')).filter"), "grayscale(1)");
    browser.execute("[window.fetch, Date.now] = window.real", &json!([]));
    renew_until(&browser, "Shop");
    let calm = json!(["", "", "none"]);
    wait_for("news", || (worth(&browser, look) == calm).then_some(()));
    // The session ends; nobody has to wait for two minutes to hear of that.
    browser.forget_cookies();
    renew_until(&browser, "You are signed out");
    let said = worth(&browser, look);
    assert!(said[1].as_str().is_some_and(|link| link.contains("/sign-in?next=")) && said[2] == "grayscale(1)", "{said}");
    let again = browser.find(".no-news a");
    browser.click(&again);
    browser.find("input[name=password]");
}

#[test]
fn a_monitor_is_shown_with_its_charts() {
    let Some(browser) = Browser::open() else { return };
    let scene = Scene::start();
    scene.sign_in(&browser);
    browser.go(&scene.url("/monitors/shop"));
    let script = "return [...document.querySelectorAll('main svg')].filter((svg) => svg.getBoundingClientRect().width > 100
        && (svg.getAttribute('aria-label') || svg.getAttribute('aria-hidden') || svg.querySelector('title'))).length";
    wait_for("charts", || {
        browser.reload();
        (browser.execute(script, &json!([])).as_u64() >= Some(1)).then_some(())
    });
    assert!(browser.text().contains("Availability"), "{}", browser.text());
    browser.click(&browser.find_saying("summary", "Transcript"));
    wait_for("the transcript", || browser.text().contains("connect").then_some(()));
    assert_clean(&browser);
}

#[test]
fn an_incident_is_reached_from_the_lists_on_a_phone() {
    let Some(browser) = Browser::open() else { return };
    let scene = Scene::start();
    let incident = scene.break_shop()["incident_id"].as_str().unwrap().to_owned();
    scene.sign_in(&browser);
    browser.look(PHONE, false);
    for path in ["/incidents", "/monitors/shop"] {
        browser.go(&scene.url(path));
        browser.find("table.incidents tbody tr");
        // Neither the window nor the table has to be moved for any of it.
        let beyond = "[...document.querySelectorAll('table.incidents tbody :is(td, a)')].filter((each) => each.getBoundingClientRect().right > document.documentElement.clientWidth).length";
        assert_eq!(worth(&browser, beyond), 0, "{path}");
        browser.click(&browser.find("table.incidents td:first-child a"));
        wait_for("the incident", || browser.url().ends_with(&format!("/incidents/{incident}")).then_some(()));
    }
    assert_clean(&browser);
}

#[test]
fn an_incident_is_acknowledged_and_a_silence_made_and_ended() {
    let Some(browser) = Browser::open() else { return };
    let scene = Scene::start();
    let incident = scene.break_shop()["incident_id"].as_str().unwrap().to_owned();
    scene.sign_in(&browser);
    browser.go(&scene.url(&format!("/incidents/{incident}")));
    browser.fill(&browser.find("form[action$=acknowledge] input[name=note]"), "on my way");
    browser.click(&browser.find_saying("button", "Acknowledge"));
    wait_for("who is at work on it", || browser.text().contains("on my way").then_some(()));
    assert_eq!(scene.instance.status()["monitors"][0]["open_incidents"][0]["acknowledged"]["by"], "ops");
    assert_clean(&browser);

    browser.go(&scene.url("/silences"));
    browser.fill(&browser.find("form[action$=silences] textarea[name=groups]"), "Data");
    browser.fill(&browser.find("form[action$=silences] input[name=own]"), "2h");
    browser.click(&browser.find("form[action$=silences] button[type=submit]"));
    browser.find_saying("table", "Cache");
    browser.click(&browser.find_saying("table button", "End"));
    wait_for("its end", || browser.text().contains("Nothing is silenced").then_some(()));
    assert_clean(&browser);
}

#[test]
fn a_new_monitor_is_filled_in_tried_and_taken_by_the_config() {
    let Some(browser) = Browser::open() else { return };
    let scene = Scene::start();
    let target = Server::start(Answer::Status(200, "welcome"));
    for has_scripts in [true, false] {
        browser.allow_scripts(has_scripts);
        browser.forget_cookies();
        scene.sign_in(&browser);
        browser.click(&browser.find_saying("a", "New monitor"));
        browser.fill(&browser.find("input[name=target]"), &target.url("/"));
        browser.fill(&browser.find("input[name=name]"), "[prod] new: \"one\"");
        browser.fill(&browser.find("input[name=interval]"), "1s");
        if has_scripts {
            // Follows what is typed, nothing is pressed.
            browser.find_saying("#preview", "name: \"[prod] new: \\\"one\\\"\"");
            browser.fill(&browser.find("input[name=interval]"), "soon");
            browser.find_saying("#preview", "soon");
            browser.find("input[name=interval][aria-invalid=true]");
            browser.find_saying("#wrong-interval", "soon");
            browser.fill(&browser.find("input[name=interval]"), "1s");
            browser.find("input[name=interval]:not([aria-invalid])");
        }
        let before = target.asked().len();
        browser.fill(&browser.find("input[name=body_contains]"), "goodbye");
        browser.click(&browser.find("button[value=try]"));
        browser.find_saying("#preview", "It does not answer as it should");
        assert!(before < target.asked().len());
        browser.fill(&browser.find("input[name=body_contains]"), "welcome");
        browser.click(&browser.find("button[value=try]"));
        browser.find_saying("#preview", "It answers as it should");
        assert_clean(&browser);
    }
    assert_eq!(scene.instance.verdict("prod-new-one"), "absent", "nothing was saved");
    let snippet = browser.execute("return document.querySelector('pre.snippet').textContent", &json!([]));
    let file = scene.instance.path().join("config.yaml");
    let config = fs::read_to_string(&file).unwrap();
    fs::write(&file, config.replace("maintenance:", &format!("{}maintenance:", snippet.as_str().unwrap()))).unwrap();
    scene.instance.wait_for_verdict("prod-new-one", "up");
}

#[test]
fn a_new_monitor_is_added_to_a_file_of_the_config_by_a_button() {
    let Some(browser) = Browser::open() else { return };
    let target = Server::start(Answer::Status(200, "welcome"));
    let dir = tempfile::tempdir().unwrap();
    let web = "# What the web team watches.\nmonitors:\n  - { name: First, tcp: \"127.0.0.1:1\" }   # never up\n\n# The end.\n";
    fs::write(dir.path().join("web.yaml"), web).unwrap();
    common::write_config(
        dir.path(),
        "include: [web.yaml]\ndefaults: { interval: 1s, timeout: 1s }\nmonitors: [{ name: Main, tcp: \"127.0.0.1:1\" }]\n",
    );
    let file = dir.path().join("config.yaml");
    let config = fs::read_to_string(&file).unwrap().replace("instance: { state_dir:", "instance: { edit: web.yaml, state_dir:");
    fs::write(&file, config).unwrap();
    let instance = Instance::start_in(dir);
    browser.go(&instance.sign_in_link);
    browser.click(&browser.find("form button[type=submit]"));
    browser.find_saying("button", "Sign out");
    browser.go(&format!("http://{}/new-monitor", instance.address));
    browser.fill(&browser.find("input[name=target]"), &target.url("/"));
    browser.fill(&browser.find("input[name=name]"), "New # one");
    browser.click(&browser.find("button[value=preview]"));
    browser.find_saying("#preview button", "Add it to web.yaml");

    // Somebody else was faster.
    fs::write(instance.path().join("web.yaml"), web.replace("The end", "Hello")).unwrap();
    browser.click(&browser.find_saying("#preview button", "Add it to web.yaml"));
    browser.find_saying("[role=alert]", "was changed meanwhile");
    let said = browser.console();
    assert!(said.iter().all(|line| line.contains("409")), "{said:?}");
    browser.click(&browser.find_saying("#preview button", "Add it to web.yaml"));
    browser.find_saying("h1", "New # one");
    assert!(browser.url().ends_with("/monitors/new-one"), "{}", browser.url());
    let added = format!("# never up\n  - name: \"New # one\"\n    http: {}\n\n# Hello", target.url("/"));
    assert_eq!(
        fs::read_to_string(instance.path().join("web.yaml")).unwrap(),
        web.replace("The end", "Hello").replace("# never up\n\n# Hello", &added)
    );
    instance.wait_for_verdict("new-one", "up");
    assert_clean(&browser);
}

#[test]
fn every_page_fits_every_window_and_keeps_nobody_out() {
    let Some(browser) = Browser::open() else { return };
    let axe = browser::axe();
    let scene = Scene::start();
    let down = scene.break_shop();
    let act = down["links"]["acknowledge"].as_str().unwrap().strip_prefix(&scene.url("")).unwrap().to_owned();
    let sign_in = scene.instance.run(&["sign-in-link"]);
    let link = common::stdout(&sign_in).split_whitespace().find(|word| word.starts_with("http")).unwrap().to_owned();
    told(&scene, &["announce", "add", "--title", "Slow logins", "--text", "We *know* the cause.", "--pages", "*"]);
    let mut paths = vec![act, link.strip_prefix(&scene.url("")).unwrap().to_owned()];
    paths.extend(VISITOR_PATHS.map(str::to_owned));
    if cfg!(debug_assertions) {
        paths.extend(["/gallery", "/gallery/status"].map(str::to_owned));
    }
    let mut found = look_at(&browser, &scene, &paths, axe.as_deref());
    scene.sign_in(&browser);
    let silence = scene.instance.run(&["silence", "add", "--groups", "Data", "--for", "1h", "--note", "moving"]);
    assert!(silence.status.success(), "{}", common::stderr(&silence));
    found.extend(look_at(&browser, &scene, &operator_paths(down["incident_id"].as_str().unwrap()), axe.as_deref()));
    assert!(found.is_empty(), "{}", found.join("\n\n"));
}

/// What is wrong with these pages, in light and dark, on a phone and on a desk.
fn look_at(browser: &Browser, scene: &Scene, paths: &[String], axe: Option<&str>) -> Vec<String> {
    let mut found = Vec::new();
    for path in paths {
        for (width, is_dark) in [(PHONE, false), (PHONE, true), (DESK, false), (DESK, true)] {
            browser.look(width, is_dark);
            browser.go(&scene.url(path));
            assert_fits(browser);
            assert_clean_but(browser, (path == LOCKED).then_some("status of 401"));
            let barriers = axe.map(|axe| barriers(browser, axe)).unwrap_or_default();
            found.extend(barriers.into_iter().map(|line| format!("{path}, {width} px, dark {is_dark}: {line}")));
        }
    }
    browser.look(DESK, false);
    found
}

#[test]
fn the_page_of_the_cluster_fits_and_keeps_nobody_out() {
    let Some(browser) = Browser::open() else { return };
    let axe = browser::axe();
    let dir = tempfile::tempdir().unwrap();
    common::write_config(
        dir.path(),
        &format!(
            "peers:
  cluster: acme
  secret: a secret of this cluster and of no other one
  nodes:
    - {{ name: here, region: eu-west, url: \"ws://127.0.0.1:{}/peer\" }}
    - {{ name: there, region: us-east, url: \"ws://127.0.0.1:{}/peer\" }}
monitors: [{{ name: Shop, tcp: \"127.0.0.1:{}\" }}]
status_pages: [{{ slug: shop, title: The shop, groups: [{{ name: Web, monitors: [Shop] }}] }}]
",
            closed_port(),
            closed_port(),
            closed_port()
        ),
    );
    let instance = Instance::start_with(dir, &[("VIGILMON_NODE", "here")]);
    browser.go(&instance.sign_in_link);
    browser.click(&browser.find("form button[type=submit]"));
    browser.find_saying("button", "Sign out");
    let mut found = Vec::new();
    for path in ["/peers", "/monitors", "/monitors/shop", "/status/shop"] {
        for (width, is_dark) in [(PHONE, false), (PHONE, true), (DESK, false), (DESK, true)] {
            browser.look(width, is_dark);
            browser.go(&format!("http://{}{path}", instance.address));
            assert_fits(&browser);
            assert_clean(&browser);
            let barriers = axe.as_deref().map(|axe| barriers(&browser, axe)).unwrap_or_default();
            found.extend(barriers.into_iter().map(|line| format!("{path}, {width} px, dark {is_dark}: {line}")));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n\n"));
}

#[test]
fn without_scripts_nothing_is_missing() {
    let Some(browser) = Browser::open() else { return };
    browser.allow_scripts(false);
    let scene = Scene::start();
    let incident = scene.break_shop()["incident_id"].as_str().unwrap().to_owned();
    browser.go(&scene.url("/status/shop"));
    for text in ["The shop", "1 of 3 services is down", "Shop", "Nightly backup", "Past incidents", "new data centre"] {
        wait_for(text, || {
            browser.reload();
            browser.text().contains(text).then_some(())
        });
    }
    scene.sign_in(&browser);
    for (path, text) in [("/monitors", "Nightly backup"), ("/monitors/shop", "503"), ("/incidents", "Shop"), ("/config", "Active version")]
    {
        browser.go(&scene.url(path));
        assert!(browser.text().contains(text), "{path} without `{text}`: {}", browser.text());
        assert_clean(&browser);
    }
    browser.go(&scene.url(&format!("/incidents/{incident}")));
    browser.fill(&browser.find("form[action$=acknowledge] input[name=note]"), "by hand");
    browser.click(&browser.find_saying("button", "Acknowledge"));
    wait_for("who is at work on it", || browser.text().contains("by hand").then_some(()));
    browser.go(&scene.url("/monitors/shop"));
    browser.click(&browser.find("form[action$='/pause'] button"));
    scene.instance.wait_for_verdict("shop", "paused");
    browser.click(&browser.find("form[action$='/resume'] button"));
    wait_for("checks", || (scene.instance.verdict("shop") != "paused").then_some(()));
    assert_clean(&browser);
}

/// Monitors, groups, pages, channels and answers that are called what an attacker would call them.
fn hostile_config(target: &Server, sink: &Server) -> String {
    let quoted = |text: &str| Value::String(text.replace('$', "$$")).to_string();
    let mut monitors = String::new();
    for (i, text) in HOSTILE.iter().enumerate() {
        monitors.push_str(&format!(
            "  - {{ id: m{i}, name: {name}, group: {name}, http: {{ url: {url}, headers: {{ X-Test: {name} }} }}, expect: {{ body_contains: {name} }}, labels: {{ team: {name} }} }}\n",
            name = quoted(text),
            url = quoted(&target.url("/")),
        ));
    }
    let page = |i: usize| {
        let name = quoted(HOSTILE[i]);
        format!(
            "  - {{ slug: p{i}, title: {name}, show: {{ errors: true, targets: true, regions: true }}, groups: [{{ name: {name}, monitors: [\"*\"] }}], announcements: [{{ at: 2026-06-30T10:00:00Z, kind: info, text: {name} }}] }}\n"
        )
    };
    let pages: String = (0..HOSTILE.len()).map(page).collect();
    format!(
        "defaults: {{ interval: 1s, timeout: 1s, confirm: {{ failures: 1 }}, channels: [{channel}] }}
channels: [{{ name: {channel}, webhook: {{ url: \"{}\" }} }}]
monitors:
{monitors}  - {{ name: beat, heartbeat: {{ interval: 1d, token: beat-token-0123456789abcdef }} }}
status_pages:
{pages}",
        sink.url("/hook"),
        channel = quoted(HOSTILE[0]),
    )
}

#[test]
fn whatever_things_are_called_no_script_runs() {
    let Some(browser) = Browser::open() else { return };
    let (target, sink) = (Server::start(Answer::Status(200, HOSTILE[2])), Server::start(Answer::Status(500, HOSTILE[3])));
    let dir = tempfile::tempdir().unwrap();
    let config = hostile_config(&target, &sink);
    common::write_config(dir.path(), &config);
    let instance = Instance::start_in(dir);
    instance.wait_for_verdict("m0", "down");
    for (i, text) in HOSTILE.iter().enumerate() {
        let fails = if i % 2 == 0 { "/fail" } else { "" };
        let ping =
            request(&instance.address, "POST", &format!("/heartbeat/beat-token-0123456789abcdef{fails}"), &[("user-agent", text)], text);
        assert_eq!(ping.0, 200, "{ping:?}");
    }
    wait_for("a message that was refused", || (!sink.asked().is_empty()).then_some(()));
    browser.go(&instance.sign_in_link);
    browser.click(&browser.find("form button[type=submit]"));
    browser.find_saying("button", "Sign out");
    let silenced = instance.run(&["silence", "add", "--groups", HOSTILE[5], "--for", "1h", "--note", HOSTILE[1]]);
    assert!(silenced.status.success(), "{}", common::stderr(&silenced));
    let mut paths: Vec<String> =
        ["/monitors", "/monitors/beat", "/incidents", "/silences", "/maintenance", "/channels", "/config"].map(str::to_owned).into();
    paths.extend((0..HOSTILE.len()).flat_map(|i| [format!("/monitors/m{i}"), format!("/status/p{i}")]));
    let open: Vec<String> = instance.status()["monitors"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|monitor| Some(format!("/incidents/{}", monitor["open_incidents"][0]["id"].as_str()?)))
        .collect();
    assert!(!open.is_empty());
    paths.extend(open);
    for path in paths {
        browser.go(&format!("http://{}{path}", instance.address));
        assert_clean(&browser);
        // Ours come from files and from nowhere else.
        let foreign = browser.execute(
            "return [...document.querySelectorAll('script:not([src]), iframe, object, embed, base, [style]'), ...document.querySelectorAll('*')]
                .filter((each, i, all) => each.matches('script:not([src]), iframe, object, embed, base, [style]')
                  || [...each.attributes].some((attribute) => attribute.name.startsWith('on'))).map((each) => each.outerHTML.slice(0, 200))",
            &json!([]),
        );
        assert_eq!(foreign, json!([]), "{path}");
    }
}

/// `VIGILMON_PICTURES=docs/images cargo test --test browser pictures` makes the pictures of the README: the pages worth showing, in light
/// and dark. Without that nothing is written.
#[test]
fn pictures() {
    let Some(target) = std::env::var_os("VIGILMON_PICTURES") else { return };
    let Some(browser) = Browser::open() else { return };
    let scene = Scene::start();
    let incident = scene.break_shop()["incident_id"].as_str().unwrap().to_owned();
    scene.sign_in(&browser);
    fs::create_dir_all(&target).unwrap();
    for (name, path) in [
        ("status", "/status/shop".to_owned()),
        ("dashboard", "/monitors".to_owned()),
        ("monitor", "/monitors/shop".to_owned()),
        ("incident", format!("/incidents/{incident}")),
    ] {
        for (look, width, is_dark) in [("light", DESK, false), ("dark", DESK, true), ("phone", PHONE, false)] {
            browser.look(width, is_dark);
            browser.go(&scene.url(&path));
            fs::write(Path::new(&target).join(format!("{name}-{look}.png")), browser.picture()).unwrap();
        }
    }
}
