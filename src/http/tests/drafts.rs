//! New monitors: who may fill them in, what is shown, and that nobody makes a scanner of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::task::Context;
use std::task::Waker;
use std::time::Duration;

use hyper::StatusCode;

use crate::config::ApiToken;
use crate::config::Problem;
use crate::config::Role;
use crate::config::Scope;
use crate::config::User;
use crate::http::archive::Later;
use crate::http::drafts::Addition;
use crate::http::drafts::Drafts;
use crate::http::drafts::NotAdded;
use crate::http::drafts::Turn;
use crate::http::drafts::Workbench;
use crate::http::limits::DRAFTS_AT_ONCE;
use crate::http::limits::DRAFTS_WAITING_MAX;
use crate::http::limits::TRIES_MAX;
use crate::http::limits::TRIES_WITHIN;
use crate::http::limits::TRY_TIMEOUT;
use crate::http::random::sha256;
use crate::http::tests::world::NOON;
use crate::http::tests::world::World;
use crate::http::tests::world::config;
use crate::http::tests::world::monitor;
use crate::http::tests::world::snapshot;
use crate::http::tests::world::user;
use crate::http::tests::world::usual;
use crate::http::tests::world::view;
use crate::model::id::MonitorId;
use crate::model::monitor::Monitor;
use crate::model::result::CheckResult;
use crate::model::result::Failure;
use crate::model::result::Observation;
use crate::model::result::OwnTrouble;
use crate::model::secret::Secret;
use crate::rules::judge::judge;

/// A bench that notes what it is given, refuses what has a `!` in it, and checks nothing.
#[derive(Debug, Default)]
struct Noted {
    items: Mutex<Vec<String>>,
    checks: Mutex<Vec<Duration>>,
    added: Mutex<Vec<Addition>>,
    /// Why nothing can be added, when nothing can.
    refuses: Mutex<Option<&'static str>>,
    /// What a check finds, when it finds something.
    finds: Mutex<Option<Failure>>,
    /// The turns of work that goes on although nobody waits for it; `None` when all work ends.
    goes_on: Mutex<Option<Vec<Turn>>>,
}

impl Noted {
    fn work(&self, turn: Turn) {
        if let Some(turns) = self.goes_on.lock().unwrap().as_mut() {
            turns.push(turn);
        }
    }
}

impl Workbench for Noted {
    fn fit<'a>(&'a self, item: String, turn: Turn) -> Later<'a, Result<Arc<Monitor>, Vec<Problem>>> {
        self.work(turn);
        let is_bad = item.contains('!');
        self.items.lock().unwrap().push(item);
        let problem = || Problem {
            file: "new monitor".into(),
            line: 2,
            column: 11,
            path: "monitors[1].http".to_owned(),
            message: "<b>not an address</b>".to_owned(),
            hint: "write one".to_owned(),
        };
        let slow = Monitor { timeout: Duration::from_secs(600), ..monitor("draft", "db") };
        Box::pin(std::future::ready(if is_bad { Err(vec![problem()]) } else { Ok(Arc::new(slow)) }))
    }

    fn check<'a>(&'a self, monitor: Arc<Monitor>, within: Duration) -> Later<'a, CheckResult> {
        self.checks.lock().unwrap().push(within);
        let observation = Observation::not_made(OwnTrouble::Setup("this bench checks nothing".to_owned()));
        let mut result = judge(&monitor, observation, NOON);
        if let Some(failure) = self.finds.lock().unwrap().clone() {
            result.failure = Some(failure);
            result.transcript.lines = vec!["< x-canary: header".to_owned(), "canary of the body".to_owned()];
        }
        Box::pin(std::future::ready(result))
    }

    fn look<'a>(&'a self, file: PathBuf, turn: Turn) -> Later<'a, Result<String, String>> {
        self.work(turn);
        assert_eq!(file, PathBuf::from("web.yaml"));
        Box::pin(std::future::ready(Ok("digest-of-now".to_owned())))
    }

    fn add<'a>(&'a self, wanted: Addition, meant: Arc<Monitor>, turn: Turn) -> Later<'a, Result<MonitorId, NotAdded>> {
        self.work(turn);
        assert_eq!(meant.name, "draft", "what was filled in is loaded before");
        self.added.lock().unwrap().push(wanted);
        let refused = self.refuses.lock().unwrap().map(|why| NotAdded::Refused(why.to_owned()));
        Box::pin(std::future::ready(refused.map_or_else(|| Ok(MonitorId::parse("api").unwrap()), Err)))
    }
}

