//! Signing in at a provider of identities with the real binary: the whole way there and back, and every way in which it must not work.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::Answered;
use common::Instance;
use common::closed_port;
use common::provider::CLIENT_SECRET;
use common::provider::Provider;
use common::provider::Twist;
use common::request;
use common::wait_for;
use serde_json::Value;
use serde_json::json;

/// Cookies and nothing else.
struct Browser {
    address: String,
    cookies: BTreeMap<String, String>,
}

fn header(answer: &Answered, name: &str) -> Option<String> {
    let found = answer.1.lines().filter_map(|line| line.split_once(": ")).find(|(found, _)| found.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.to_owned())
}

impl Browser {
    fn at(address: &str) -> Browser {
        Browser { address: address.to_owned(), cookies: BTreeMap::new() }
    }

    fn ask(&mut self, method: &str, path: &str, body: &str) -> Answered {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let mut headers = vec![("cookie", cookies.as_str())];
        if method == "POST" {
            headers.extend([("sec-fetch-site", "same-origin"), ("content-type", "application/x-www-form-urlencoded")]);
        }
        let answer = request(&self.address, method, path, &headers, body);
        for line in answer.1.lines().filter_map(|line| line.strip_prefix("set-cookie: ")) {
            assert!(line.contains("; HttpOnly; SameSite=Lax"), "{line}");
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            if line.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    fn get(&mut self, path: &str) -> Answered {
        self.ask("GET", path, "")
    }

    /// Goes to the provider; gives back the path at which it is sent back.
    #[track_caller]
    fn visit_provider(&mut self, provider: &Provider, begin: &str) -> String {
        let begun = self.get(begin);
        assert_eq!(begun.0, 303, "{}", begun.2);
        let there = header(&begun, "location").unwrap();
        let path = there.strip_prefix(&provider.issuer()).unwrap_or_else(|| panic!("not the provider: {there}"));
        let back = header(&request(&provider.address.to_string(), "GET", path, &[], ""), "location").unwrap();
        back.strip_prefix(&format!("http://{}", self.address)).unwrap().to_owned()
    }

    #[track_caller]
    fn sign_in(&mut self, provider: &Provider) -> Answered {
        let back = self.visit_provider(provider, "/sign-in/oidc");
        self.get(&back)
    }

    fn is_signed_in(&mut self) -> bool {
        self.get("/monitors").0 == 200
    }

    /// What this user may do: look, pause, forget a node.
    fn rights(&mut self) -> [u16; 3] {
        let (status, _, page) = self.get("/monitors/web");
        let token = page.split("name=\"form\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned();
        let form = format!("form={token}");
        // A node that is not there cannot be forgotten, which only an admin is told.
        [status, self.ask("POST", "/monitors/web/check", &form).0, self.ask("POST", "/peers/nowhere/forget", &form).0]
    }
}

const LOOKS: [u16; 3] = [200, 403, 403];
const OPERATES: [u16; 3] = [200, 303, 403];
const ADMINISTERS: [u16; 3] = [200, 303, 409];

fn config(dir: &Path, port: u16, auth: &str) -> String {
    format!(
        "server: {{ listen: 127.0.0.1:{port}, public_url: \"http://127.0.0.1:{port}\" }}\ninstance: {{ state_dir: {} }}\n{auth}\n\
         monitors: [{{ name: web, tcp: \"127.0.0.1:{port}\", interval: 1h }}]\n",
        dir.join("state").display(),
    )
}

fn oidc(provider: &Provider, more: &str) -> String {
    format!(
        "auth: {{ oidc: {{ issuer: \"{}\", name: Acme, client_id: vigilmon, client_secret: \"{CLIENT_SECRET}\", {more} }} }}",
        provider.issuer()
    )
}

const STAFF: &str = "allowed: { groups: [staff] }, roles: { sre: admin, dev: operator }";

/// An instance that knows this provider.
fn start(provider: &Provider) -> (Instance, u16) {
    let (dir, port) = (tempfile::tempdir().unwrap(), closed_port());
    fs::write(dir.path().join("config.yaml"), config(dir.path(), port, &oidc(provider, STAFF))).unwrap();
    (Instance::start_in(dir), port)
}

#[track_caller]
fn reload(instance: &Instance, port: u16, auth: &str) {
    fs::write(instance.path().join("config.yaml"), config(instance.path(), port, auth)).unwrap();
    let reloaded = instance.run(&["reload"]);
    assert!(reloaded.status.success(), "{}", common::stderr(&reloaded));
}

fn ada(groups: &[&str]) -> Value {
    json!({ "sub": "42", "preferred_username": "ada", "email": "ada@example.com", "groups": groups })
}

#[test]
fn somebody_signs_in_at_the_provider_and_out_again() {
    let provider = Provider::start();
    provider.person(&ada(&["staff", "sre"]), &json!({}));
    let (mut instance, _) = start(&provider);
    let mut browser = Browser::at(&instance.address);
    assert_eq!(header(&browser.get("/incidents"), "location").as_deref(), Some("/sign-in?next=/incidents"));
    let page = browser.get("/sign-in?next=/incidents").2;
    assert!(page.contains("href=\"/sign-in/oidc?next=/incidents\"") && page.contains("Sign in with Acme"), "{page}");
    let back = browser.visit_provider(&provider, "/sign-in/oidc?next=/incidents");
    let before = browser.cookies.clone();
    let landed = browser.get(&back);
    assert_eq!((landed.0, header(&landed, "location").as_deref()), (303, Some("/incidents")));
    assert!(browser.get("/monitors").2.contains("ada"), "the page says who is signed in");
    assert_eq!(browser.rights(), ADMINISTERS);
    assert_eq!(provider.asked(), ["/.well-known/openid-configuration", "/keys", "/authorize", "/token"]);
    assert!(!browser.cookies.contains_key("vigilmon-oidc"), "the ticket is used");

    // The same address again, in a browser that kept its cookie: the code is used.
    let mut again = Browser { address: instance.address.clone(), cookies: before };
    assert_eq!(again.get(&back).0, 400);
    assert!(!again.is_signed_in());

    // It is on the disk, with what the provider said.
    instance.kill_and_restart();
    assert_eq!(browser.rights(), ADMINISTERS);

    // After a restart the way out of the provider is known again once somebody came from there: nobody is asked for it.
    let first = browser.cookies.clone();
    browser.sign_in(&provider);
    assert_ne!(browser.cookies, first, "a new sign-in has a new session");
    assert!(!Browser { address: instance.address.clone(), cookies: first }.is_signed_in(), "and the one before ends");
    let out = browser.ask("POST", "/sign-out", "");
    assert!(out.0 == 200 && out.2.contains(&format!("{}/end?client_id=vigilmon", provider.issuer())), "{}", out.2);
    assert!(!browser.is_signed_in() && browser.cookies.is_empty());
    for entry in fs::read_dir(instance.path().join("state")).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
        let bytes = fs::read(entry.path()).unwrap();
        let has = |text: &[u8]| bytes.windows(text.len()).any(|found| found == text);
        assert!(!has(b"opens-the-userinfo") && !has(b"ada@example.com"), "{:?} keeps more than is needed", entry.path());
    }
}

#[test]
fn what_did_not_begin_in_this_browser_ends_here() {
    let provider = Provider::start();
    provider.person(&ada(&["staff"]), &json!({}));
    let (instance, _) = start(&provider);
    let mut browser = Browser::at(&instance.address);
    let back = browser.visit_provider(&provider, "/sign-in/oidc");
    let _ = provider.asked();
    // Somebody else's way, as an attacker would send it to sign people in as themselves.
    let mut other = Browser::at(&instance.address);
    let refused = other.get(&back);
    assert!(refused.0 == 400 && refused.2.contains("Begin again") && other.cookies.is_empty(), "{}", refused.2);
    let _ = other.visit_provider(&provider, "/sign-in/oidc");
    assert_eq!(other.get(&back).0, 400, "a ticket of its own does not fit");
    let (path, query) = back.split_once('?').unwrap();
    for wrong in [
        path.to_owned(),
        format!("{path}?code=code-1"),
        back.replace("state=", "state=x"),
        back.replace("state=", "other="),
        format!("{back}&state=x"),
        format!("{back}&code=code-2"),
        format!("{path}?{query}&{query}"),
    ] {
        let mut copy = Browser { address: instance.address.clone(), cookies: browser.cookies.clone() };
        assert_eq!(copy.get(&wrong).0, 400, "{wrong}");
        assert!(!copy.is_signed_in(), "{wrong}");
    }
    assert_eq!(provider.asked().iter().filter(|path| *path == "/token").count(), 0, "nobody was asked about any of it");
    assert_eq!(browser.get(&back).0, 303, "and the right one still works");

    // Wherever somebody wants to go afterwards, it is one of our own pages.
    for evil in ["//evil.example", "/%5Cevil.example", "https://evil.example", "%09//evil.example", "/sign-out", "javascript:alert(1)"] {
        let mut browser = Browser::at(&instance.address);
        let back = browser.visit_provider(&provider, &format!("/sign-in/oidc?next={evil}"));
        assert_eq!(header(&browser.get(&back), "location").as_deref(), Some("/monitors"), "{evil}");
    }
}

#[test]
fn a_provider_that_breaks_the_rules_signs_nobody_in() {
    let provider = Provider::start();
    let (instance, _) = start(&provider);
    let twists = [
        (Twist::Refuses("access_denied"), 403),
        (Twist::Refuses("<script>alert(1)</script>"), 502),
        (Twist::Unsigned, 502),
        (Twist::SignedByPublicKey, 502),
        (Twist::OtherKey, 502),
        (Twist::Claim("iss", "https://evil.example"), 502),
        (Twist::Claim("aud", "other"), 502),
        (Twist::Claim("azp", "other"), 502),
        (Twist::Claim("nonce", "other"), 502),
        (Twist::Claim("sub", ""), 502),
        (Twist::Expired, 502),
        (Twist::FromTheFuture, 502),
        (Twist::OtherIssuer, 502),
        (Twist::OtherUserinfo, 502),
    ];
    for (twist, status) in twists {
        // Without its groups, so that the user info is asked for.
        let person = json!({ "sub": "42", "preferred_username": "ada", "email": "ada@example.com" });
        provider.person(&person, &json!({ "groups": ["staff"] }));
        provider.twist(twist);
        let mut browser = Browser::at(&instance.address);
        let answer = browser.sign_in(&provider);
        assert_eq!(answer.0, status, "{twist:?}");
        assert!(browser.cookies.is_empty() && !browser.is_signed_in(), "{twist:?}");
        assert!(!answer.2.contains("alert(1)") && answer.2.contains("Acme"), "{twist:?}: {}", answer.2);
        // The same without the twist works, which also forgives the attempt.
        provider.twist(Twist::None);
        let mut browser = Browser::at(&instance.address);
        assert_eq!(browser.sign_in(&provider).0, 303, "{twist:?}");
        assert_eq!(browser.rights(), LOOKS, "{twist:?}");
    }
    assert!(!instance.log().contains("alert(1)") && !instance.log().contains(CLIENT_SECRET));

    // A key that is new is asked for, once.
    provider.rotate();
    let _ = provider.asked();
    assert!(Browser::at(&instance.address).sign_in(&provider).0 == 303);
    assert_eq!(provider.asked().iter().filter(|path| *path == "/keys").count(), 1);
}

#[test]
fn a_user_info_that_is_not_for_us_takes_nothing_from_what_the_token_says() {
    let provider = Provider::start();
    let (instance, port) = start(&provider);
    // Everything is in the token: nobody is asked.
    provider.person(&json!({ "sub": "42", "preferred_username": "ada", "groups": ["staff", "dev"] }), &json!({}));
    let mut browser = Browser::at(&instance.address);
    assert_eq!(browser.sign_in(&provider).0, 303);
    assert_eq!(browser.rights(), OPERATES);
    assert!(!provider.asked().iter().any(|path| path == "/userinfo"));
    for status in [401, 403] {
        // What the config needs is there, and nothing to call somebody by.
        provider.person(&json!({ "sub": "42", "groups": ["staff", "dev"] }), &json!({ "name": "Ada" }));
        provider.twist(Twist::NoUserinfo(status));
        let mut browser = Browser::at(&instance.address);
        assert_eq!(browser.sign_in(&provider).0, 303, "{status}");
        assert_eq!(browser.rights(), OPERATES, "{status}");
        assert!(provider.asked().iter().any(|path| path == "/userinfo"), "{status}");
        // Groups that nobody tells let nobody in.
        provider.person(&json!({ "sub": "42", "preferred_username": "ada" }), &json!({ "groups": ["staff"] }));
        assert_eq!(Browser::at(&instance.address).sign_in(&provider).0, 403, "{status}");
        provider.twist(Twist::None);
        assert_eq!(Browser::at(&instance.address).sign_in(&provider).0, 303, "{status}: which forgives the attempt");
    }
    reload(&instance, port, &oidc(&provider, "allowed: everyone"));
    provider.person(&json!({ "sub": "42", "preferred_username": "ada" }), &json!({}));
    let _ = provider.asked();
    assert_eq!(Browser::at(&instance.address).sign_in(&provider).0, 303);
    assert!(!provider.asked().iter().any(|path| path == "/userinfo"), "nothing of it would be looked at");
}

#[test]
fn the_config_says_who_comes_in_and_what_they_may_and_says_so_at_once() {
    let provider = Provider::start();
    let (instance, port) = start(&provider);
    for (groups, status) in [(&["other"][..], 403), (&["sre"], 403), (&["staff"], 303)] {
        provider.person(&ada(groups), &json!({}));
        let answer = Browser::at(&instance.address).sign_in(&provider);
        assert_eq!(answer.0, status, "{groups:?}");
        assert_eq!(answer.2.contains("you may not use vigilmon"), status == 403, "{groups:?}");
    }
    provider.person(&ada(&["staff", "dev"]), &json!({}));
    let mut browser = Browser::at(&instance.address);
    assert_eq!(browser.sign_in(&provider).0, 303);
    assert_eq!(browser.rights(), OPERATES);
    for (more, rights) in [
        ("allowed: { groups: [staff] }, roles: { staff: admin }", ADMINISTERS),
        ("allowed: { groups: [staff] }, roles: { other: admin }", LOOKS),
        ("allowed: { groups: [staff] }, roles: { dev: operator }", OPERATES),
    ] {
        reload(&instance, port, &oidc(&provider, more));
        assert_eq!(browser.rights(), rights, "{more}");
    }
    // Whoever may not come in any more is out, and stays out when the config is changed back.
    reload(&instance, port, &oidc(&provider, "allowed: { groups: [other] }"));
    assert!(!browser.is_signed_in());
    reload(&instance, port, &oidc(&provider, STAFF));
    assert!(!browser.is_signed_in(), "the session is gone");
    assert_eq!(browser.sign_in(&provider).0, 303);
    reload(&instance, port, "auth: { users: [] }");
    assert!(!browser.is_signed_in());
    assert_eq!(browser.get("/sign-in/oidc").0, 404, "there is no provider any more");
    let log = instance.log();
    assert!(log.contains("`ada` signed in"), "{log}");
}

#[test]
fn while_the_provider_is_away_the_page_says_so_and_a_link_still_works() {
    let provider = Provider::start();
    provider.person(&ada(&["staff"]), &json!({}));
    let (instance, _) = start(&provider);
    for twist in [Twist::Nonsense, Twist::Silent] {
        provider.twist(twist);
        let answer = wait_for("the pause after the trouble before", || {
            let answer = Browser::at(&instance.address).get("/sign-in/oidc");
            (answer.2.contains("does not answer") == (twist == Twist::Silent)).then_some(answer)
        });
        assert_eq!(answer.0, 502, "{twist:?}");
        assert!(answer.2.contains("Sign in with Acme") && !answer.2.contains("alert(1)"), "{}", answer.2);
    }
    // However often strangers come, the log has each trouble once, not each visit.
    let n_said = |instance: &Instance| instance.log().matches("the identity provider does not answer").count();
    let (before, began) = (n_said(&instance), std::time::Instant::now());
    for _ in 0..20 {
        assert_eq!(Browser::at(&instance.address).get("/sign-in/oidc").0, 502);
    }
    // It rests for five seconds after each trouble; every second one of these may be one that was asked.
    let n_more = n_said(&instance) - before;
    assert!(n_more <= 1 + usize::try_from(began.elapsed().as_secs()).unwrap() / 5, "{n_more} lines");
    // Nobody else has to wait for it meanwhile.
    let mut browser = Browser::at(&instance.address);
    let path = instance.sign_in_link.split(&instance.address).nth(1).unwrap();
    assert_eq!(browser.ask("POST", path, "").0, 303);
    assert_eq!(browser.rights(), ADMINISTERS);
    provider.twist(Twist::None);
    wait_for("the provider", || (Browser::at(&instance.address).get("/sign-in/oidc").0 == 303).then_some(()));
    assert_eq!(Browser::at(&instance.address).sign_in(&provider).0, 303);
}
