//! TLS: good and bad certificates, each with its own verdict.

use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::DnType;
use rcgen::IsCa;
use rcgen::Issuer;
use rcgen::KeyPair;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::model::monitor::ClientCertificate;
use crate::model::result::Failure;
use crate::model::result::OwnTrouble;
use crate::model::result::TlsDefect;
use crate::model::secret::Secret;
use crate::model::time::Mono;
use crate::model::time::Now;
use crate::model::time::UnixMillis;
use crate::probe::tls::roots;

/// A certificate authority of a test.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(super) pem: String,
    der: CertificateDer<'static>,
}

impl Authority {
    pub(super) fn new() -> Authority {
        let key = KeyPair::generate().expect("key");
        let mut params = CertificateParams::new(Vec::new()).expect("params");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Test Authority");
        let certificate = params.self_signed(&key).expect("certificate");
        Authority { pem: certificate.pem(), der: certificate.der().clone(), issuer: Issuer::new(params, key) }
    }

    /// A certificate for `localhost` and 127.0.0.1, changed by `change`.
    pub(super) fn issue(&self, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let key = KeyPair::generate().expect("key");
        let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).expect("params");
        params.distinguished_name.push(DnType::CommonName, "the leaf");
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).expect("certificate");
        Identity { chain: vec![certificate.der().clone()], pem: certificate.pem(), key }
    }
}

/// A certificate with its key.
pub(super) struct Identity {
    chain: Vec<CertificateDer<'static>>,
    pem: String,
    key: KeyPair,
}

impl Identity {
    fn key_der(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.serialize_der()).expect("key")
    }

    pub(super) fn server(&self) -> ServerConfig {
        ServerConfig::builder_with_provider(roots::provider())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), self.key_der())
            .expect("certificate and key")
    }
}

fn self_signed(is_ca: bool) -> Identity {
    let key = KeyPair::generate().expect("key");
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("params");
    if is_ca {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    let certificate = params.self_signed(&key).expect("certificate");
    Identity { chain: vec![certificate.der().clone()], pem: certificate.pem(), key }
}

/// An HTTPS server.
async fn secure(config: ServerConfig) -> HttpSpec {
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let address = listener(move |tcp, _| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(mut tls) = acceptor.accept(tcp).await {
                read_head(&mut tls).await;
                let _ = tls.write_all(OK).await;
                let _ = tls.shutdown().await;
                let _ = tls.read(&mut [0; 1024]).await;
            }
        }
    })
    .await;
    http(&format!("https://{address}/"))
}

async fn trusting(authority: &Authority, identity: &Identity) -> HttpSpec {
    let mut spec = secure(identity.server()).await;
    spec.tls.ca_pem = Some(authority.pem.clone());
    spec
}

