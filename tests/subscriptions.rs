//! From signing up at a status page over an outage to leaving, by mail and by webhook, with the real program: what is sent to whom, what not,
//! and that a kill repeats nothing.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod common;

use std::fs;

use common::Answer;
use common::Instance;
use common::Server;
use common::listener::Listener;
use common::mailer::Mailer;
use common::mailer::field;
use common::mailer::link;
use common::request;
use common::wait_for;
use serde_json::Value;

fn start(shop: &Server, mailer: &Mailer, subscriptions: &str) -> Instance {
    let dir = tempfile::tempdir().unwrap();
    // Joined with the section that every instance of these tests has already.
    fs::write(dir.path().join("public.yaml"), "server: { public_url: \"https://status.test\" }\n").unwrap();
    let config = format!(
        "include: [public.yaml]\n\
         defaults: {{ interval: 1s, timeout: 1s, confirm: {{ failures: 2, recheck: 1s }}, channels: [ops] }}\n\
         channels:\n  - {{ name: ops, webhook: {{ url: \"http://127.0.0.1:{}\" }} }}\n  \
         - {{ name: mail, email: {{ server: \"127.0.0.1:{}\", from: Acme <status@example.com>, to: ops@example.com }} }}\n\
         monitors: [{{ name: shop <b>, id: shop, http: \"{}\" }}]\n\
         status_pages:\n  - {{ slug: main, title: Acme, theme: {{ accent: '#0a7', dark: always, logo: 'https://pictures.example/mark.svg' }},\n      \
         groups: [{{ name: All, monitors: \"*\" }}], subscriptions: {subscriptions} }}\n  \
         - {{ slug: quiet, groups: [{{ name: All, monitors: \"*\" }}] }}\n",
        // Alerts fail all the while, and keep nobody from being told.
        common::closed_port(),
        mailer.port,
        shop.url("/secret-path")
    );
    common::write_config(dir.path(), &config);
    Instance::start_in(dir)
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

fn sign_up(instance: &Instance, body: &str) -> (u16, String) {
    let origin = format!("http://{}", instance.address);
    let (status, _, page) = request(&instance.address, "POST", "/status/main/subscribe", &[FORM, ("origin", &origin)], body);
    (status, page)
}

fn subscribers(instance: &Instance) -> Vec<Value> {
    let output = instance.run(&["subscribers", "list", "--json"]);
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    all["subscribers"].as_array().unwrap().clone()
}

#[test]
fn from_signing_up_over_an_outage_to_leaving() {
    let (shop, mailer, program) = (Server::start(Answer::Status(200, "ok")), Mailer::polite(), Listener::start());
    let mut instance = start(&shop, &mailer, "{ email: mail, webhook: true, allow_private: true }");
    instance.wait_for_verdict("shop", "up");

    let (status, _, page) = request(&instance.address, "GET", "/status/main", &[], "");
    assert!(status == 200 && page.contains("href=\"/status/main/subscribe\""), "{page}");
    let (status, headers, forms) = request(&instance.address, "GET", "/status/main/subscribe", &[("accept-language", "de")], "");
    // It looks like the page, and may show its picture.
    assert!(forms.contains("/status/main/theme.css?v=") && forms.contains("src=\"https://pictures.example/mark.svg\""), "{forms}");
    assert!(format!("{headers:?}").contains("img-src 'self' data: https://pictures.example;"), "{headers:?}");
    assert!(status == 200 && forms.contains("<html lang=\"de\" data-theme=\"dark\">") && forms.contains("type=\"email\""), "{forms}");
    assert_eq!(sign_up(&instance, "email=nonsense").0, 400);
    let (status, answer) = sign_up(&instance, "email=jo%40Example.org");
    assert_eq!(status, 200, "{answer}");
    let asked = mailer.wait_for(1).remove(0);
    assert_eq!(field(&asked, "To"), Some("jo@example.org"));
    assert_eq!(field(&asked, "List-Unsubscribe"), None);
    let path = link(&asked);
    for _ in 0..2 {
        let (status, _, page) = request(&instance.address, "GET", &path, &[], "");
        assert!(status == 200 && page.contains("value=\"confirm\""), "what scans mail opens links: {page}");
    }
    assert_eq!(subscribers(&instance)[0]["confirmed_at"], Value::Null);
    let (status, _, page) = request(&instance.address, "POST", &path, &[FORM], "do=confirm");
    assert_eq!(status, 200, "{page}");
    assert_eq!(sign_up(&instance, "email=jo%40example.org"), (200, answer), "the answer does not tell who is known");

    assert_eq!(sign_up(&instance, &format!("webhook={}", program.url)).0, 200);
    wait_for("both are confirmed", || subscribers(&instance).iter().all(|one| one["confirmed_at"].is_string()).then_some(()));
    assert_eq!(subscribers(&instance).len(), 2);

    shop.set(Answer::Status(503, "secret-answer"));
    let began = program.wait_for("incident_began");
    assert_eq!((&began["service"], &began["kind"]), (&"shop <b>".into(), &"outage".into()));
    let mails = mailer.wait_for(2);
    let told = &mails[1];
    assert_eq!(field(told, "Subject"), Some("[Acme] Outage: shop <b>"));
    assert_eq!(field(told, "List-Unsubscribe"), Some(format!("<https://status.test{path}>").as_str()));
    assert_eq!(field(told, "List-Unsubscribe-Post"), Some("List-Unsubscribe=One-Click"));
    assert_eq!(began["cause"], Value::Null);
    for hidden in ["secret", &shop.url("/")] {
        assert!(!told.contains(hidden) && !began.to_string().contains(hidden), "`{hidden}` is not on the page: {told} {began}");
    }

    instance.wait_until_nothing_is_on_its_way();
    instance.kill_and_restart();
    let update = instance.run(&["incident", "update", "shop", "--state", "identified", "--text", "A *cable*.", "--public"]);
    assert!(update.status.success(), "{}", common::stderr(&update));
    let note = instance.run(&["incident", "note", "shop", "--text", "the secret-note"]);
    assert!(note.status.success(), "{}", common::stderr(&note));
    assert_eq!(program.wait_for("update")["text"], "A *cable*.");

    // Whoever gets hold of the database alone can end nobody's subscription: half of the address is not in it.
    let (name, tag) = path.rsplit_once('/').unwrap().1.split_at(22);
    let state = instance.dir.path().join("state");
    let kept = ["vigilmon.db", "vigilmon.db-wal"].map(|file| fs::read(state.join(file)).unwrap()).concat();
    let has = |text: &str| kept.windows(text.len()).any(|part| part == text.as_bytes());
    assert_eq!((has(name), has(tag)), (true, false));
    let one_click = |path: &str| request(&instance.address, "POST", path, &[FORM], "List-Unsubscribe=One-Click").0;
    assert_eq!((one_click(&path), one_click(&path)), (200, 410));
    assert_eq!(subscribers(&instance).len(), 1);
    shop.set(Answer::Status(200, "ok"));
    program.wait_for("incident_ended");
    let events: Vec<Value> = program.news().into_iter().map(|news| news["event"].clone()).collect();
    assert_eq!(events, ["incident_began", "update", "incident_ended"], "each once, over a kill");
    assert!(!program.heard().iter().any(|body| body.to_string().contains("secret-note")));
    assert_eq!(mailer.mails().len(), 2, "who left is told nothing more");

    let removed = instance.run(&["subscribers", "remove", &program.url.replace("http://", "HTTP://")]);
    assert!(removed.status.success() && subscribers(&instance).is_empty(), "{}", common::stderr(&removed));
    assert_eq!(instance.run(&["subscribers", "remove", &program.url]).status.code(), Some(1));
    for address in ["jo@example.org", "/hook"] {
        assert!(!instance.log().contains(address), "`{address}` is in the log: {}", instance.log());
    }
}

#[test]
fn strangers_get_no_request_inside_and_no_form_where_none_is_offered() {
    let (shop, mailer, inside) = (Server::start(Answer::Status(200, "ok")), Mailer::polite(), Listener::start());
    let instance = start(&shop, &mailer, "{ webhook: true, max: 2 }");
    let at = |method: &str, path: &str, headers: &[(&str, &str)]| request(&instance.address, method, path, headers, "webhook=x");
    assert_eq!(at("POST", "/status/main/subscribe", &[FORM]).0, 403, "not from one of our pages");
    assert_eq!(at("POST", "/status/main/subscribe", &[FORM, ("origin", "https://evil.example")]).0, 403);
    assert_eq!(sign_up(&instance, "email=jo%40example.org").0, 400, "mail is not offered");
    assert_eq!(sign_up(&instance, &format!("webhook={}", inside.url)).0, 400, "an address inside");
    // A name is found out to lead inside when it is looked up, and nobody hears of it.
    let port = inside.url.rsplit_once(':').unwrap().1;
    assert_eq!(sign_up(&instance, &format!("webhook=http://localhost:{port}")).0, 200);
    assert_eq!(sign_up(&instance, &format!("webhook=http://localhost:{port}/other")).0, 200);
    assert_eq!(sign_up(&instance, &format!("webhook=http://localhost:{port}/third")).0, 409, "the page takes two");
    let unknown = at("GET", "/status/none/subscribe", &[]);
    assert_eq!((unknown.0, &at("GET", "/status/quiet/subscribe", &[]).2), (404, &unknown.2));
    assert_eq!(at("GET", "/subscription/AAAA", &[]).0, 410);
    assert_eq!(at("POST", "/subscription/AAAA", &[FORM]).0, 400, "it does not say what it wants");
    let tried = instance.run(&["subscribers", "list"]);
    assert_eq!(common::stdout(&tried).matches("not yet").count(), 2, "{}", common::stdout(&tried));
    assert_eq!(inside.heard().len(), 0);
}