async fn with_bench(mut world: World) -> (World, Arc<Noted>) {
    let noted = Arc::new(Noted::default());
    let site = Arc::get_mut(&mut world.site).expect("nobody else has it yet");
    site.desk.drafts = Some(Drafts::new(noted.clone(), site.reloads.clone()));
    (world, noted)
}

#[tokio::test]
async fn what_was_filled_in_is_shown_as_yaml_and_tried_out() {
    let (world, noted) = with_bench(World::new(usual()).await).await;
    let cookie = world.sign_in().await;
    let page = world.get("/new-monitor?kind=tcp", &[("cookie", &cookie)]).await;
    assert!(page.status == 200 && page.body.contains("Host and port") && !page.body.contains("data-refresh"), "{}", page.body);
    let form =
        format!("form={}&kind=http&target=https%3A%2F%2Fa.example%2F%22%3E&name=%3Cb%3E&channel=ops", world.form_token(&cookie).await);
    let shown = world.post("/new-monitor", &cookie, &format!("{form}&do=preview")).await;
    assert_eq!(shown.status, StatusCode::OK);
    let yaml = "  - name: \"<b>\"\n    http: \"https://a.example/\\\">\"\n    channels: [ops]\n";
    assert_eq!(*noted.items.lock().unwrap(), [yaml]);
    assert!(shown.body.contains("&lt;b&gt;") && !shown.body.contains("<b>") && !shown.body.contains("Tried now"), "{}", shown.body);
    assert!(noted.checks.lock().unwrap().is_empty());

    let tried = world.post("/new-monitor", &cookie, &format!("{form}&do=try")).await;
    assert!(tried.body.contains("Tried now") && tried.body.contains("this bench checks nothing"), "{}", tried.body);
    assert_eq!(*noted.checks.lock().unwrap(), [TRY_TIMEOUT], "a long timeout of the config is not waited for");
    let job = world.post("/new-monitor", &cookie, &form.replace("kind=http", "kind=heartbeat&do=try")).await;
    assert!(job.status == 200 && !job.body.contains("Tried now"), "{}", job.body);

    let wrong = world.post("/new-monitor", &cookie, &format!("{form}&group=!&do=try")).await;
    assert!(wrong.status == 200 && wrong.body.contains("&lt;b&gt;not an address") && !wrong.body.contains("Tried now"), "{}", wrong.body);
    let at_field = "aria-invalid=\"true\" aria-describedby=\"wrong-target\"><span class=\"cause\" id=\"wrong-target\">&lt;b&gt;not an address&lt;/b&gt;; write one</span></label>";
    assert!(wrong.body.contains(at_field) && wrong.body.matches("aria-invalid").count() == 1, "{}", wrong.body);
    for place in ["new monitor:", "monitors[1]"] {
        assert!(!wrong.body.contains(place), "nobody has seen what `{place}` names: {}", wrong.body);
    }
    assert_eq!(noted.checks.lock().unwrap().len(), 1);
    assert!(world.asked.lock().unwrap().is_empty(), "the engine hears nothing of it");
}

