//! Floods and nonsense against a real instance: nobody gets a 500, nothing is written for what means nothing, and no ping of anybody is
//! lost meanwhile.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use common::Instance;
use common::PATIENCE;
use common::beats::API;
use common::beats::pings;
use common::beats::urls;

const FLOODERS: usize = 16;
const FLOOD: Duration = Duration::from_secs(4);

/// Misses that cost an address nothing, in a minute.
const FREE_MISSES: usize = 60;

fn instance() -> Instance {
    Instance::start(&format!(
        "{API}retention: {{ pings: 100000 }}\nmonitors:\n  - {{ name: job, heartbeat: {{ interval: 1h }} }}\n  - {{ name: other, heartbeat: {{ interval: 1h }} }}\n"
    ))
}

fn path(instance: &Instance, id: &str) -> String {
    urls(instance, id)["token"].split_once(&instance.address).unwrap().1.to_owned()
}

fn connect(instance: &Instance) -> TcpStream {
    let stream = TcpStream::connect(&instance.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Reads one answer: status, head in lower case, body. `None`: the connection was closed without one.
fn answer(stream: &mut TcpStream, has_body: bool) -> Option<(u16, String, Vec<u8>)> {
    let mut got = Vec::new();
    let mut some = [0; 4096];
    let end = loop {
        if let Some(end) = got.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        match stream.read(&mut some) {
            Ok(n) if 0 < n => got.extend_from_slice(&some[..n]),
            _ => return None,
        }
    };
    let head = String::from_utf8_lossy(&got[..end]).to_lowercase();
    let mut body = got.split_off(end + 4);
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok()).unwrap_or(0);
    while has_body && body.len() < length {
        match stream.read(&mut some) {
            Ok(n) if 0 < n => body.extend_from_slice(&some[..n]),
            _ => return None,
        }
    }
    Some((head.split_whitespace().nth(1)?.parse().ok()?, head, body))
}

/// Sends bytes over a connection of its own and reads one answer.
fn raw(instance: &Instance, bytes: &[u8]) -> Option<(u16, String, Vec<u8>)> {
    let mut stream = connect(instance);
    // Whoever was answered before it had said everything may find the connection closed.
    let _ = stream.write_all(bytes);
    answer(&mut stream, !bytes.starts_with(b"HEAD"))
}

fn ping(instance: &Instance, path: &str) -> u16 {
    raw(instance, format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).map_or(0, |(status, ..)| status)
}

fn database_bytes(instance: &Instance) -> u64 {
    let state = instance.path().join("state");
    ["vigilmon.db", "vigilmon.db-wal"].iter().map(|name| std::fs::metadata(state.join(name)).map_or(0, |found| found.len())).sum()
}

/// Pings from somebody who does no harm, until told to stop; how many were acknowledged, and the longest that one took.
fn calm(address: String, path: String, stop: Arc<AtomicBool>) -> thread::JoinHandle<(usize, Duration)> {
    thread::spawn(move || {
        let (mut n, mut longest) = (0, Duration::ZERO);
        while !stop.load(Ordering::Relaxed) {
            let begin = Instant::now();
            let (status, ..) = common::request(&address, "GET", &path, &[], "");
            assert_eq!(status, 200, "a ping of somebody else was not taken");
            longest = longest.max(begin.elapsed());
            n += 1;
            thread::sleep(Duration::from_millis(20));
        }
        (n, longest)
    })
}

#[test]
fn a_flood_of_guesses_is_answered_alike_writes_nothing_and_has_to_connect_anew() {
    let instance = instance();
    let job = path(&instance, "job");
    let before = database_bytes(&instance);
    let stop = Arc::new(AtomicBool::new(false));
    let innocent = calm(instance.address.clone(), job, Arc::clone(&stop));
    let until = Instant::now() + FLOOD;
    let results: Vec<(usize, usize)> = thread::scope(|scope| {
        let flooders: Vec<_> = (0..FLOODERS)
            .map(|flooder| {
                let instance = &instance;
                scope.spawn(move || {
                    let (mut n, mut n_closed, mut held) = (0_usize, 0, None);
                    let mut number = flooder as u128;
                    while Instant::now() < until {
                        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                        let path = match n % 4 {
                            0 => format!("/heartbeat/{number:032x}"),
                            1 => format!("/ping/{:08x}-0000-4000-8000-{:012x}", number as u32, (number >> 32) as u32),
                            2 => format!("/ping/{:022x}/job/start?create=1", number as u64),
                            _ => format!("/api/v1/heartbeat/{number:032x}/fail"),
                        };
                        let mut stream = held.take().unwrap_or_else(|| connect(instance));
                        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).unwrap();
                        let (status, head, body) = answer(&mut stream, true).expect("an answer");
                        assert_eq!((status, body.as_slice()), (404, &b"not found"[..]), "{path}");
                        let is_closed = head.contains("connection: close");
                        n_closed += usize::from(is_closed);
                        held = Some(stream).filter(|_| !is_closed);
                        n += 1;
                    }
                    (n, n_closed)
                })
            })
            .collect();
        flooders.into_iter().map(|flooder| flooder.join().unwrap()).collect()
    });
    stop.store(true, Ordering::Relaxed);
    let (n_pings, longest) = innocent.join().unwrap();
    let (n, n_closed) = results.iter().fold((0, 0), |(n, closed), one| (n + one.0, closed + one.1));
    assert!(1000 < n, "{n} guesses are no flood");
    // Beyond its budget an address pays a connection for each.
    assert_eq!(n - n_closed, FREE_MISSES, "of {n}");
    let written = database_bytes(&instance).saturating_sub(before);
    assert!(
        written < (n_pings as u64 + 20) * 64 * 1024 && (written as usize) < 4096 * n,
        "{written} bytes were written for {n_pings} pings"
    );
    assert_eq!(pings(&instance, "job").last().map(|ping| ping["number"].as_u64()), Some(Some(n_pings as u64)));
    assert!(longest < Duration::from_secs(3), "somebody else's ping took {longest:?}");
    assert!(!instance.log().contains("ERROR"), "{}", instance.log());
}

