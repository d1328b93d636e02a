//! Who is asking: basic, bearer, OAuth 2.0 client credentials.

use super::*;
use crate::model::result::Failure;
use crate::model::result::OwnTrouble;
use crate::model::secret::Secret;

#[tokio::test]
async fn basic_and_bearer_are_sent() {
    let (address, asked_for) = server(vec![OK.to_vec()]).await;
    let mut spec = at(address);
    spec.auth = HttpAuth::Basic { user: "Aladdin".to_owned(), password: Secret::new("open sesame") };
    seen(&observe(spec.clone()).await);
    spec.auth = HttpAuth::Bearer(Secret::new("t0k"));
    seen(&observe(spec.clone()).await);
    seen(&observe(http(&format!("http://Aladdin:open%20sesame@{address}/"))).await);
    let asked = asked(&asked_for);
    assert!(asked[0].contains("authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"), "{}", asked[0]);
    assert!(asked[1].contains("authorization: Bearer t0k\r\n"), "{}", asked[1]);
    assert!(asked[2].contains("authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"), "{}", asked[2]);
}

fn json(text: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{text}", text.len()).into_bytes()
}

fn oauth(target: SocketAddr, tokens: SocketAddr) -> Monitor {
    let mut spec = at(target);
    spec.auth = HttpAuth::OAuth2ClientCredentials {
        token_url: format!("http://{tokens}/token").parse().expect("url"),
        client_id: "me".to_owned(),
        client_secret: Secret::new("canary&"),
        scopes: vec!["a".to_owned(), "b".to_owned()],
    };
    monitor(ProbeSpec::Http(Box::new(spec)))
}

#[tokio::test]
async fn a_token_is_fetched_kept_and_replaced_when_refused() {
    let first = json(r#"{"access_token":"one","token_type":"bearer","expires_in":3600}"#);
    let second = json(r#"{"access_token":"two","expires_in":"3600"}"#);
    let (tokens, asked_tokens) = server(vec![first, second]).await;
    let refusal = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n".to_vec();
    let (target, asked_target) = server(vec![OK.to_vec(), OK.to_vec(), refusal.clone(), OK.to_vec(), refusal]).await;
    let prober = prober();
    let monitor = oauth(target, tokens);
    for status in [200, 200, 200, 401] {
        let observation = prober.run(&monitor, PATIENT).await;
        assert_eq!(seen(&observation).status, status);
        assert!(!observation.transcript.lines.join("\n").contains("canary"));
    }
    let bearers: Vec<String> = asked(&asked_target)
        .iter()
        .flat_map(|head| head.lines())
        .filter_map(|line| line.strip_prefix("authorization: Bearer "))
        .map(str::to_owned)
        .collect();
    assert_eq!(bearers, ["one", "one", "one", "two", "two", "two"]);
    let asked = asked(&asked_tokens);
    assert_eq!(asked.len(), 3);
    assert!(asked[0].starts_with("POST /token") && asked[0].contains("authorization: Basic bWU6Y2FuYXJ5JTI2\r\n"), "{}", asked[0]);
}

#[tokio::test]
async fn a_token_that_cannot_be_had_is_our_own_trouble() {
    let refusal = b"HTTP/1.1 401 Unauthorized\r\n\r\n{\"error\":\"invalid_client\"}".to_vec();
    for (answer, part) in [(refusal, "status 401 invalid_client"), (json("{}"), "no `access_token`"), (b"?".to_vec(), "not valid")] {
        let (tokens, _) = server(vec![answer]).await;
        let (target, asked_target) = server(vec![OK.to_vec()]).await;
        let observation = prober().run(&oauth(target, tokens), PATIENT).await;
        let Err(Failure::Own(OwnTrouble::Setup(detail))) = &observation.seen else { panic!("{observation:?}") };
        assert!(detail.starts_with("cannot get a token from 127.0.0.1: ") && detail.contains(part), "{detail}");
        assert!(asked(&asked_target).is_empty());
    }
    let silent = listener(|tcp, _| async move {
        let _held = tcp;
        std::future::pending::<()>().await;
    })
    .await;
    let observation = prober().run(&oauth(silent, silent), SHORT).await;
    assert_eq!(code(&observation), "own_trouble", "{observation:?}");
}