#[tokio::test]
async fn only_people_who_may_change_things_reach_it_and_only_from_our_page() {
    let mut config = config();
    let hash = Secret::new(data_encoding::HEXLOWER.encode(&sha256(b"writer")));
    config.auth.tokens = vec![ApiToken { name: "writer".to_owned(), hash, scope: Scope::Write }];
    let (world, noted) = with_bench(World::new(snapshot(config, vec![view(monitor("api", "db"), None)])).await).await;
    let cookie = world.sign_in().await;
    let form = format!("form={}&kind=http&target=http%3A%2F%2Fa.example&do=try", world.form_token(&cookie).await);
    let type_is = ("content-type", "application/x-www-form-urlencoded");
    let own = ("sec-fetch-site", "same-origin");
    for (why, headers, body, status) in [
        ("a stranger", &[type_is, own][..], form.as_str(), 403),
        ("an API token", &[type_is, ("authorization", "Bearer writer")], &form, 403),
        ("another site", &[type_is, ("cookie", &cookie), ("sec-fetch-site", "cross-site")], &form, 403),
        ("another origin", &[type_is, ("cookie", &cookie), ("origin", "https://evil.example")], &form, 403),
        ("nobody says from where", &[type_is, ("cookie", &cookie)], &form, 403),
        ("without the form's token", &[type_is, own, ("cookie", &cookie)], "kind=http&target=http%3A%2F%2Fa.example&do=try", 403),
    ] {
        assert_eq!(world.ask("POST", "/new-monitor", headers, body).await.status.as_u16(), status, "{why}");
    }
    let by_address = world.get("/new-monitor?kind=http&target=http://a.example&do=try", &[("cookie", &cookie)]).await;
    assert!(by_address.status == 200 && !by_address.body.contains("a.example"), "an address fills in nothing: {}", by_address.body);
    assert_eq!(world.get("/new-monitor", &[("authorization", "Bearer writer")]).await.status, StatusCode::FORBIDDEN);
    assert!(noted.items.lock().unwrap().is_empty() && noted.checks.lock().unwrap().is_empty());
}

#[tokio::test]
async fn it_is_too_slow_to_look_for_ports() {
    let (world, noted) = with_bench(World::new(usual()).await).await;
    let cookie = world.sign_in().await;
    let form = format!("form={}&kind=tcp&target=a%3A1&do=", world.form_token(&cookie).await);
    for i in 0..TRIES_MAX {
        assert_eq!(world.post("/new-monitor", &cookie, &format!("{form}try")).await.status, StatusCode::OK, "{i}");
    }
    let refused = world.post("/new-monitor", &cookie, &format!("{form}try")).await;
    assert_eq!((refused.status, refused.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "60"));
    assert_eq!(world.post("/new-monitor", &cookie, &format!("{form}preview")).await.status, StatusCode::OK, "looking goes on");
    world.clock.advance(TRIES_WITHIN);
    assert_eq!(world.post("/new-monitor", &cookie, &format!("{form}try")).await.status, StatusCode::OK);
    assert_eq!(noted.checks.lock().unwrap().len(), TRIES_MAX + 1);
}

/// A world in which `ops` with this role is signed in, and `instance.edit` names a file or not; with the cookie and the form's token.
async fn with_role(role: Role, edit: Option<&str>) -> (World, Arc<Noted>, String, String) {
    let mut config = config();
    config.instance.edit = edit.map(PathBuf::from);
    config.auth.users = vec![User { role, ..user("ops", "correct horse") }];
    let (world, noted) = with_bench(World::new(snapshot(config, vec![view(monitor("api", "db"), None)])).await).await;
    let cookie = world.post("/sign-in", "", "name=ops&password=correct+horse").await.cookie();
    let token = world.form_token(&cookie).await;
    (world, noted, cookie, format!("form={token}&kind=http&target=http%3A%2F%2Fa.example&name=New&channel=ops&seen=digest-of-then"))
}

#[tokio::test]
async fn an_admin_adds_what_is_shown_and_is_led_to_it() {
    let (world, noted, cookie, form) = with_role(Role::Admin, Some("web.yaml")).await;
    let shown = world.post("/new-monitor", &cookie, &form).await.body;
    for part in
        ["Add it to web.yaml", "value=\"digest-of-now\"", "action=\"/new-monitor/add\"", "name=\"target\" value=\"http://a.example\""]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(noted.added.lock().unwrap().is_empty());
    let added = world.post("/new-monitor/add", &cookie, &form).await;
    assert_eq!((added.status, added.header("location")), (StatusCode::SEE_OTHER, "/monitors/api"));
    let item = "  - name: New\n    http: http://a.example\n    channels: [ops]\n".to_owned();
    let expected = Addition { file: PathBuf::from("web.yaml"), seen: "digest-of-then".to_owned(), item, by: "ops".to_owned() };
    assert_eq!(*noted.added.lock().unwrap(), [expected]);

    *noted.refuses.lock().unwrap() = Some("<b>changed meanwhile</b>");
    let refused = world.post("/new-monitor/add", &cookie, &form).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.body.contains("&lt;b&gt;changed meanwhile") && refused.body.contains("value=\"digest-of-now\""), "{}", refused.body);
    let wrong = world.post("/new-monitor/add", &cookie, &format!("{form}&group=!")).await;
    assert!(wrong.status == StatusCode::CONFLICT && wrong.body.contains("not an address"), "{}", wrong.body);
    assert_eq!(noted.added.lock().unwrap().len(), 2, "what does not load is not even tried");
}

