//! TCP: connecting, saying, expecting.

use std::future::pending;

use super::*;
use crate::model::monitor::TcpSpec;
use crate::model::net::HostPort;

async fn observe_tcp(address: SocketAddr, send: &str, expect: &str, timeout: Duration) -> Observation {
    let spec = TcpSpec {
        address: HostPort { host: address.ip().to_string(), port: address.port() },
        send: send.as_bytes().to_vec(),
        expect: expect.as_bytes().to_vec(),
        ip: IpChoice::Any,
        resolver: Vec::new(),
    };
    prober().run(&monitor(ProbeSpec::Tcp(spec)), timeout).await
}

/// Says `banner` in two pieces and stays, or closes.
async fn bannered(banner: &'static [u8], stay: bool) -> SocketAddr {
    listener(move |mut tcp, _| async move {
        let (a, b) = banner.split_at(banner.len() / 2);
        let _ = tcp.write_all(a).await;
        tokio::task::yield_now().await;
        let _ = tcp.write_all(b).await;
        if stay {
            pending::<()>().await;
        }
    })
    .await
}

#[tokio::test]
async fn connecting_is_enough_when_nothing_is_expected() {
    let address = bannered(b"hello", true).await;
    assert_eq!(observe_tcp(address, "", "", PATIENT).await.seen, Ok(Seen::Tcp(Vec::new())));
}

#[tokio::test]
async fn what_is_expected_is_found_across_pieces() {
    let address = bannered(b"220 mail ready\r\n", true).await;
    let observation = observe_tcp(address, "", "mail ready", PATIENT).await;
    assert_eq!(observation.seen, Ok(Seen::Tcp(b"220 mail ready\r\n".to_vec())));
    assert!(observation.timings.first_byte.is_some());
}

#[tokio::test]
async fn something_is_said_and_answered() {
    let address = listener(|mut tcp, _| async move {
        let mut said = [0; 6];
        let _ = tcp.read_exact(&mut said).await;
        let _ = tcp.write_all(if &said == b"PING\r\n" { b"+PONG\r\n" } else { b"-ERR??\r\n" }).await;
        pending::<()>().await;
    })
    .await;
    assert!(observe_tcp(address, "PING\r\n", "+PONG", PATIENT).await.seen.is_ok());
}

#[tokio::test]
async fn a_wrong_answer_is_quoted_safely() {
    let address = bannered(b"SSH-2.0\x1b[31m", false).await;
    assert_eq!(
        told(&observe_tcp(address, "", "HTTP", PATIENT).await),
        r"expected `HTTP`, got `SSH-2.0\x1b[31m` and then the connection was closed"
    );
    let address = bannered(b"SSH-2.0", true).await;
    assert_eq!(told(&observe_tcp(address, "", "HTTP", SHORT).await), "expected `HTTP`, got `SSH-2.0` and then nothing more in time");
}

#[tokio::test]
async fn silence_closing_and_floods_are_told_apart() {
    let silent = bannered(b"", true).await;
    assert_eq!(code(&observe_tcp(silent, "", "x", SHORT).await), "timeout_first_byte");
    let closing = bannered(b"", false).await;
    assert_eq!(code(&observe_tcp(closing, "", "x", PATIENT).await), "closed");
    let flooding = listener(|mut tcp, _| async move { while tcp.write_all(&[b'y'; 4096]).await.is_ok() {} }).await;
    assert_eq!(code(&observe_tcp(flooding, "", "x", PATIENT).await), "banner");
}
