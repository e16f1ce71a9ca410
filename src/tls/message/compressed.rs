//! `CompressedCertificate` (RFC 8879 section 4).

use std::io::Read;

use crate::limits;
use crate::tls::bytes::Cursor;

/// The Certificate message inside the body of a `CompressedCertificate`. `None` when its algorithm is not known, it is damaged, or its length
/// is not the declared one; never more than [`limits::DECOMPRESSED_CERTIFICATE`] bytes.
pub fn decompress_certificate(body: &[u8]) -> Option<Vec<u8>> {
    let mut cursor = Cursor::new(body);
    let algorithm = cursor.u16()?;
    let len = cursor.u24()?;
    let packed = cursor.vec24()?;
    if len == 0 || len > limits::DECOMPRESSED_CERTIFICATE {
        return None;
    }
    match algorithm {
        1 => exactly(flate2::read::ZlibDecoder::new(packed), len),
        2 => exactly(brotli_decompressor::Decompressor::new(packed, BUFFER), len),
        3 => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(packed).ok()?;
            decoder.window_log_max(limits::CERTIFICATE_WINDOW_LOG).ok()?;
            exactly(decoder, len)
        }
        _ => None,
    }
}

/// All that a decoder gives, if that is as long as declared; it is asked for one byte more at most.
fn exactly(decoder: impl Read, len: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    decoder.take(len as u64 + 1).read_to_end(&mut out).ok()?;
    (out.len() == len).then_some(out)
}

/// Bytes that the Brotli decoder buffers of its input.
const BUFFER: usize = 4096;

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "test data is short")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write as _;

    fn message(algorithm: u16, len: usize, packed: &[u8]) -> Vec<u8> {
        let u24 = |len: usize| (len as u32).to_be_bytes()[1..].to_vec();
        [algorithm.to_be_bytes().to_vec(), u24(len), u24(packed.len()), packed.to_vec()].concat()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// A Brotli stream without compression: window of 16 bits, one meta-block stored as it is, an empty last one (RFC 7932 section 9).
    fn brotli(bytes: &[u8]) -> Vec<u8> {
        // WBITS 0 (16); ISLAST 0; MNIBBLES 00 (four); MLEN - 1 in 16 bits; ISUNCOMPRESSED 1; padding to the byte.
        let head = (bytes.len() as u32 - 1) << 4 | 1 << 20;
        [&head.to_le_bytes()[..3], bytes, &[3]].concat()
    }

    #[test]
    fn each_algorithm_is_opened() {
        let certificate: Vec<u8> = (0..3000_u32).map(|i| (i / 7) as u8).collect();
        for (algorithm, packed) in
            [(1, zlib(&certificate)), (2, brotli(&certificate)), (3, zstd::encode_all(certificate.as_slice(), 3).unwrap())]
        {
            let body = message(algorithm, certificate.len(), &packed);
            assert_eq!(decompress_certificate(&body), Some(certificate.clone()), "{algorithm}");
            assert_eq!(decompress_certificate(&message(algorithm, certificate.len() - 1, &packed)), None, "longer than declared");
            assert_eq!(decompress_certificate(&message(algorithm, certificate.len() + 1, &packed)), None, "shorter than declared");
            assert_eq!(decompress_certificate(&body[..body.len() - 1]), None, "cut");
        }
        assert_eq!(decompress_certificate(&message(4, certificate.len(), &zlib(&certificate))), None);
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let bomb = zlib(&vec![0; 1 << 22]);
        assert!(bomb.len() < 1 << 13);
        assert_eq!(decompress_certificate(&message(1, 100, &bomb)), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(algorithm in 0u16..5, len in 0usize..1 << 24, packed in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decompress_certificate(&message(algorithm, len, &packed));
        }
    }
}