#[tokio::test]
async fn whoever_is_no_admin_learns_whether_it_answers_and_not_what() {
    for role in [Role::Operator, Role::Admin] {
        let (world, noted, cookie, form) = with_role(role, None).await;
        for (failure, said) in [
            (Failure::Body { detail: "the body has `canary`".to_owned() }, "the body is not what was expected"),
            (Failure::Header { detail: "`server` is `canary`".to_owned() }, "a header is not what was expected"),
            (Failure::Json { detail: "`$.a` is `canary`".to_owned() }, "a value in the JSON is not what was expected"),
            (Failure::Banner { detail: "it said `canary`".to_owned() }, "the service said something else"),
            (Failure::Redirect { detail: "to `canary`".to_owned() }, "a redirect could not be followed"),
            (Failure::Protocol { detail: "`canary`".to_owned() }, "the answer is not valid"),
            (Failure::Proxy { detail: "`canary`".to_owned() }, "the proxy refused"),
            (Failure::Partly { detail: "`canary`".to_owned() }, "some of its addresses work"),
            (Failure::Status { got: 503, expected: "200".to_owned() }, "status 503 instead of 200"),
        ] {
            *noted.finds.lock().unwrap() = Some(failure.clone());
            let tried = world.post("/new-monitor", &cookie, &format!("{form}&do=try")).await;
            assert_eq!(tried.status, StatusCode::OK);
            assert_eq!(tried.body.contains("canary"), role == Role::Admin, "{role:?} {failure:?}: {}", tried.body);
            assert!(role == Role::Admin || tried.body.contains(said), "{said}: {}", tried.body);
        }
    }
}

#[tokio::test]
async fn work_that_goes_on_keeps_its_place_and_those_who_wait_are_bounded() {
    let (world, noted, cookie, form) = with_role(Role::Admin, None).await;
    *noted.goes_on.lock().unwrap() = Some(Vec::new());
    for i in 0..DRAFTS_AT_ONCE {
        assert_eq!(world.post("/new-monitor", &cookie, &form).await.status, StatusCode::OK, "{i}");
    }
    // The answers are there, and the work still runs: nobody else has a turn.
    let waiting = std::iter::repeat_with(|| world.post("/new-monitor", &cookie, &form)).take(DRAFTS_WAITING_MAX);
    let mut waiting: Vec<_> = waiting.map(Box::pin).collect();
    for one in &mut waiting {
        assert!(one.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    let sent_away = world.post("/new-monitor", &cookie, &form).await;
    assert_eq!(sent_away.status, StatusCode::SERVICE_UNAVAILABLE);
    *noted.goes_on.lock().unwrap() = None;
    for answer in futures_util::future::join_all(waiting).await {
        assert_eq!(answer.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn nobody_else_adds_anything_and_nothing_is_added_without_a_file() {
    for (role, edit, status) in [(Role::Viewer, Some("web.yaml"), 403), (Role::Operator, Some("web.yaml"), 403), (Role::Admin, None, 409)] {
        let (world, noted, cookie, form) = with_role(role, edit).await;
        assert_eq!(world.post("/new-monitor/add", &cookie, &form).await.status.as_u16(), status, "{role:?} {edit:?}");
        assert!(!world.post("/new-monitor", &cookie, &form).await.body.contains("Add it to"), "{role:?} {edit:?}");
        assert!(noted.added.lock().unwrap().is_empty());
    }
    let (world, noted, cookie, form) = with_role(Role::Admin, Some("web.yaml")).await;
    let foreign = [("cookie", cookie.as_str()), ("sec-fetch-site", "cross-site"), ("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(world.ask("POST", "/new-monitor/add", &foreign, &form).await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.post("/new-monitor/add", &cookie, "kind=http&target=http%3A%2F%2Fa.example").await.status, StatusCode::FORBIDDEN);
    assert!(noted.added.lock().unwrap().is_empty());
}
