//! Whom to trust: the system's certificate store, or, where there is none (an empty container), the roots of Mozilla. Read once.

use std::sync::Arc;
use std::sync::OnceLock;

use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;

/// The one cryptography of this program.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(rustls::crypto::ring::default_provider())))
}

/// The trust anchors. Reads files the first time, which blocks for some milliseconds.
pub(crate) fn system() -> Arc<RootCertStore> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    Arc::clone(ROOTS.get_or_init(|| {
        let mut store = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        let (n_good, n_bad) = store.add_parsable_certificates(found.certs);
        if n_good == 0 {
            store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            tracing::info!(n_roots = store.len(), "this system has no certificate store; using the built-in roots");
        } else {
            tracing::debug!(n_good, n_bad, "trusting {n_good} roots of the system's certificate store");
        }
        Arc::new(store)
    }))
}

/// How name servers are spoken to over TLS.
pub(crate) fn dns_over_tls() -> ClientConfig {
    static CONFIG: OnceLock<ClientConfig> = OnceLock::new();
    CONFIG.get_or_init(|| trusting(system())).clone()
}

/// For name servers that are not spoken to over TLS, where the library wants settings all the same: trusts nobody, reads no file.
pub(crate) fn no_tls() -> ClientConfig {
    static CONFIG: OnceLock<ClientConfig> = OnceLock::new();
    CONFIG.get_or_init(|| trusting(Arc::new(RootCertStore::empty()))).clone()
}

fn trusting(roots: Arc<RootCertStore>) -> ClientConfig {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth()
}
