//! TLS as `sslmode` asks for it, by rustls.

use super::address::{Address, SslMode};
use crate::load::{LoadError, LoadErrorKind};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme,
};
use std::path::Path;
use std::sync::Arc;

/// The client's side of a handshake with `host`.
pub fn client(address: &Address, host: &str) -> Result<ClientConnection, LoadError> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| failed(format!("`{host}` cannot stand in a certificate")))?;
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(error.to_string()))?;
    let verifier = verifier(address, provider)?;
    let config =
        builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    ClientConnection::new(Arc::new(config), name).map_err(|error| failed(error.to_string()))
}

/// What went wrong with TLS.
pub fn failed(what: String) -> LoadError {
    LoadError::new(LoadErrorKind::Tls, format!("no TLS with the server: {what}")).with_hint(
        "sslrootcert=FILE names the authority of the server's certificate; sslmode=require encrypts \
         without checking it",
    )
}

fn verifier(
    address: &Address,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, LoadError> {
    let checks_name = address.ssl == SslMode::VerifyFull;
    let unchecked = matches!(address.ssl, SslMode::Prefer | SslMode::Require);
    if unchecked && address.root_cert.is_none() {
        return Ok(Arc::new(Lenient { roots: None, provider }));
    }
    let roots = match &address.root_cert {
        Some(path) => read_roots(path)?,
        None => system_roots()?,
    };
    let checked = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|error| failed(error.to_string()))?;
    Ok(match checks_name {
        true => checked,
        false => Arc::new(Lenient { roots: Some(checked), provider }),
    })
}

fn read_roots(path: &Path) -> Result<RootCertStore, LoadError> {
    let told = |what: String| failed(format!("{}: {what}", path.display()));
    let mut roots = RootCertStore::empty();
    let found = CertificateDer::pem_file_iter(path).map_err(|error| told(error.to_string()))?;
    for certificate in found {
        let certificate = certificate.map_err(|error| told(error.to_string()))?;
        roots.add(certificate).map_err(|error| told(error.to_string()))?;
    }
    match roots.is_empty() {
        true => Err(told("there is no certificate in it".into())),
        false => Ok(roots),
    }
}

fn system_roots() -> Result<RootCertStore, LoadError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    match roots.is_empty() {
        true => Err(failed("this system has no root certificates".into())),
        false => Ok(roots),
    }
}

/// Checks less than the standard: not the name, or (without roots) only that the server holds the key
/// of the certificate it shows.
#[derive(Debug)]
struct Lenient {
    roots: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(roots) = &self.roots else { return Ok(ServerCertVerified::assertion()) };
        let found =
            roots.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match found {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
