//! The parts of a handshake's object that are written field by field, each as serde's derived serialisation gives it: a test holds them to
//! that. What many handshakes share is written once.

use super::push_string;
use crate::report::{AlertReport, CertificateReport, ClientOffer, Loss, ServerAnswer, Timing};

/// The field `timing`, a comma before it.
pub(super) fn timing(out: &mut Vec<u8>, timing: Timing) {
    let Timing { tcp_rtt_us, client_hello_us, server_hello_us, server_think_us, finished_us, total_us } = timing;
    raw(out, ",\"timing\":{");
    let start = out.len();
    number_if_some(out, ",\"tcp_rtt_us\":", tcp_rtt_us);
    number_if_some(out, ",\"client_hello_us\":", client_hello_us);
    number_if_some(out, ",\"server_hello_us\":", server_hello_us);
    number_if_some(out, ",\"server_think_us\":", server_think_us);
    number_if_some(out, ",\"finished_us\":", finished_us);
    number_if_some(out, ",\"total_us\":", total_us);
    drop_comma(out, start);
    out.push(b'}');
}

/// The field `loss`, a comma before it.
pub(super) fn loss(out: &mut Vec<u8>, loss: Loss) {
    let Loss { client_retransmits, server_retransmits, gap_bytes } = loss;
    number(out, ",\"loss\":{\"client_retransmits\":", client_retransmits);
    number(out, ",\"server_retransmits\":", server_retransmits);
    number(out, ",\"gap_bytes\":", gap_bytes);
    out.push(b'}');
}

/// The offer's first fields, each with a comma before it: those that say nothing of the order of extensions.
pub(super) fn offer_lists(out: &mut Vec<u8>, offer: &ClientOffer) {
    list(out, ",\"supported_versions\":", &offer.supported_versions);
    list(out, ",\"supported_ciphers\":", &offer.supported_ciphers);
    list(out, ",\"supported_groups\":", &offer.supported_groups);
    list_unless_empty(out, ",\"key_shares\":", &offer.key_shares);
    list(out, ",\"signature_algorithms\":", &offer.signature_algorithms);
    list(out, ",\"alpn\":", &offer.alpn);
}

/// The others.
pub(super) fn offer_extensions(out: &mut Vec<u8>, offer: &ClientOffer) {
    list_unless_empty(out, ",\"extensions\":", &offer.extensions);
    list_unless_empty(out, ",\"psk_modes\":", &offer.psk_modes);
    list_unless_empty(out, ",\"certificate_compression\":", &offer.certificate_compression);
    text_if_some(out, ",\"ech\":", offer.ech.as_ref());
    text(out, ",\"ja3\":", &offer.ja3);
    text(out, ",\"ja4\":", &offer.ja4);
}

/// The answer's fields, each with a comma before it.
pub(super) fn answer(out: &mut Vec<u8>, answer: &ServerAnswer) {
    text_if_some(out, ",\"ja3s\":", answer.ja3s.as_ref());
    list_unless_empty(out, ",\"extensions\":", &answer.extensions);
}

pub(super) fn certificate(out: &mut Vec<u8>, certificate: &CertificateReport) {
    out.extend_from_slice(certificate.rendered.get(|out| {
        text(out, "{\"subject\":", &certificate.subject);
        text(out, ",\"issuer\":", &certificate.issuer);
        text(out, ",\"serial\":", &certificate.serial);
        text(out, ",\"not_before\":", &certificate.not_before);
        text(out, ",\"not_after\":", &certificate.not_after);
        list(out, ",\"san\":", &certificate.san);
        text(out, ",\"key\":", &certificate.key);
        text(out, ",\"signature\":", &certificate.signature);
        text(out, ",\"sha256\":", &certificate.sha256);
        out.push(b'}');
    }));
}

pub(super) fn alert(out: &mut Vec<u8>, alert: &AlertReport) {
    text(out, "{\"from\":", &alert.from);
    text_if_some(out, ",\"level\":", alert.level.as_ref());
    number_if_some(out, ",\"code\":", alert.code);
    text_if_some(out, ",\"name\":", alert.name.as_ref());
    number(out, ",\"frame\":", alert.frame);
    flag(out, ",\"encrypted\":", alert.encrypted);
    out.push(b'}');
}

#[inline]
pub(super) fn raw(out: &mut Vec<u8>, text: impl AsRef<[u8]>) {
    out.extend_from_slice(text.as_ref());
}

/// A key with what stands before it, and its value.
#[inline]
pub(super) fn text(out: &mut Vec<u8>, key: &str, value: &str) {
    raw(out, key);
    push_string(out, value);
}

