//! TLS of the server: certificate and key from files, which are looked at again every few seconds so that a renewal needs no
//! restart. Files that cannot be used leave the certificate from before in place.

use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use tokio_util::sync::CancellationToken;

use crate::config::ServerTls;
use crate::http::limits::TLS_LOOK_EVERY;
use crate::http::random::digest;

/// Why certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read `{file}`: {source}; check `server.tls`")]
    Unreadable {
        /// Which.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("`{file}` holds no {what} in PEM form; check `server.tls`")]
    Empty {
        /// Which.
        file: String,
        /// What is missing.
        what: &'static str,
    },
    /// They do not fit each other, or are of a kind that is not supported.
    #[error("the certificate `{cert}` and the key `{key}` cannot be used together: {source}")]
    Mismatch {
        /// Certificate file.
        cert: String,
        /// Key file.
        key: String,
        /// Why.
        source: rustls::Error,
    },
}

/// Certificate and key, kept current.
#[derive(Debug)]
pub struct TlsFiles {
    files: ServerTls,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    active: Arc<ServerConfig>,
    /// Of the contents that were tried last, good or bad, so that each content is complained about once.
    tried: [u8; 32],
}

impl TlsFiles {
    /// Reads them for the first time. Blocks for as long as two small files take.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn load(files: ServerTls) -> Result<TlsFiles, TlsError> {
        let (cert, key) = (read(&files.cert)?, read(&files.key)?);
        let active = Arc::new(build(&files, &cert, &key)?);
        Ok(TlsFiles { files, state: Mutex::new(State { active, tried: digest(&[&cert, &key]) }) })
    }

    /// What to use for the connection that begins now. Reads nothing: files may lie on a disk that hangs.
    #[must_use]
    pub fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.lock().active)
    }

    /// Looks at the files every few seconds until `stop`, away from the threads that serve.
    pub async fn keep_current(self: Arc<TlsFiles>, stop: CancellationToken) {
        loop {
            let files = Arc::clone(&self);
            let look = async move {
                tokio::time::sleep(TLS_LOOK_EVERY).await;
                tokio::task::spawn_blocking(move || files.look()).await
            };
            let looked = tokio::select! {
                () = stop.cancelled() => return,
                looked = look => looked,
            };
            match looked {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(%error, "the certificate from before stays in use: {error}"),
                Err(error) => tracing::error!(%error, "looking at the certificate files failed: {error}"),
            }
        }
    }

    /// Takes over new contents. The lock is held for the exchange only.
    fn look(&self) -> Result<(), TlsError> {
        let (cert, key) = (read(&self.files.cert)?, read(&self.files.key)?);
        let content = digest(&[&cert, &key]);
        if content == self.lock().tried {
            return Ok(());
        }
        let built = build(&self.files, &cert, &key);
        let mut state = self.lock();
        state.tried = content;
        state.active = Arc::new(built?);
        tracing::info!("a new certificate is in use from `{}`", self.files.cert.display());
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(file).map_err(|source| TlsError::Unreadable { file: file.display().to_string(), source })
}

fn build(files: &ServerTls, cert: &[u8], key: &[u8]) -> Result<ServerConfig, TlsError> {
    let (cert_name, key_name) = (files.cert.display().to_string(), files.key.display().to_string());
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(cert).filter_map(Result::ok).collect();
    if chain.is_empty() {
        return Err(TlsError::Empty { file: cert_name, what: "certificate" });
    }
    let Ok(key) = PrivateKeyDer::from_pem_slice(key) else { return Err(TlsError::Empty { file: key_name, what: "private key" }) };
    let mismatch = |source| TlsError::Mismatch { cert: cert_name.clone(), key: key_name.clone(), source };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(mismatch)?;
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key).map_err(mismatch)?;
    // HTTP/2 is not spoken: its ways to make a server work for nothing are many, and these pages gain nothing from it.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write_pair(dir: &Path, name: &str) {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        std::fs::write(dir.join("cert.pem"), made.cert.pem()).unwrap();
        std::fs::write(dir.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn renewed_files_are_used_and_broken_ones_are_not() {
        let dir = tempfile::tempdir().unwrap();
        write_pair(dir.path(), "one.example");
        let files = ServerTls { cert: dir.path().join("cert.pem"), key: dir.path().join("key.pem") };
        let tls = Arc::new(TlsFiles::load(files).unwrap());
        let first = tls.current();
        write_pair(dir.path(), "two.example");
        let stop = CancellationToken::new();
        // It looks once; a second look could be under way when the files change again.
        let keeping = tokio::time::timeout(TLS_LOOK_EVERY * 3 / 2, Arc::clone(&tls).keep_current(stop.clone())).await;
        assert!(keeping.is_err(), "it goes on until it is stopped");
        let second = tls.current();
        assert!(!Arc::ptr_eq(&first, &second));
        std::fs::write(dir.path().join("cert.pem"), "half a file").unwrap();
        assert!(matches!(tls.look(), Err(TlsError::Empty { what: "certificate", .. })));
        assert!(matches!(tls.look(), Ok(())), "each content is complained about once");
        assert!(Arc::ptr_eq(&second, &tls.current()));
        stop.cancel();
        tls.keep_current(stop).await;
    }

    #[test]
    fn what_is_wrong_at_start_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let files = ServerTls { cert: dir.path().join("cert.pem"), key: dir.path().join("key.pem") };
        assert!(matches!(TlsFiles::load(files.clone()), Err(TlsError::Unreadable { .. })));
        write_pair(dir.path(), "one.example");
        std::fs::write(dir.path().join("key.pem"), "").unwrap();
        assert!(matches!(TlsFiles::load(files), Err(TlsError::Empty { what: "private key", .. })));
    }
}
