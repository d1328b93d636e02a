//! The stream of server-sent events with the real binary: what it tells, to whom, how many there may be, and when it ends.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod common;

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;
use std::time::Instant;

use common::Answer;
use common::Instance;
use common::PATIENCE;
use common::Server;
use common::request;
use common::wait_for;

/// As `http/limits.rs` says.
const STREAMS_PER_VIEWER_MAX: usize = 32;

/// A stream that is open: lines as they come, without the lengths of chunks.
struct Stream {
    lines: BufReader<TcpStream>,
}

impl Stream {
    /// Status and head; the stream goes on when it is 200.
    fn open(address: &str, headers: &[(&str, &str)]) -> (u16, String, Stream) {
        let mut socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        write!(socket, "GET /api/v1/events HTTP/1.1\r\nhost: {address}\r\n{more}\r\n").unwrap();
        let mut lines = BufReader::new(socket);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(0 < lines.read_line(&mut head).unwrap(), "an answer has a head: {head}");
        }
        let status = head.split_whitespace().nth(1).unwrap().parse().unwrap();
        (status, head.to_lowercase(), Stream { lines })
    }

    fn of(address: &str, cookie: &str) -> Stream {
        let (status, head, stream) = Stream::open(address, &[("cookie", cookie), ("sec-fetch-site", "same-origin")]);
        assert_eq!(status, 200, "{head}");
        assert!(head.contains("content-type: text/event-stream") && head.contains("x-accel-buffering: no"), "{head}");
        assert!(head.contains("cache-control: no-store"), "{head}");
        stream
    }

    /// The next event's data.
    fn next(&mut self) -> serde_json::Value {
        loop {
            let mut line = String::new();
            assert!(0 < self.lines.read_line(&mut line).unwrap(), "the stream ended");
            if let Some(data) = line.strip_prefix("data: ") {
                return serde_json::from_str(data).unwrap();
            }
        }
    }

    /// Reads to the end; how long that took.
    fn end(mut self) -> Duration {
        let begin = Instant::now();
        let mut line = String::new();
        // The last chunk is empty; the connection itself may be used again.
        while line != "0\r\n" {
            line.clear();
            if self.lines.read_line(&mut line).unwrap_or(0) == 0 {
                break;
            }
        }
        begin.elapsed()
    }
}

fn sign_in(instance: &Instance) -> String {
    let output = instance.run(&["sign-in-link"]);
    let link = common::stdout(&output)
        .lines()
        .find_map(|line| line.split_once("/sign-in/link/").map(|(_, token)| token.trim().to_owned()))
        .unwrap();
    let (status, head, _) = request(&instance.address, "POST", &format!("/sign-in/link/{link}"), &[("sec-fetch-site", "same-origin")], "");
    assert_eq!(status, 303, "{head}");
    let line = head.lines().find(|line| line.to_lowercase().starts_with("set-cookie:")).unwrap();
    line.split_once(':').unwrap().1.split(';').next().unwrap().trim().to_owned()
}

fn config(shop: &Server) -> String {
    format!("monitors:\n  - {{ name: Shop, http: {}, interval: 1s, confirm: {{ failures: 1, successes: 1 }} }}\n", shop.url("/"))
}

/// Signs out with a form of a page, as people do.
fn sign_out(instance: &Instance, cookie: &str) {
    let (_, _, page) = request(&instance.address, "GET", "/monitors", &[("cookie", cookie)], "");
    assert!(page.contains("data-events=\"/api/v1/events\""), "the page knows where to listen: {page}");
    let (status, ..) = request(&instance.address, "POST", "/sign-out", &[("cookie", cookie), ("sec-fetch-site", "same-origin")], "");
    assert_eq!(status, 303);
}

#[test]
fn a_change_of_a_verdict_is_told_within_seconds_and_over_a_restart() {
    let shop = Server::start(Answer::Status(200, "fine"));
    let mut instance = Instance::start(&config(&shop));
    instance.wait_for_verdict("shop", "up");
    let cookie = sign_in(&instance);
    let mut stream = Stream::of(&instance.address, &cookie);
    let hello = stream.next();
    assert_eq!(hello["changed"], serde_json::json!([]), "the first word only says where things stand");
    shop.set(Answer::Status(503, "gone"));
    let told = loop {
        let news = stream.next();
        if news["changed"] == serde_json::json!(["shop"]) && instance.verdict("shop") == "down" {
            break news;
        }
    };
    assert_ne!(told["revision"], hello["revision"]);
    // The session is on disk, so the page comes back by itself; what it is told then is another run's revision.
    instance.kill_and_restart();
    let mut again = Stream::of(&instance.address, &cookie);
    let fresh = again.next()["revision"].as_str().unwrap().to_owned();
    let run = |revision: &str| revision.split('.').next().unwrap().to_owned();
    assert_ne!(run(&fresh), run(told["revision"].as_str().unwrap()));
}

