//! HTTP/1.1: good answers, and every way to answer badly.

use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::*;
use crate::model::result::Phase;
use crate::model::secret::Secret;

async fn observe_bytes(answer: &[u8]) -> Observation {
    let (address, _) = server(vec![answer.to_vec()]).await;
    observe(at(address)).await
}

/// A port on which nothing listens.
async fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("address")
}

#[tokio::test]
async fn an_answer_is_reported_with_all_its_parts() {
    let (address, asked_for) = server(vec![OK.to_vec()]).await;
    let mut spec = at(address);
    spec.headers = vec![("X-Key".to_owned(), Secret::new("canary"))];
    let observation = observe(spec).await;
    let answer = seen(&observation);
    assert_eq!((answer.status, answer.version, answer.body.as_slice(), answer.n_redirects), (200, "HTTP/1.1", &b"hello"[..], 0));
    assert!(answer.headers.contains(&("x-two".to_owned(), b"words here".to_vec())));
    assert_eq!(observation.remote, Some(address.ip()));
    let timings = observation.timings;
    assert!(timings.connect.is_some() && timings.first_byte.is_some() && timings.transfer.is_some(), "{timings:?}");
    assert_eq!((timings.dns, timings.tls), (None, None));
    let request = asked(&asked_for).concat();
    for line in
        ["GET /path?q=1 HTTP/1.1\r\n", "x-key: canary\r\n", "user-agent: vigilmon-test\r\n", "accept: */*\r\n", "connection: close\r\n"]
    {
        assert!(request.contains(line), "{request}");
    }
    assert!(request.contains(&format!("host: {address}\r\n")) && !request.contains("accept-encoding"), "{request}");
    let transcript = observation.transcript.lines.join("\n");
    assert!(transcript.contains("> x-key: [secret]") && transcript.contains("< HTTP/1.1 200 OK"), "{transcript}");
    assert!(!transcript.contains("canary"), "{transcript}");
}

#[tokio::test]
async fn bodies_methods_and_own_headers_are_sent() {
    let (address, asked_for) = server(vec![OK.to_vec()]).await;
    let mut spec = at(address);
    spec.method = "POST".to_owned();
    spec.headers = vec![("Host".to_owned(), Secret::new("other.example")), ("User-Agent".to_owned(), Secret::new("me"))];
    seen(&observe(spec.clone()).await);
    spec.body = "abc".to_owned();
    seen(&observe(spec).await);
    let asked = asked(&asked_for);
    assert!(asked[0].contains("POST /path?q=1") && asked[0].contains("content-length: 0\r\n"), "{}", asked[0]);
    assert!(asked[0].contains("host: other.example\r\n") && asked[0].contains("user-agent: me\r\n"), "{}", asked[0]);
    assert!(asked[1].contains("content-length: 3\r\n"), "{}", asked[1]);
}

#[tokio::test]
async fn a_closed_port_refuses() {
    let observation = observe(at(closed_port().await)).await;
    assert_eq!(code(&observation), "refused");
    assert!(observation.timings.connect.is_some());
}

#[tokio::test]
async fn silence_runs_into_the_deadline_and_names_the_phase() {
    let silent = listener(|tcp, _| async move {
        let _held = tcp;
        pending::<()>().await;
    })
    .await;
    let observation = observe_within(at(silent), SHORT).await;
    assert_eq!(code(&observation), "timeout_first_byte");
    let total = observation.timings.total;
    assert!((SHORT..SHORT + Duration::from_millis(400)).contains(&total), "{total:?}");
    let observation = observe_within(http(&format!("https://{silent}/")), SHORT).await;
    assert_eq!(code(&observation), "timeout_tls");
}

#[tokio::test]
async fn half_a_head_and_a_dripping_body_time_out_in_transfer() {
    for start in ["HTTP/1.1 200 OK\r\nserver: sl", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n"] {
        let dripping = listener(move |mut tcp, _| async move {
            read_head(&mut tcp).await;
            let _ = tcp.write_all(start.as_bytes()).await;
            let mut tick = tokio::time::interval(Duration::from_millis(20));
            loop {
                tick.tick().await;
                if tcp.write_all(b"x").await.is_err() {
                    return;
                }
            }
        })
        .await;
        let observation = observe_within(at(dripping), SHORT).await;
        assert_eq!(code(&observation), "timeout_transfer", "{start}");
        assert!(observation.timings.first_byte.is_some());
        assert!(observation.timings.total < SHORT + Duration::from_millis(400));
    }
}