#[test]
fn a_flood_on_one_heartbeat_is_kept_whole_and_keeps_no_other_waiting() {
    let instance = instance();
    let (job, other) = (path(&instance, "job"), path(&instance, "other"));
    let stop = Arc::new(AtomicBool::new(false));
    let innocent = calm(instance.address.clone(), other, Arc::clone(&stop));
    let until = Instant::now() + FLOOD;
    let answers: Vec<BTreeMap<u16, u64>> = thread::scope(|scope| {
        let flooders: Vec<_> = (0..FLOODERS)
            .map(|_| {
                let (instance, job) = (&instance, &job);
                scope.spawn(move || {
                    let mut answers = BTreeMap::new();
                    let mut stream = connect(instance);
                    for word in ["", "/start", "/fail", "/log", "/7"].iter().cycle() {
                        if until < Instant::now() {
                            break;
                        }
                        let request = format!("POST {job}{word} HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nflood");
                        stream.write_all(request.as_bytes()).unwrap();
                        let (status, ..) = answer(&mut stream, true).expect("an answer");
                        *answers.entry(status).or_default() += 1;
                    }
                    answers
                })
            })
            .collect();
        flooders.into_iter().map(|flooder| flooder.join().unwrap()).collect()
    });
    stop.store(true, Ordering::Relaxed);
    let (n_pings, longest) = innocent.join().unwrap();
    let mut all: BTreeMap<u16, u64> = BTreeMap::new();
    for (status, n) in answers.into_iter().flatten() {
        *all.entry(status).or_default() += n;
    }
    assert!(all.keys().all(|status| [200, 503].contains(status)), "{all:?}");
    let taken = all.get(&200).copied().unwrap_or(0);
    assert!(500 < taken, "{all:?} are no flood");
    assert_eq!(pings(&instance, "job").last().unwrap()["number"], taken, "as many as were acknowledged: {all:?}");
    assert_eq!(pings(&instance, "other").last().unwrap()["number"], n_pings);
    assert!(longest < Duration::from_secs(3), "somebody else's ping took {longest:?}");
}

#[test]
fn large_broken_and_endless_bodies_are_pings_all_the_same() {
    let instance = instance();
    let job = path(&instance, "job");
    let head = |length: &str| format!("POST {job} HTTP/1.1\r\nhost: x\r\n{length}\r\n\r\n").into_bytes();
    let large = vec![b'x'; 8 << 20];
    let whole = [head(&format!("content-length: {}", large.len())), large.clone()].concat();
    let chunked: Vec<u8> = large
        .chunks(60_000)
        .flat_map(|chunk| [format!("{:x}\r\n", chunk.len()).into_bytes(), chunk.to_vec(), b"\r\n".to_vec()].concat())
        .collect();
    let chunked = [head("transfer-encoding: chunked"), chunked, b"0\r\n\r\n".to_vec()].concat();
    let broken = [head("content-length: 7"), b"\xff\xfe\x00\xc3\x28\xf0\x9f".to_vec()].concat();
    for (what, bytes) in [("whole", &whole), ("chunked", &chunked), ("broken", &broken)] {
        assert_eq!(raw(&instance, bytes).map(|(status, ..)| status), Some(200), "{what}");
    }
    // Eight of them at once do not push each other out.
    thread::scope(|scope| {
        let at_once: Vec<_> = (0..8).map(|_| scope.spawn(|| raw(&instance, &whole).map(|(status, ..)| status))).collect();
        at_once.into_iter().for_each(|one| assert_eq!(one.join().unwrap(), Some(200)));
    });
    let logged = pings(&instance, "job");
    assert_eq!(logged.len(), 11);
    assert_eq!((logged[0]["body_bytes"].as_u64(), logged[0]["body_truncated"].as_bool()), (Some(8 << 20), Some(true)));
    assert_eq!((logged[1]["body_bytes"].as_u64(), logged[1]["body_truncated"].as_bool()), (Some(8 << 20), Some(true)));
    assert_eq!(logged[2]["body_bytes"], 7);

    // Chunks without end: it counts when nobody can want to hear more of it, and its connection is closed.
    let mut stream = connect(&instance);
    stream.write_all(&head("transfer-encoding: chunked")).unwrap();
    let chunk = [b"10000\r\n".to_vec(), vec![b'y'; 0x10000], b"\r\n".to_vec()].concat();
    let (mut n_sent, begin) = (0_usize, Instant::now());
    while stream.write_all(&chunk).is_ok() && begin.elapsed() < PATIENCE {
        n_sent += 0x10000;
    }
    assert!(n_sent < 256 << 20, "{n_sent} bytes of one body were taken");
    common::wait_for("the endless body to count", || (pings(&instance, "job").len() == 12).then_some(()));

    // And one whose sender goes away in the middle is none: nobody was told that it counts.
    let mut stream = connect(&instance);
    stream.write_all(&[head("content-length: 1000"), b"half".to_vec()].concat()).unwrap();
    drop(stream);
    thread::sleep(Duration::from_millis(500));
    assert_eq!(pings(&instance, "job").len(), 12);
    assert_eq!(ping(&instance, &job), 200);
}

