//! A real browser: Chromium, driven through its own WebDriver by a client of two hundred lines. It sees this machine and nothing else,
//! keeps its profile in a directory of its own, and is gone when it is dropped, also in a panic.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use super::PATIENCE;
use super::find_program;
use super::wait_for;

/// By this key WebDriver names an element in JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// One browser at a time: it takes half a gigabyte and every core it finds.
static TURN: Mutex<()> = Mutex::new(());

/// Browsers and their drivers, which are not ours, now and then end while they start: a port was taken between two looks at it.
const STARTS: usize = 4;

/// Sizes at which pages are looked at: a phone and a desk.
pub const PHONE: u32 = 390;
pub const DESK: u32 = 1440;

/// What of an element is needed to name it again.
#[derive(Debug, Clone)]
pub struct Element(String);

/// A browser with one tab.
pub struct Browser {
    driver: Driver,
    session: String,
    _profile: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Browser {
    /// A fresh one; `None`, and the reason printed, where there is none and need not be.
    pub fn open() -> Option<Browser> {
        let (program, chromium) = (find_program("chromedriver")?, find_program("chromium")?);
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut failures = Vec::new();
        while failures.len() < STARTS {
            let profile = tempfile::tempdir().unwrap();
            match Driver::start(&program).and_then(|driver| Ok((driver.begin(&chromium, profile.path())?, driver))) {
                Ok((session, driver)) => {
                    let browser = Browser { driver, session, _profile: profile, _turn: turn };
                    browser.look(DESK, false);
                    return Some(browser);
                }
                Err(failure) => failures.push(failure),
            }
        }
        panic!("no browser after {STARTS} starts:\n{}", failures.join("\n"));
    }

    /// Opens an address and waits until it is loaded.
    #[track_caller]
    pub fn go(&self, url: &str) {
        self.ask("POST", "/url", &json!({ "url": url }));
    }

    pub fn url(&self) -> String {
        self.ask("GET", "/url", &Value::Null).as_str().unwrap().to_owned()
    }

    pub fn title(&self) -> String {
        self.ask("GET", "/title", &Value::Null).as_str().unwrap().to_owned()
    }

    pub fn reload(&self) {
        self.ask("POST", "/refresh", &json!({}));
    }

    /// What a reader can read of the page.
    pub fn text(&self) -> String {
        self.execute("return document.body.innerText", &json!([])).as_str().unwrap_or_default().to_owned()
    }

    /// The first element of a CSS selector, which may take its time.
    #[track_caller]
    pub fn find(&self, selector: &str) -> Element {
        wait_for(&format!("`{selector}` on {}", self.url()), || self.all(selector).into_iter().next())
    }

    /// The first element of a CSS selector that shows this text.
    #[track_caller]
    pub fn find_saying(&self, selector: &str, text: &str) -> Element {
        let look = || self.all(selector).into_iter().find(|element| self.text_of(element).is_some_and(|shown| shown.contains(text)));
        wait_for(&format!("`{selector}` that says `{text}` on {}", self.url()), look)
    }

    pub fn all(&self, selector: &str) -> Vec<Element> {
        let found = self.ask("POST", "/elements", &json!({ "using": "css selector", "value": selector }));
        found.as_array().unwrap().iter().map(|element| Element(element[ELEMENT].as_str().unwrap().to_owned())).collect()
    }

    /// What it shows; `None` when the page has replaced it meanwhile.
    pub fn text_of(&self, element: &Element) -> Option<String> {
        let answer = self.driver.send("GET", &format!("{}/element/{}/text", self.session, element.0), &Value::Null);
        answer.ok().and_then(|text| text.as_str().map(str::to_owned))
    }

    #[track_caller]
    pub fn click(&self, element: &Element) {
        self.ask("POST", &format!("/element/{}/click", element.0), &json!({}));
    }

    /// Types into a field that may have a text already.
    #[track_caller]
    pub fn fill(&self, element: &Element, text: &str) {
        self.ask("POST", &format!("/element/{}/clear", element.0), &json!({}));
        self.ask("POST", &format!("/element/{}/value", element.0), &json!({ "text": text }));
    }

    /// Presses keys one after the other, wherever the focus is, faster than anybody can.
    #[track_caller]
    pub fn press(&self, keys: &str) {
        let strokes = keys.chars().flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key })));
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": strokes.collect::<Vec<Value>>() });
        self.ask("POST", "/actions", &json!({ "actions": [keyboard] }));
    }

    /// Runs a function's body in the page; the page's own policy does not hold for it.
    #[track_caller]
    pub fn execute(&self, script: &str, arguments: &Value) -> Value {
        self.ask("POST", "/execute/sync", &json!({ "script": script, "args": arguments }))
    }

    /// The same; the last argument of the body is what it calls with its answer.
    #[track_caller]
    pub fn execute_async(&self, script: &str, arguments: &Value) -> Value {
        self.ask("POST", "/execute/async", &json!({ "script": script, "args": arguments }))
    }

    /// The page as a PNG, from its top to its end.
    pub fn picture(&self) -> Vec<u8> {
        let size = self.devtools("Page.getLayoutMetrics", &json!({}))["cssContentSize"].clone();
        let clip = json!({ "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1 });
        let shot = self.devtools("Page.captureScreenshot", &json!({ "format": "png", "captureBeyondViewport": true, "clip": clip }));
        data_encoding::BASE64.decode(shot["data"].as_str().unwrap().as_bytes()).unwrap()
    }

    /// How wide the window is, and what the reader's system says about light and dark.
    pub fn look(&self, width: u32, is_dark: bool) {
        let metrics = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width <= PHONE });
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
        let scheme = json!({ "name": "prefers-color-scheme", "value": if is_dark { "dark" } else { "light" } });
        self.devtools("Emulation.setEmulatedMedia", &json!({ "features": [scheme] }));
    }

    /// Whether pages may run scripts, from the next one on.
    pub fn allow_scripts(&self, may: bool) {
        self.devtools("Emulation.setScriptExecutionDisabled", &json!({ "value": !may }));
    }

    /// Forgets who is signed in.
    pub fn forget_cookies(&self) {
        self.ask("DELETE", "/cookie", &Value::Null);
    }

    /// What the console was told since the last time it was asked: errors of scripts, breaches of the policy, answers that were none.
    pub fn console(&self) -> Vec<String> {
        let entries = self.ask("POST", "/se/log", &json!({ "type": "browser" }));
        let is_trouble = |entry: &&Value| entry["level"] != "DEBUG" && entry["level"] != "INFO";
        entries.as_array().unwrap().iter().filter(is_trouble).map(|entry| entry["message"].as_str().unwrap().to_owned()).collect()
    }

    /// The text of the dialog that a script opened.
    pub fn dialog(&self) -> Option<String> {
        let answer = self.driver.send("GET", &format!("{}/alert/text", self.session), &Value::Null);
        answer.ok().map(|text| text.as_str().unwrap_or_default().to_owned())
    }

    fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.ask("POST", "/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        match self.driver.send(method, &format!("{}{path}", self.session), body) {
            Ok(value) => value,
            Err(error) => panic!("the browser refuses {method} {path}: {error}"),
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser itself is in a process group of its own; its driver ends it.
        let _ = self.driver.send("DELETE", &self.session, &Value::Null);
    }
}