#[test]
fn it_is_for_our_own_pages_and_for_those_who_may_look() {
    let shop = Server::start(Answer::Status(200, "fine"));
    let instance = Instance::start(&config(&shop));
    let cookie = sign_in(&instance);
    let own = format!("http://{}", instance.address);
    for (headers, expected) in [
        (vec![("sec-fetch-site", "same-origin")], 401),
        (vec![("cookie", cookie.as_str())], 403),
        (vec![("cookie", cookie.as_str()), ("sec-fetch-site", "cross-site")], 403),
        (vec![("cookie", cookie.as_str()), ("sec-fetch-site", "same-site")], 403),
        (vec![("cookie", cookie.as_str()), ("origin", "http://evil.example")], 403),
        (vec![("cookie", cookie.as_str()), ("origin", own.as_str())], 200),
        (vec![("cookie", cookie.as_str()), ("sec-fetch-site", "same-origin")], 200),
    ] {
        let (status, head, _) = Stream::open(&instance.address, &headers);
        assert_eq!(status, expected, "{headers:?}: {head}");
    }
}

#[test]
fn it_ends_with_the_session_and_at_shutdown() {
    let shop = Server::start(Answer::Status(200, "fine"));
    let mut instance = Instance::start(&config(&shop));
    let (leaving, staying) = (sign_in(&instance), sign_in(&instance));
    let mut ends = Stream::of(&instance.address, &leaving);
    let mut stays = Stream::of(&instance.address, &staying);
    ends.next();
    stays.next();
    sign_out(&instance, &leaving);
    let took = ends.end();
    assert!(took < Duration::from_secs(3), "it ended {took:?} after the session");
    let (status, ..) = Stream::open(&instance.address, &[("cookie", &leaving), ("sec-fetch-site", "same-origin")]);
    assert_eq!(status, 401, "and does not come back");
    // The other one was not touched; stopping does not wait for it.
    assert_eq!(stays.next()["everything"], false);
    let begin = Instant::now();
    assert_eq!(instance.stop(), Some(0));
    assert!(begin.elapsed() < Duration::from_secs(4), "stopping took {:?}", begin.elapsed());
    stays.end();
}

#[test]
fn there_are_so_many_and_whoever_leaves_makes_room() {
    let shop = Server::start(Answer::Status(200, "fine"));
    let instance = Instance::start(&config(&shop));
    let cookie = sign_in(&instance);
    let mut open: Vec<Stream> = (0..STREAMS_PER_VIEWER_MAX).map(|_| Stream::of(&instance.address, &cookie)).collect();
    let headers = [("cookie", cookie.as_str()), ("sec-fetch-site", "same-origin")];
    let (status, head, mut refused) = Stream::open(&instance.address, &headers);
    assert_eq!(status, 503, "{head}");
    assert!(head.contains("retry-after: 5"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().trim().parse().unwrap();
    let mut body = vec![0; length];
    refused.lines.read_exact(&mut body).unwrap();
    let body = String::from_utf8(body).unwrap();
    assert!(body.contains("All places for live streams are taken"), "{body}");
    open.pop();
    wait_for("a place to be free", || (Stream::open(&instance.address, &headers).0 == 200).then_some(()));
}

#[test]
fn a_change_of_the_files_is_told_and_remembered_also_one_that_was_not_taken() {
    let shop = Server::start(Answer::Status(200, "fine"));
    let instance = Instance::start(&config(&shop));
    let cookie = sign_in(&instance);
    let mut stream = Stream::of(&instance.address, &cookie);
    stream.next();
    let page = || request(&instance.address, "GET", "/config", &[("cookie", &cookie)], "").2;
    assert!(page().contains("The files have not changed since vigilmon started."));
    instance.write_config(&format!("{}  - {{ name: Mail, http: {}, interval: 1s }}\n", config(&shop), shop.url("/mail")));
    while stream.next()["everything"] != true {}
    wait_for("the change to be on the page", || page().contains("+ monitor mail").then_some(()));
    instance.write_config("monitors: 7\n");
    wait_for("the mistake to be on the page", || (page().contains("not taken</span>") && page().contains(">1 problem<")).then_some(()));
    assert!(page().contains("+ monitor mail"), "what was before is still there");
}