#[test]
fn odd_paths_and_methods_get_what_the_manual_says_and_never_a_500() {
    let instance = instance();
    let job = path(&instance, "job");
    let token = job.rsplit('/').next().unwrap();
    let long = "a".repeat(12_000);
    let mut n_counted = 0;
    for (method, target, expected) in [
        ("GET", job.clone(), 200),
        ("HEAD", job.clone(), 200),
        ("PUT", job.clone(), 200),
        ("OPTIONS", job.clone(), 204),
        ("OPTIONS", "/heartbeat/nobody".to_owned(), 204),
        ("DELETE", job.clone(), 405),
        ("PATCH", job.clone(), 405),
        ("TRACE", job.clone(), 405),
        ("BREW", job.clone(), 405),
        ("GET", format!("{job}/"), 200),
        ("GET", format!("{job}//"), 404),
        ("GET", format!("/{job}"), 404),
        ("GET", format!("{job}/../{token}"), 404),
        ("GET", format!("{job}/%73tart"), 404),
        ("GET", format!("{job}%00"), 404),
        ("GET", format!("{job}/%ff%fe"), 404),
        ("GET", format!("{job}/%"), 404),
        ("GET", format!("{job};jsessionid=1"), 404),
        ("GET", format!("{job}/{long}"), 404),
        ("GET", format!("/heartbeat/{long}"), 404),
        ("GET", format!("{job}/-1"), 404),
        ("GET", format!("{job}/256"), 400),
        ("GET", format!("{job}/99999999999999999999999999"), 400),
        ("GET", format!("{job}?rid="), 400),
        ("GET", format!("{job}?rid=%ff"), 400),
        ("GET", format!("{job}?rid={long}"), 400),
        ("GET", format!("{job}?run=%00"), 400),
        ("GET", format!("{job}?%ff=%fe&&&==&a[]=1"), 200),
        ("GET", format!("{job}?{long}"), 200),
        ("GET", format!("http://somewhere.example{job}"), 200),
        ("GET", "/api/push/".to_owned(), 404),
        ("GET", format!("/api/push/{token}?status=%ff&ping=NaN&msg=%00"), 200),
        ("GET", format!("/api/push/{token}?ping=-1e308"), 200),
        ("POST", "/api/v1/endpoints/%ff/external?success=true&duration=99999999999999999999h".to_owned(), 401),
    ] {
        let request = format!("{method} {target} HTTP/1.1\r\nhost: x\r\nuser-agent: \x01\u{202e}odd\r\ncontent-length: 0\r\n\r\n");
        // A control character is no part of a header; the rest of the world sends it all the same, and is told so.
        let request = request.replace('\x01', "");
        let (status, head, _) = raw(&instance, request.as_bytes()).unwrap_or_else(|| panic!("no answer to {method} {target}"));
        assert_eq!(status, expected, "{method} {}\n{head}", &target[..target.len().min(200)]);
        n_counted += usize::from(status == 200);
        assert_eq!(pings(&instance, "job").len(), n_counted, "{method} {}", &target[..target.len().min(200)]);
    }
    // What is not even HTTP.
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: -5\r\n\r\n",
        b"\r\n\r\n\r\n",
    ] {
        let mut stream = connect(&instance);
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let status = answer(&mut stream, false).map(|(status, ..)| status);
        assert!(status.is_none_or(|status| (400..500).contains(&status)), "{status:?}");
    }
    assert_eq!(pings(&instance, "job").len(), n_counted);
    assert!(!instance.log().contains("panicked") && !instance.log().contains("ERROR"), "{}", instance.log());
}
