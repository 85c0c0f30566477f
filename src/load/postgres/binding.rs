//! Channel binding: the proof of a password holds for the TLS channel in which it is given, and for no other.
//!
//! The binding is that of the server's certificate (RFC 5929, `tls-server-end-point`), the only one that
//! PostgreSQL knows.

use sha2::{Digest, Sha256, Sha384, Sha512};

/// Tags of DER: a sequence and an object identifier.
const SEQUENCE: u8 = 0x30;
const OBJECT_ID: u8 = 0x06;

/// The hash functions that a binding is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// What a certificate is signed with, as the bytes of its object identifier, and the hash of the binding: that
/// of the signature, and SHA-256 for older ones (RFC 5929, 4.1).
const SIGNATURES: [(&[u8], Hash); 11] = [
    // 1.2.840.113549.1.1: RSA with MD5, SHA-1, SHA-256, SHA-384, SHA-512, SHA-224.
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x04], Hash::Sha256),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05], Hash::Sha256),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b], Hash::Sha256),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c], Hash::Sha384),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d], Hash::Sha512),
    // 1.2.840.10045.4: ECDSA with SHA-1, SHA-256, SHA-384, SHA-512.
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01], Hash::Sha256),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02], Hash::Sha256),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03], Hash::Sha384),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04], Hash::Sha512),
    // 2.16.840.1.101.3.4.3: DSA with SHA-256.
    (&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x02], Hash::Sha256),
    // 1.2.840.10040.4.3: DSA with SHA-1.
    (&[0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x03], Hash::Sha256),
];

/// The binding of a certificate in DER. `None`: for its signature no binding is defined (Ed25519), or it is no
/// certificate.
pub fn of_certificate(der: &[u8]) -> Option<Vec<u8>> {
    let (_, hash) = SIGNATURES.iter().find(|(id, _)| Some(*id) == signature(der))?;
    Some(match hash {
        Hash::Sha256 => Sha256::digest(der).to_vec(),
        Hash::Sha384 => Sha384::digest(der).to_vec(),
        Hash::Sha512 => Sha512::digest(der).to_vec(),
    })
}

/// The object identifier of the algorithm that has signed a certificate: a certificate is a sequence of what is
/// signed, the algorithm and the signature.
fn signature(der: &[u8]) -> Option<&[u8]> {
    let (certificate, _) = element(der, SEQUENCE)?;
    let (_, behind) = element(certificate, SEQUENCE)?;
    let (algorithm, _) = element(behind, SEQUENCE)?;
    Some(element(algorithm, OBJECT_ID)?.0)
}

/// The content of the element that DER begins with, and what is behind it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = der.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let (length, rest) = match short {
        0..=0x7f => (usize::from(short), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
            (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    if first == tag { rest.split_at_checked(length) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate of nothing, signed with an algorithm.
    fn certificate(algorithm: &[u8], filling: usize) -> Vec<u8> {
        let element = |tag: u8, content: &[u8]| {
            let length = content.len() as u16;
            let mut out = vec![tag, 0x82];
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(content);
            out
        };
        let id = [&[OBJECT_ID, algorithm.len() as u8], algorithm].concat();
        let parts = [element(SEQUENCE, &vec![0; filling]), element(SEQUENCE, &id)];
        element(SEQUENCE, &parts.concat())
    }

    #[test]
    fn the_hash_is_that_of_the_signature() {
        for (algorithm, length) in
            [(SIGNATURES[1].0, 32), (SIGNATURES[3].0, 48), (SIGNATURES[8].0, 64)]
        {
            let der = certificate(algorithm, 300);
            assert_eq!(signature(&der), Some(algorithm));
            assert_eq!(of_certificate(&der).map(|hash| hash.len()), Some(length));
        }
        let der = certificate(SIGNATURES[2].0, 10);
        assert_eq!(of_certificate(&der), Some(Sha256::digest(&der).to_vec()));
    }

    #[test]
    fn what_is_no_certificate_has_no_binding() {
        // Ed25519 has no hash of its own.
        assert_eq!(of_certificate(&certificate(&[0x2b, 0x65, 0x70], 10)), None);
        let der = certificate(SIGNATURES[2].0, 10);
        for end in 0..der.len() {
            assert_eq!(of_certificate(&der[..end]), None, "{end}");
        }
        assert_eq!(of_certificate(&[SEQUENCE, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
