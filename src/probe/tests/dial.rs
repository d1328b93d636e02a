//! Connecting to one of several addresses.

use std::net::IpAddr;
use std::net::Ipv4Addr;

use tokio::net::TcpSocket;

use super::*;
use crate::probe::dial;
use crate::probe::policy::Policy;
use crate::probe::trace::Trace;

const DEAF: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const POLICY: Policy = Policy { allow_metadata: false, allow_private: false, first: None };

/// A listener on [`DEAF`] whose queue is full, so that connecting to it hangs, as behind a firewall that drops packets.
async fn black_hole(port: u16) -> (TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().expect("socket");
    socket.bind((DEAF, port).into()).expect("the port is free there");
    let listener = socket.listen(1).expect("listening");
    let address = listener.local_addr().expect("address");
    let mut queued = Vec::new();
    while let Ok(Ok(tcp)) = tokio::time::timeout(Duration::from_millis(50), TcpStream::connect(address)).await {
        queued.push(tcp);
    }
    (listener, queued)
}

#[tokio::test]
async fn an_address_that_does_not_answer_holds_up_the_next_one_only_shortly() {
    let (good, _) = server(vec![OK.to_vec()]).await;
    let _hole = black_hole(good.port()).await;
    let mut trace = Trace::new(&Clock::system());
    let addresses = [IpAddr::from(DEAF), good.ip()];
    assert!(dial::connect(&addresses, good.port(), POLICY, &mut trace).await.is_ok());
    assert_eq!(trace.remote, Some(good.ip()));
    let took = trace.timings.connect.expect("connected");
    assert!((Duration::from_millis(240)..Duration::from_millis(900)).contains(&took), "{took:?}");
}

#[tokio::test]
async fn an_address_that_refuses_holds_up_nobody() {
    let (good, _) = server(vec![OK.to_vec()]).await;
    let mut trace = Trace::new(&Clock::system());
    let addresses = [IpAddr::from(Ipv4Addr::new(127, 0, 0, 3)), good.ip()];
    assert!(dial::connect(&addresses, good.port(), POLICY, &mut trace).await.is_ok());
    assert!(trace.timings.connect.expect("connected") < Duration::from_millis(240));
}

#[tokio::test]
async fn a_connection_that_does_not_come_about_times_out_as_such() {
    let (hole, _queued) = black_hole(0).await;
    let address = hole.local_addr().expect("address");
    let observation = observe_within(at(address), SHORT).await;
    assert_eq!((code(&observation), observation.remote), ("timeout_connect", Some(DEAF.into())));
}
