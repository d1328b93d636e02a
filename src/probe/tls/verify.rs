//! The certificate verifier: the library's verdict, plus a note of what was shown, kept even when the verdict is bad.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use rustls::CertificateError;
use rustls::DigitallySignedStruct;
use rustls::Error;
use rustls::SignatureScheme;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::danger::ServerCertVerified;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::verify_server_name;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::UnixTime;
use rustls::server::ParsedCertificate;

use crate::clock::Clock;
use crate::probe::tls::certificate;
use crate::probe::tls::certificate::Shown;

/// What verifying needs, the same for all checks with the same settings.
#[derive(Debug)]
pub(crate) struct Trust {
    /// The library's verifier with its roots.
    pub(crate) inner: Arc<WebPkiServerVerifier>,
    /// Certificates from the config's `ca` text. A leaf that is one of them is trusted as it is, as with OpenSSL: self-signed
    /// certificates made by the usual one-line commands are marked as authorities, which the library refuses for servers.
    pub(crate) pinned: Vec<CertificateDer<'static>>,
    /// `false`: the verdict is noted and ignored.
    pub(crate) enforced: bool,
}

/// One handshake's verifier.
#[derive(Debug)]
pub(crate) struct Recorder {
    trust: Arc<Trust>,
    clock: Clock,
    note: Mutex<Note>,
}

/// What was shown and what the verifier made of it.
#[derive(Debug, Default)]
pub(crate) struct Note {
    /// The chain as read; `None` when none came or it could not be read.
    pub(crate) shown: Option<Shown>,
    /// Why it was refused, or would have been.
    pub(crate) defect: Option<Error>,
}

impl Recorder {
    /// For one handshake.
    pub(crate) fn new(trust: Arc<Trust>, clock: Clock) -> Recorder {
        Recorder { trust, clock, note: Mutex::new(Note::default()) }
    }

    /// What has been noted.
    pub(crate) fn take(&self) -> Note {
        std::mem::take(&mut *self.note.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The verdict on a leaf that is itself in the config.
    fn judge_pinned(leaf: &CertificateDer<'_>, name: &ServerName<'_>, shown: Option<&Shown>, now: UnixTime) -> Result<(), Error> {
        let shown = shown.ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))?;
        let now_millis = i64::try_from(now.as_secs()).unwrap_or(i64::MAX).saturating_mul(1000);
        if now_millis > shown.certificate.not_after.0 {
            return Err(Error::InvalidCertificate(CertificateError::Expired));
        }
        if now_millis < shown.certificate.not_before.0 {
            return Err(Error::InvalidCertificate(CertificateError::NotValidYet));
        }
        verify_server_name(&ParsedCertificate::try_from(leaf)?, name)
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let wall = u64::try_from(self.clock.now().wall.0).unwrap_or(0);
        let now = UnixTime::since_unix_epoch(Duration::from_millis(wall));
        let mut chain = vec![leaf.clone()];
        chain.extend_from_slice(above);
        let shown = certificate::read(&chain);
        let verdict = if self.trust.pinned.iter().any(|pinned| pinned.as_ref() == leaf.as_ref()) {
            Recorder::judge_pinned(leaf, name, shown.as_ref(), now)
        } else {
            self.trust.inner.verify_server_cert(leaf, above, name, ocsp, now).map(|_| ())
        };
        *self.note.lock().unwrap_or_else(PoisonError::into_inner) = Note { shown, defect: verdict.as_ref().err().cloned() };
        match verdict {
            Err(error) if self.trust.enforced => Err(error),
            Ok(()) | Err(_) => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // Without `verify`, certificates that cannot even be read are fine, and such ones verify no signature.
        let valid = self.trust.inner.verify_tls12_signature(message, leaf, signed);
        if self.trust.enforced { valid } else { Ok(valid.unwrap_or_else(|_| HandshakeSignatureValid::assertion())) }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let valid = self.trust.inner.verify_tls13_signature(message, leaf, signed);
        if self.trust.enforced { valid } else { Ok(valid.unwrap_or_else(|_| HandshakeSignatureValid::assertion())) }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trust.inner.supported_verify_schemes()
    }
}