#[track_caller]
fn defect(observation: &Observation) -> &TlsDefect {
    match &observation.seen {
        Err(Failure::Tls(defect)) => defect,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_good_certificate_is_accepted_and_described() {
    let authority = Authority::new();
    let spec = trusting(&authority, &authority.issue(|params| params.not_after = rcgen::date_time_ymd(2037, 5, 6))).await;
    let observation = observe(spec).await;
    assert_eq!(seen(&observation).status, 200);
    let certificate = observation.certificate.as_ref().expect("certificate");
    assert_eq!((certificate.subject.as_str(), certificate.issuer.as_str()), ("the leaf", "Test Authority"));
    assert_eq!(certificate.not_after.rfc3339(), "2037-05-06T00:00:00Z");
    assert_eq!(certificate.names, ["localhost", "127.0.0.1"]);
    assert!(observation.timings.tls.is_some());
    assert!(observation.transcript.lines.iter().any(|line| line.starts_with("tls 1.3 ")), "{:?}", observation.transcript);
}

#[tokio::test]
async fn certificates_out_of_their_time_say_when() {
    let authority = Authority::new();
    let spec = trusting(&authority, &authority.issue(|params| params.not_after = rcgen::date_time_ymd(2024, 5, 6))).await;
    let observation = observe(spec).await;
    let UnixMillis(end) = observation.certificate.as_ref().expect("shown although refused").not_after;
    assert_eq!(defect(&observation), &TlsDefect::Expired { not_after: UnixMillis(end) });
    assert_eq!(UnixMillis(end).rfc3339(), "2024-05-06T00:00:00Z");

    let spec = trusting(&authority, &authority.issue(|params| params.not_before = rcgen::date_time_ymd(2093, 5, 6))).await;
    assert_eq!(told(&observe(spec).await), "the certificate is not valid before 2093-05-06T00:00:00Z");
}

#[tokio::test]
async fn a_wrong_clock_is_our_own_trouble() {
    let authority = Authority::new();
    let spec = trusting(&authority, &authority.issue(|params| params.not_before = rcgen::date_time_ymd(2025, 5, 6))).await;
    let clock = Clock::manual(Now { wall: UnixMillis(86_400_000), mono: Mono(0) });
    let observation = Prober::new("x".to_owned(), clock).run(&monitor(ProbeSpec::Http(Box::new(spec))), PATIENT).await;
    assert_eq!(observation.seen, Err(Failure::Own(OwnTrouble::Clock)));
}

#[tokio::test]
async fn the_name_must_fit() {
    let authority = Authority::new();
    let other = authority.issue(|params| *params = CertificateParams::new(vec!["other.example".to_owned()]).expect("params"));
    let mut spec = trusting(&authority, &other).await;
    let observation = observe(spec.clone()).await;
    assert_eq!(defect(&observation), &TlsDefect::WrongName { wanted: "127.0.0.1".to_owned(), names: vec!["other.example".to_owned()] });
    spec.tls.server_name = Some("other.example".to_owned());
    assert_eq!(seen(&observe(spec).await).status, 200);
}

#[tokio::test]
async fn unknown_issuers_and_self_signed_certificates_are_told_apart() {
    let authority = Authority::new();
    let spec = secure(authority.issue(|_| {}).server()).await;
    assert_eq!(defect(&observe(spec).await), &TlsDefect::UnknownIssuer { issuer: "Test Authority".to_owned() });
    for is_ca in [false, true] {
        let identity = self_signed(is_ca);
        let mut spec = secure(identity.server()).await;
        assert_eq!(defect(&observe(spec.clone()).await), &TlsDefect::SelfSigned);
        spec.tls.ca_pem = Some(identity.pem.clone());
        assert_eq!(seen(&observe(spec.clone()).await).status, 200, "trusted as it is, authority: {is_ca}");
        spec.tls.server_name = Some("other.example".to_owned());
        assert_eq!(code(&observe(spec).await), "tls_wrong_name");
    }
}

#[tokio::test]
async fn a_missing_intermediate_names_the_issuer_and_a_short_lived_one_counts() {
    let authority = Authority::new();
    let key = KeyPair::generate().expect("key");
    let mut params = CertificateParams::new(Vec::new()).expect("params");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "Between");
    params.not_after = rcgen::date_time_ymd(2036, 1, 2);
    let between = params.signed_by(&key, &authority.issuer).expect("certificate");
    let middle = Authority { issuer: Issuer::new(params, key), pem: between.pem(), der: between.der().clone() };
    let mut leaf = middle.issue(|_| {});
    assert_eq!(defect(&observe(trusting(&authority, &leaf).await).await), &TlsDefect::UnknownIssuer { issuer: "Between".to_owned() });
    leaf.chain.push(middle.der.clone());
    let observation = observe(trusting(&authority, &leaf).await).await;
    assert_eq!(seen(&observation).status, 200);
    assert_eq!(observation.certificate.expect("certificate").not_after.rfc3339(), "2036-01-02T00:00:00Z");
}

#[tokio::test]
async fn a_certificate_for_clients_is_not_for_servers() {
    let authority = Authority::new();
    let leaf = authority.issue(|params| params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth]);
    assert_eq!(code(&observe(trusting(&authority, &leaf).await).await), "tls_bad_certificate");
}