#[tokio::test]
async fn an_endless_body_is_read_up_to_the_limit() {
    let endless = listener(|mut tcp, _| async move {
        read_head(&mut tcp).await;
        let _ = tcp.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while tcp.write_all(&[b'x'; 8192]).await.is_ok() {}
    })
    .await;
    let mut spec = at(endless);
    spec.body_bytes_max = 100_000;
    let observation = observe(spec).await;
    let answer = seen(&observation);
    assert_eq!((answer.body.len(), answer.body_truncated), (100_000, true));
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_not_truncated() {
    let (address, _) = server(vec![OK.to_vec()]).await;
    for (limit, expected) in [(5, ("hello", false)), (4, ("hell", true)), (0, ("", true))] {
        let mut spec = at(address);
        spec.body_bytes_max = limit;
        let observation = observe(spec).await;
        let answer = seen(&observation);
        assert_eq!((String::from_utf8_lossy(&answer.body).as_ref(), answer.body_truncated), expected);
    }
}

#[tokio::test]
async fn hanging_up_is_told_by_phase_and_manner() {
    assert_eq!(told(&observe_bytes(b"").await), "the other side closed the connection before answering");
    for cut in [
        &b"HTTP/1.1 200 OK\r\nser"[..],
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhel",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhe",
    ] {
        assert_eq!(told(&observe_bytes(cut).await), "the other side closed the connection in the middle of the answer");
    }
    let rude = listener(|mut tcp, _| async move {
        read_head(&mut tcp).await;
        tcp.set_zero_linger().expect("linger");
    })
    .await;
    let observation = observe(at(rude)).await;
    assert_eq!(observation.seen, Err(crate::model::result::Failure::Closed { phase: Phase::FirstByte, reset: true }));
}

#[tokio::test]
async fn what_is_not_http_is_a_protocol_failure() {
    let many: String = (0..200).map(|n| format!("h{n}: x\r\n")).collect();
    for bad in [
        "SSH-2.0-OpenSSH_9.2\r\n".to_owned(),
        "HTTP/1.1 abc OK\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nno colon here\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx".to_owned(),
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".to_owned(),
        format!("HTTP/1.1 200 OK\r\nbig: {}\r\n\r\n", "x".repeat(40_000)),
        format!("HTTP/1.1 200 OK\r\n{many}\r\n"),
        "HTTP/1.1 100 Continue\r\n\r\n".repeat(20_000),
    ] {
        let observation = observe_bytes(bad.as_bytes()).await;
        assert_eq!(code(&observation), "protocol", "{} {}", &bad[..bad.len().min(60)], told(&observation));
    }
    let observation = observe_bytes(format!("HTTP/1.1 200 OK\r\n{many}\r\n").as_bytes()).await;
    assert_eq!(told(&observation), "the answer is not valid: the response head is larger than 32 KiB or has more than 128 headers");
}

#[tokio::test]
async fn odd_answers_that_are_allowed_are_fine() {
    for (answer, status, body) in [
        (&b"HTTP/1.0 200 OK\r\n\r\nuntil the end"[..], 200, "until the end"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
        (b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", 200, "ok"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", 200, "abc"),
        (b"HTTP/1.1 503 \r\ncontent-length: 0\r\n\r\n", 503, ""),
        (b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n", 302, ""),
    ] {
        let observation = observe_bytes(answer).await;
        let answer = seen(&observation);
        assert_eq!((answer.status, String::from_utf8_lossy(&answer.body).as_ref()), (status, body));
    }
}

#[tokio::test]
async fn redirects_are_followed_up_to_the_limit() {
    let (address, asked_for) = server(vec![redirect_to("/second"), redirect_to("third?x=1"), OK.to_vec()]).await;
    let observation = observe(at(address)).await;
    assert_eq!((seen(&observation).n_redirects, seen(&observation).status), (2, 200));
    let lines: Vec<String> = asked(&asked_for).iter().filter_map(|head| head.lines().next().map(str::to_owned)).collect();
    assert_eq!(lines, ["GET /path?q=1 HTTP/1.1", "GET /second HTTP/1.1", "GET /third?x=1 HTTP/1.1"]);

    let (looping, asked_for) = server(vec![redirect_to("/again")]).await;
    let observation = observe(at(looping)).await;
    assert_eq!(code(&observation), "redirect");
    assert_eq!(asked(&asked_for).len(), 6);

    let mut spec = at(looping);
    spec.follow_redirects = 0;
    assert_eq!(seen(&observe(spec).await).status, 302);
}

#[tokio::test]
async fn redirects_to_other_schemes_are_not_followed() {
    for bad in ["file:///etc/passwd", "gopher://localhost/", "", "http://"] {
        let (address, _) = server(vec![redirect_to(bad)]).await;
        assert_eq!(code(&observe(at(address)).await), "redirect", "{bad}");
    }
}

#[tokio::test]
async fn credentials_stay_at_home_and_cookies_return() {
    let (away, asked_away) = server(vec![OK.to_vec()]).await;
    let mut answer = redirect_to(&format!("http://{away}/there"));
    answer.splice(20..20, b"set-cookie: sid=home; Path=/\r\n".iter().copied());
    let first = b"HTTP/1.1 302 Found\r\nset-cookie: sid=s3; Path=/\r\nlocation: /in\r\ncontent-length: 0\r\n\r\n".to_vec();
    let (home, asked_home) = server(vec![first, answer]).await;
    let mut spec = at(home);
    spec.auth = HttpAuth::Bearer(Secret::new("canary"));
    for (name, value) in [("cookie", "own=1"), ("x-api-key", "canary"), ("accept", "text/plain")] {
        spec.headers.push((name.to_owned(), Secret::new(value)));
    }
    let observation = observe(spec).await;
    assert_eq!(seen(&observation).n_redirects, 2);
    let home = asked(&asked_home);
    assert!(home[1].contains("authorization: Bearer canary\r\n") && home[1].contains("cookie: own=1; sid=s3\r\n"), "{}", home[1]);
    let away = asked(&asked_away).concat();
    assert!(away.contains("accept: text/plain\r\n"), "{away}");
    // Ports do not separate cookies, hosts do: RFC 6265 section 8.5.
    assert!(!away.contains("canary") && !away.contains("own=1"), "{away}");
    assert!(!observation.transcript.lines.join("\n").contains("canary"));
}

#[tokio::test]
async fn metadata_services_are_never_connected_to() {
    for url in ["http://169.254.169.254/latest", "http://[::ffff:169.254.169.254]/", "http://2852039166/", "http://[fd00:ec2::254]/"] {
        assert_eq!(code(&observe(http(url)).await), "forbidden_address", "{url}");
    }
    let (address, _) = server(vec![redirect_to("http://169.254.169.254/latest/meta-data")]).await;
    assert_eq!(code(&observe(at(address)).await), "forbidden_address");
}

#[tokio::test]
async fn connect_to_keeps_the_name() {
    let (address, asked_for) = server(vec![OK.to_vec()]).await;
    let mut spec = http("http://api.example.com/x");
    spec.connect_to = Some(crate::model::net::HostPort { host: "127.0.0.1".to_owned(), port: address.port() });
    assert_eq!(seen(&observe(spec).await).status, 200);
    assert!(asked(&asked_for).concat().contains("host: api.example.com\r\n"));
}

#[tokio::test]
async fn localhost_tries_both_families() {
    let (address, _) = server(vec![OK.to_vec()]).await;
    let url = format!("http://localhost:{}/", address.port());
    let observation = observe(http(&url)).await;
    assert_eq!(seen(&observation).status, 200);
    assert_eq!(observation.timings.dns, None);

    for (ip, n_failed) in [(IpChoice::Both, 1), (IpChoice::Each, 1), (IpChoice::V4, 0)] {
        let mut spec = http(&url);
        spec.ip = ip;
        let observation = observe(spec).await;
        assert_eq!(seen(&observation).status, 200);
        // Where this machine has no IPv6, that is no fault of the target.
        let n_expected = if crate::probe::own::has_family(std::net::Ipv6Addr::LOCALHOST.into()) { n_failed } else { 0 };
        assert_eq!(observation.failed_addresses.len(), n_expected, "{:?}", observation.failed_addresses);
    }
    let mut spec = http(&url);
    spec.ip = IpChoice::V6;
    assert!(observe(spec).await.seen.is_err());
}

#[tokio::test]
async fn the_control_tells_whether_a_connection_comes_about() {
    let (address, _) = server(vec![OK.to_vec()]).await;
    let to = |port| crate::model::net::HostPort { host: "127.0.0.1".to_owned(), port };
    assert!(prober().control(&to(address.port()), PATIENT).await);
    assert!(!prober().control(&to(closed_port().await.port()), PATIENT).await);
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_beforehand() {
    let refused = |change: fn(&mut HttpSpec)| {
        let mut spec = http("http://a.example/");
        change(&mut spec);
        prober().prepare(&ProbeSpec::Http(Box::new(spec))).is_err()
    };
    assert!(!refused(|_| {}));
    assert!(refused(|spec| spec.headers.push(("a b".to_owned(), Secret::new("x")))));
    assert!(refused(|spec| spec.headers.push(("a".to_owned(), Secret::new("x\r\ny: z")))));
    assert!(refused(|spec| spec.method = "GE T".to_owned()));
    assert!(refused(|spec| spec.url = "ftp://a.example/".parse().expect("url")));
    assert!(refused(|spec| spec.tls.ca_pem = Some("no certificate".to_owned())));
}

#[tokio::test]
async fn a_body_that_is_not_read_by_the_server_does_not_hang() {
    let deaf = listener(|mut tcp, _| async move {
        let mut some = [0; 16];
        let _ = tcp.read(&mut some).await;
        pending::<()>().await;
    })
    .await;
    let mut spec = at(deaf);
    spec.method = "POST".to_owned();
    spec.body = "x".repeat(20_000_000);
    assert_eq!(code(&observe_within(spec, SHORT).await), "timeout_first_byte");
}
