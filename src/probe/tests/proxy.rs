//! Through proxies: CONNECT, absolute form, SOCKS 5, and proxies that refuse.

use tokio::io::copy_bidirectional;

use super::tls::Authority;
use super::*;
use crate::model::monitor::ProxyKind;
use crate::model::monitor::ProxySpec;
use crate::model::net::HostPort;
use crate::model::secret::Secret;

fn through(kind: ProxyKind, address: SocketAddr, credentials: bool) -> Option<ProxySpec> {
    Some(ProxySpec {
        kind,
        address: HostPort { host: address.ip().to_string(), port: address.port() },
        credentials: credentials.then(|| ("user".to_owned(), Secret::new("canary"))),
    })
}

/// A proxy that understands CONNECT and leads everywhere to `target`.
async fn connect_proxy(target: SocketAddr, asked: Asked) -> SocketAddr {
    listener(move |mut tcp, _| {
        let asked = Arc::clone(&asked);
        async move {
            let head = read_head(&mut tcp).await;
            asked.lock().expect("lock").push(head);
            let _ = tcp.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await;
            let mut onward = TcpStream::connect(target).await.expect("target");
            let _ = copy_bidirectional(&mut tcp, &mut onward).await;
        }
    })
    .await
}

#[tokio::test]
async fn plain_requests_go_to_the_proxy_in_absolute_form() {
    let (proxy, asked_for) = server(vec![OK.to_vec()]).await;
    let mut spec = http("http://some.example:81/path?q=1");
    spec.proxy = through(ProxyKind::Http, proxy, true);
    let observation = observe(spec).await;
    assert_eq!(seen(&observation).status, 200);
    let asked = asked(&asked_for).concat();
    assert!(asked.starts_with("GET http://some.example:81/path?q=1 HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("host: some.example:81\r\n") && asked.contains("proxy-authorization: Basic dXNlcjpjYW5hcnk=\r\n"), "{asked}");
    assert!(!observation.transcript.lines.join("\n").contains("dXNlcjpjYW5hcnk"));
}

#[tokio::test]
async fn secure_requests_go_through_a_tunnel() {
    let authority = Authority::new();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(
        authority
            .issue(|params| {
                *params = rcgen::CertificateParams::new(vec!["some.example".to_owned()]).expect("params");
            })
            .server(),
    ));
    let target = listener(move |tcp, _| {
        let acceptor = acceptor.clone();
        async move {
            let mut tls = acceptor.accept(tcp).await.expect("handshake");
            read_head(&mut tls).await;
            let _ = tls.write_all(OK).await;
            let _ = tls.shutdown().await;
        }
    })
    .await;
    let asked_for = Asked::default();
    let mut spec = http("https://some.example/path");
    spec.tls.ca_pem = Some(authority.pem.clone());
    spec.proxy = through(ProxyKind::Http, connect_proxy(target, Arc::clone(&asked_for)).await, true);
    assert_eq!(seen(&observe(spec).await).status, 200);
    let asked = asked(&asked_for).concat();
    assert!(asked.starts_with("CONNECT some.example:443 HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("proxy-authorization: Basic dXNlcjpjYW5hcnk=\r\n"), "{asked}");
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named() {
    let mut spec = http("https://some.example/");
    for answer in ["HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "HTTP/1.1 502 Bad Gateway\r\n\r\n", "SSH-2.0\r\n\r\n"] {
        let (proxy, _) = server(vec![answer.as_bytes().to_vec()]).await;
        spec.proxy = through(ProxyKind::Http, proxy, false);
        let observation = observe(spec.clone()).await;
        assert_eq!(code(&observation), "proxy", "{}", told(&observation));
    }
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("address");
    spec.proxy = through(ProxyKind::Http, free, false);
    assert!(told(&observe(spec.clone()).await).starts_with("the proxy refused: cannot reach 127.0.0.1:"));
    spec.url = "https://169.254.169.254/".parse().expect("url");
    assert_eq!(code(&observe(spec).await), "forbidden_address");
}

/// A SOCKS 5 proxy that answers with `code` and leads everywhere to `target`; notes the request's bytes.
async fn socks_proxy(target: SocketAddr, password: bool, code: u8, asked: Asked) -> SocketAddr {
    listener(move |mut tcp, _| {
        let asked = Arc::clone(&asked);
        async move {
            let mut hello = [0; 3];
            let _ = tcp.read_exact(&mut hello).await;
            let _ = tcp.write_all(&[5, hello[2]]).await;
            if password {
                let mut login = [0; 13];
                let _ = tcp.read_exact(&mut login).await;
                let good = &login == b"\x01\x04user\x06canary";
                let _ = tcp.write_all(&[1, u8::from(!good)]).await;
            }
            let mut request = vec![0; 5];
            let _ = tcp.read_exact(&mut request).await;
            let rest = if request[3] == 3 { usize::from(request[4]) + 2 } else { 5 };
            let mut address = vec![0; rest];
            let _ = tcp.read_exact(&mut address).await;
            asked.lock().expect("lock").push(address[..rest - 2].escape_ascii().to_string());
            let _ = tcp.write_all(&[5, code, 0, 1, 0, 0, 0, 0, 0, 0]).await;
            let mut onward = TcpStream::connect(target).await.expect("target");
            let _ = copy_bidirectional(&mut tcp, &mut onward).await;
        }
    })
    .await
}

#[tokio::test]
async fn socks_proxies_resolve_names_themselves() {
    let (target, asked_for) = server(vec![OK.to_vec()]).await;
    for password in [false, true] {
        let asked_proxy = Asked::default();
        let mut spec = http("http://some.example/");
        spec.proxy = through(ProxyKind::Socks5, socks_proxy(target, password, 0, Arc::clone(&asked_proxy)).await, password);
        assert_eq!(seen(&observe(spec).await).status, 200);
        assert_eq!(asked(&asked_proxy), ["some.example"]);
    }
    assert!(asked(&asked_for)[0].starts_with("GET / HTTP/1.1\r\n"));
    let mut spec = http("http://some.example/");
    spec.proxy = through(ProxyKind::Socks5, socks_proxy(target, false, 5, Asked::default()).await, false);
    assert_eq!(code(&observe(spec).await), "proxy");
}

#[tokio::test]
async fn a_proxy_that_says_nothing_times_out_while_connecting() {
    let silent = listener(|tcp, _| async move {
        let _held = tcp;
        std::future::pending::<()>().await;
    })
    .await;
    for kind in [ProxyKind::Http, ProxyKind::Socks5] {
        let mut spec = http("https://some.example/");
        spec.proxy = through(kind, silent, false);
        assert_eq!(code(&observe_within(spec, SHORT).await), "timeout_connect");
    }
}