fn text_if_some(out: &mut Vec<u8>, key: &str, value: Option<&String>) {
    if let Some(value) = value {
        text(out, key, value);
    }
}

#[inline]
pub(super) fn number(out: &mut Vec<u8>, key: &str, value: impl Into<u64>) {
    raw(out, key);
    raw(out, itoa::Buffer::new().format(value.into()));
}

pub(super) fn number_if_some(out: &mut Vec<u8>, key: &str, value: Option<impl Into<u64>>) {
    if let Some(value) = value {
        number(out, key, value);
    }
}

#[inline]
pub(super) fn flag(out: &mut Vec<u8>, key: &str, value: bool) {
    raw(out, key);
    raw(out, if value { "true" } else { "false" });
}

pub(super) fn list<S: AsRef<str>>(out: &mut Vec<u8>, key: &str, values: &[S]) {
    raw(out, key);
    let mut before = b'[';
    for value in values {
        out.push(before);
        push_string(out, value.as_ref());
        before = b',';
    }
    raw(out, if values.is_empty() { "[]" } else { "]" });
}

fn list_unless_empty<S: AsRef<str>>(out: &mut Vec<u8>, key: &str, values: &[S]) {
    if !values.is_empty() {
        list(out, key, values);
    }
}

pub(super) fn objects<T>(out: &mut Vec<u8>, key: &str, values: &[T], mut push: impl FnMut(&mut Vec<u8>, &T)) {
    raw(out, key);
    let mut before = b'[';
    for value in values {
        out.push(before);
        push(out, value);
        before = b',';
    }
    raw(out, if values.is_empty() { "[]" } else { "]" });
}

/// The first member of an object or list, which begins at `start`, has no comma before it.
pub(super) fn drop_comma(out: &mut Vec<u8>, start: usize) {
    if out.get(start) == Some(&b',') {
        out.remove(start);
    }
}

#[cfg(test)]
mod tests {
    use super::super::by_serde;
    use super::*;

    /// Strings that need each kind of escape.
    fn words() -> Vec<String> {
        vec!["a\"\\\n".to_owned(), "\u{202e}x\u{7f}\u{1b}[2J\u{9b}".to_owned(), "株\u{e0041}".to_owned()]
    }

    /// The object that these fields make.
    fn object(fields: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = vec![b'{'];
        fields(&mut out);
        drop_comma(&mut out, 1);
        out.push(b'}');
        String::from_utf8(out).unwrap()
    }

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn offers_and_answers_are_written_as_serde_would() {
        let full = ClientOffer {
            supported_versions: words(),
            supported_ciphers: words(),
            supported_groups: words(),
            key_shares: words(),
            signature_algorithms: words(),
            alpn: words(),
            extensions: words(),
            psk_modes: words(),
            certificate_compression: words(),
            ech: Some("grease".to_owned()),
            ja3: "3".to_owned(),
            ja4: "4".to_owned(),
        };
        for one in [full, ClientOffer::default()] {
            let written = object(|out| {
                offer_lists(out, &one);
                offer_extensions(out, &one);
            });
            assert_eq!(written, by_serde(&one));
        }
        for one in [ServerAnswer { ja3s: Some("s".to_owned()), extensions: words(), ..Default::default() }, ServerAnswer::default()] {
            assert_eq!(object(|out| answer(out, &one)), by_serde(&one));
        }
    }

    #[test]
    fn certificates_and_alerts_are_written_as_serde_would() {
        let full = CertificateReport { subject: words().concat(), san: words(), ..Default::default() };
        for one in [full, CertificateReport::default()] {
            // Twice: it is kept from the first time.
            for _ in 0..2 {
                assert_eq!(written(|out| certificate(out, &one)), by_serde(&one));
            }
        }
        let hidden = AlertReport { from: "client".to_owned(), frame: u64::MAX, encrypted: true, ..Default::default() };
        let clear =
            AlertReport { level: Some("fatal".to_owned()), code: Some(0), name: Some("close_notify".to_owned()), ..Default::default() };
        for one in [hidden, clear] {
            assert_eq!(written(|out| alert(out, &one)), by_serde(&one));
        }
    }

    #[test]
    fn figures_are_written_as_serde_would() {
        let full = Timing { tcp_rtt_us: Some(0), finished_us: Some(u64::MAX), total_us: Some(10), ..Default::default() };
        for one in [full, Timing::default()] {
            assert_eq!(written(|out| timing(out, one)), format!(",\"timing\":{}", by_serde(&one)));
        }
        for one in [Loss { client_retransmits: 9, server_retransmits: 65_535, gap_bytes: u64::MAX }, Loss::default()] {
            assert_eq!(written(|out| loss(out, one)), format!(",\"loss\":{}", by_serde(&one)));
        }
    }
}