#[tokio::test]
async fn a_forged_signature_is_noticed() {
    let (real, impostor) = (Authority::new(), Authority::new());
    let observation = observe(trusting(&real, &impostor.issue(|_| {})).await).await;
    assert!(matches!(code(&observation), "tls_bad_signature" | "tls_unknown_issuer"), "{}", told(&observation));
}

#[tokio::test]
async fn without_verification_everything_is_recorded_and_nothing_judged() {
    let authority = Authority::new();
    let mut spec = secure(authority.issue(|params| params.not_after = rcgen::date_time_ymd(2024, 5, 6)).server()).await;
    spec.tls.verify = false;
    let observation = observe(spec).await;
    assert_eq!(seen(&observation).status, 200);
    assert!(observation.certificate.is_some());
    let transcript = observation.transcript.lines.join("\n");
    assert!(transcript.contains("certificate not verified; verifying would say: the certificate expired"), "{transcript}");
}

#[tokio::test]
async fn client_certificates_are_shown_when_asked_for() {
    let authority = Authority::new();
    let identity = authority.issue(|_| {});
    let mut roots = RootCertStore::empty();
    roots.add(authority.der.clone()).expect("root");
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), roots::provider()).build().expect("verifier");
    let config = ServerConfig::builder_with_provider(roots::provider())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(verifier)
        .with_single_cert(identity.chain.clone(), identity.key_der())
        .expect("certificate and key");
    let mut spec = secure(config).await;
    spec.tls.ca_pem = Some(authority.pem.clone());
    assert_eq!(defect(&observe(spec.clone()).await), &TlsDefect::Alert { name: "certificate_required".to_owned() });
    let client = authority.issue(|_| {});
    spec.tls.client = Some(ClientCertificate { chain_pem: client.pem.clone(), key_pem: Secret::new(client.key.serialize_pem()) });
    assert_eq!(seen(&observe(spec.clone()).await).status, 200);
    spec.tls.client = Some(ClientCertificate { chain_pem: client.pem, key_pem: Secret::new(identity.key.serialize_pem()) });
    assert!(prober().prepare(&ProbeSpec::Http(Box::new(spec))).is_err(), "the key is another's");
}

#[tokio::test]
async fn versions_without_overlap_have_nothing_in_common() {
    let authority = Authority::new();
    let identity = authority.issue(|_| {});
    let config = ServerConfig::builder_with_provider(roots::provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(identity.chain.clone(), identity.key_der())
        .expect("certificate and key");
    let mut spec = secure(config).await;
    spec.tls.ca_pem = Some(authority.pem.clone());
    assert_eq!(seen(&observe(spec.clone()).await).status, 200);
    spec.tls.min_version = TlsVersion::V13;
    assert_eq!(defect(&observe(spec).await), &TlsDefect::NothingInCommon);
}

#[tokio::test]
async fn plain_ports_and_early_ends_are_told_apart() {
    for words in ["HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n"] {
        let plain = listener(move |mut tcp, _| async move {
            let _ = tcp.read(&mut [0; 4096]).await;
            let _ = tcp.write_all(words.as_bytes()).await;
            let _ = tcp.read(&mut [0; 4096]).await;
        })
        .await;
        assert_eq!(defect(&observe(http(&format!("https://{plain}/"))).await), &TlsDefect::NotTls);
    }
    let closing = listener(|mut tcp, _| async move {
        let _ = tcp.read(&mut [0; 4096]).await;
    })
    .await;
    assert_eq!(told(&observe(http(&format!("https://{closing}/"))).await), "the other side closed the connection during the TLS handshake");
}
