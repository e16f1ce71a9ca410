//! Prose: what is known to be someone's name is replaced wherever it stands, and what looks like an address or a name as well.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::Anonymizer;
use crate::flow::read_address;

/// What has a pseudonym already, the longest first.
#[derive(Debug, Default)]
pub(super) struct Known {
    pairs: Vec<(String, String)>,
}

impl Known {
    /// Remembers a pseudonym. What is too short to tell from a word is left alone.
    pub(super) fn add(&mut self, original: String, pseudonym: String) {
        if original.len() >= SHORTEST && !self.pairs.iter().any(|(known, _)| *known == original) {
            let place = self.pairs.partition_point(|(known, _)| known.len() >= original.len());
            self.pairs.insert(place, (original, pseudonym));
        }
    }
}

impl Anonymizer {
    /// Makes prose anonymous.
    pub(super) fn text(&self, text: &str, known: &Known) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        // At the beginning of a word.
        let mut begins = true;
        let mut before = "";
        while let Some(c) = rest.chars().next() {
            if begins && let Some((behind, pseudonym)) = known_at(rest, known) {
                out.push_str(pseudonym);
                rest = behind;
                continue;
            }
            if begins && is_word(c) {
                let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                let (word, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
                if before == "serial" && word.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    // However short it is.
                    out.push_str(&self.digits(word, "serial"));
                } else {
                    self.word(&mut out, word);
                }
                before = word;
                rest = behind;
                begins = false;
                continue;
            }
            out.push(c);
            begins = !is_word(c);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
        out
    }

    fn word(&self, out: &mut String, word: &str) {
        let core = word.trim_end_matches(['.', ':', '-']);
        let tail = word.get(core.len()..).unwrap_or_default();
        // An IPv6 address may end in colons.
        if let Ok(address) = word.parse::<IpAddr>() {
            out.push_str(&self.address(&address.to_string()));
            return;
        }
        // Behind a MAC address a colon ends a clause.
        if read_address(core).is_some() {
            out.push_str(&self.address(core));
            out.push_str(tail);
            return;
        }
        if let Ok(socket) = core.parse::<SocketAddr>() {
            out.push_str(&self.address(&socket.ip().to_string()));
            out.push(':');
            out.push_str(&socket.port().to_string());
        } else if core.contains(':') && core.split(':').any(|part| is_name(part) || part.parse::<Ipv4Addr>().is_ok()) {
            // host:port, and curl's host:port:address.
            for (index, part) in core.split(':').enumerate() {
                if index > 0 {
                    out.push(':');
                }
                self.word(out, part);
            }
        } else if core.len() >= DIGITS && core.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let domain = match core.len() {
                64 => "certificate",
                16 => "id",
                _ => "serial",
            };
            out.push_str(&self.digits(core, domain));
        } else if is_name(core) {
            out.push_str(&self.name(core));
        } else {
            out.push_str(core);
        }
        out.push_str(tail);
    }
}

/// What is known at the beginning of `rest`, as a whole word: what is behind it, and its pseudonym.
fn known_at<'a, 'k>(rest: &'a str, known: &'k Known) -> Option<(&'a str, &'k str)> {
    known.pairs.iter().find_map(|(original, pseudonym)| {
        let behind = rest.strip_prefix(original.as_str())?;
        let mut next = behind.chars();
        let ends = match next.next() {
            // A name ends at the colon before a port and at the end of a sentence.
            Some('.' | ':') => !next.next().is_some_and(char::is_alphabetic),
            Some(c) => !is_word(c),
            None => true,
        };
        ends.then_some((behind, pseudonym.as_str()))
    })
}

/// Whether it has the shape of a host's name: labels of letters, digits and hyphens, the last of letters.
pub(super) fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty() && label.len() <= 63 && (label == "*" || label.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_')))
    };
    let Some((front, last)) = text.trim_end_matches('.').rsplit_once('.') else { return false };
    let ends = last.chars().count() >= 2 && (last.chars().all(char::is_alphabetic) || last.starts_with("xn--"));
    ends && front.split('.').all(label) && !FILES.contains(&last.to_ascii_lowercase().as_str())
}

const fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(c, '.' | ':' | '-' | '_' | '*')
        || !c.is_ascii() && !matches!(c, '\u{a0}'..='\u{bf}' | '\u{2000}'..='\u{206f}')
}

/// Below this, a value is as likely a word.
const SHORTEST: usize = 4;

/// So many hexadecimal digits are an id, a serial number or a fingerprint.
const DIGITS: usize = 16;

/// Endings of files and configuration that remedies name: no domain ends so.
const FILES: [&str; 14] = ["conf", "cfg", "cnf", "crt", "der", "js", "key", "log", "pcap", "pcapng", "pem", "txt", "xml", "yaml"];

#[cfg(test)]
mod tests {
    use super::super::Key;
    use super::*;

    #[test]
    fn addresses_and_names_in_prose() {
        let anonymizer = Anonymizer::new(Key::new("correct horse battery").unwrap());
        let of = |text: &str| anonymizer.text(text, &Known::default());
        let (v4, v6, name) = (anonymizer.address("192.0.2.1"), anonymizer.address("2001:db8::"), anonymizer.name("www.bank.test"));
        assert_eq!(of("to 192.0.2.1, 192.0.2.1:443."), format!("to {v4}, {v4}:443."));
        assert_eq!(of("[2001:db8::]:443 (2001:db8::)"), format!("[{v6}]:443 ({v6})"));
        assert_eq!(
            of("openssl s_client -connect www.bank.test:443 -servername WWW.bank.test"),
            format!("openssl s_client -connect {name}:443 -servername {name}")
        );
        assert_eq!(of("--resolve www.bank.test:443:192.0.2.1"), format!("--resolve {name}:443:{v4}"));
        assert_eq!(of("“www.bank.test.”"), format!("“{name}.”"));
        let serial = anonymizer.digits("77", "serial");
        assert_eq!(of("changed to serial 77 (77 times)"), format!("changed to serial {serial} (77 times)"));
        let kept = "TLS 1.3 at 09:04:20, e.g. ssl_protocols in nginx.conf (frame 12), 1.5 s: curve x25519.";
        assert_eq!(of(kept), kept);
    }

    #[test]
    fn what_is_known_is_replaced_as_a_whole_word() {
        let anonymizer = Anonymizer::new(Key::new("correct horse battery").unwrap());
        let mut known = Known::default();
        known.add("intranet".into(), "n1".into());
        known.add("Example Issuing CA".into(), "v2".into());
        let known_and_not = anonymizer.text("intranet:443:192.0.2.1", &known);
        assert_eq!(known_and_not, format!("n1:443:{}", anonymizer.address("192.0.2.1")));
        assert_eq!(anonymizer.text("intranet (intranet:443) by Example Issuing CA; intranets", &known), "n1 (n1:443) by v2; intranets");
    }
}