/// The program that speaks WebDriver. It is killed when it is dropped.
struct Driver {
    child: Child,
    address: String,
}

impl Driver {
    fn start(program: &Path) -> Result<Driver, String> {
        let mut command = Command::new(program);
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut driver = Driver { child: command.spawn().map_err(|error| error.to_string())?, address: String::new() };
        driver.address = format!("127.0.0.1:{}", driver.port()?);
        Ok(driver)
    }

    /// The port that the driver has chosen, which it says in its first lines; or whatever it says instead.
    fn port(&mut self) -> Result<u16, String> {
        let (sender, lines) = mpsc::channel();
        let said: [Box<dyn Read + Send>; 2] = [Box::new(self.child.stdout.take().unwrap()), Box::new(self.child.stderr.take().unwrap())];
        for stream in said {
            let sender = sender.clone();
            // Read to the end, or a talkative driver would stand still when the pipe is full.
            thread::spawn(move || BufReader::new(stream).lines().map_while(Result::ok).for_each(|line| drop(sender.send(line))));
        }
        drop(sender);
        let mut heard = String::new();
        let until = Instant::now() + PATIENCE;
        while let Ok(line) = lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            let port = line.rsplit_once("on port ").filter(|_| line.contains("successfully"));
            if let Some(port) = port.and_then(|(_, rest)| rest.trim_end_matches('.').parse().ok()) {
                return Ok(port);
            }
            heard.push_str(&line);
            heard.push('\n');
        }
        let _ = self.child.kill();
        Err(format!("the driver said no port and ended ({:?}); it said: {heard}", self.child.wait()))
    }

    /// Opens a browser; answers how its session is addressed.
    fn begin(&self, chromium: &Path, profile: &Path) -> Result<String, String> {
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": { "browser": "ALL" },
            // A dialog that nobody expected must stay, so that it is found.
            "unhandledPromptBehavior": "ignore",
            "timeouts": { "script": 60_000, "pageLoad": 60_000, "implicit": 0 },
            "goog:chromeOptions": { "binary": chromium, "args": arguments(profile) },
        } } });
        let made = self.send("POST", "/session", &wanted)?;
        made["sessionId"].as_str().map(|id| format!("/session/{id}")).ok_or_else(|| format!("no session in {made}"))
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (is_fine, answer) = self.exchange(method, path, &body).map_err(|error| error.to_string())?;
        if is_fine { Ok(answer["value"].clone()) } else { Err(format!("{}: {}", answer["value"]["error"], answer["value"]["message"])) }
    }

    /// One request and its answer, as long as its length says: the driver keeps the connection open, whatever it is asked.
    fn exchange(&self, method: &str, path: &str, body: &str) -> std::io::Result<(bool, Value)> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json; charset=utf-8", self.address);
        write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())?;
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
        let mut text = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut text)?;
        Ok((head.split_whitespace().nth(1) == Some("200"), serde_json::from_slice(&text)?))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Nothing in the background, and no name but this machine's can be looked up. The sandbox wants rights that containers do not give;
/// what is opened here are our own pages.
fn arguments(profile: &Path) -> Vec<String> {
    let fixed = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        "--lang=en-US",
        "--hide-scrollbars",
        "--host-resolver-rules=MAP house.test 127.0.0.1 , MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    ];
    fixed.into_iter().map(str::to_owned).chain([format!("--user-data-dir={}", profile.display())]).collect()
}

/// axe-core, which finds what keeps people out of a page. Not part of the source: `.ci/run` fetches it, or `VIGILMON_AXE` names it.
pub fn axe() -> Option<String> {
    let tools = std::env::current_exe().ok()?.ancestors().find(|dir| dir.ends_with("target")).map(|target| target.join("tools"));
    let named = std::env::var_os("VIGILMON_AXE").map(PathBuf::from);
    let place = named.or_else(|| tools.map(|tools| tools.join("node_modules/axe-core/axe.min.js")));
    let found = place.as_deref().and_then(|path| std::fs::read_to_string(path).ok());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "axe-core is required in CI; `.ci/run` fetches it");
        eprintln!("skipped: axe-core is not there ({})", place.unwrap_or_default().display());
    }
    found
}
