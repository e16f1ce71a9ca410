//! What a refused `ClientHello` offered, and where it is narrow: servers name the reason for a refusal badly or not at all, so it is
//! reasoned from the offer and from what the same server accepted of others.

use std::time::Duration;

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::contrast;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::knowledge::Knowledge;
use crate::flow::Side;
use crate::handshake::Handshake;
use crate::handshake::facts::{AlertSeen, Located, Outcome, StoppedBy};
use crate::limits;
use crate::time::Mark;
use crate::tls::client_hello::{ClientHello, Defect};
use crate::tls::registry::{
    AlertDescription, CipherSuite, KeyExchange, NamedGroup, ProtocolVersion, SignatureKey, SignatureScheme, Weakness,
};

/// A `ClientHello` that the server refused before any `ServerHello`.
#[derive(Debug)]
pub struct Refusal<'a> {
    /// The hello.
    pub hello: &'a ClientHello,
    /// Where it ended.
    pub asked: Mark,
    /// The alert; `None` when the server closed or reset without one.
    pub alert: Option<AlertDescription>,
    /// Where the refusal was, if a packet carried it.
    pub refused: Option<Mark>,
}

impl Refusal<'_> {
    /// A finding with the hello and the refusal as evidence; `offered` says what of the hello matters.
    pub fn finding(&self, cause: Cause, confidence: Confidence, summary: String, offered: String) -> Finding {
        let finding = Finding::new(cause, confidence, summary).stopped_by(StoppedBy::Server).shown_by(self.asked, offered);
        match (self.refused, self.alert) {
            (Some(mark), Some(alert)) => finding.shown_by(mark, format!("server sent alert {}", spoken(alert))),
            (Some(mark), None) => finding.shown_by(mark, "server ended the connection without an alert"),
            (None, _) => finding,
        }
    }
}

/// The refusal, when there is one: a clear fatal alert from the server, or its FIN or RST, in answer to a hello.
pub fn refusal<'a>(case: &Case<'a>) -> Option<Refusal<'a>> {
    let handshake = case.handshake;
    if handshake.server_hello.is_some() || handshake.hello_retry.is_some() || !handshake.outcome.failed() {
        return None;
    }
    let hello = handshake.last_hello()?;
    let closed = matches!(handshake.outcome, Outcome::Closed | Outcome::Reset) && handshake.stopped_by == StoppedBy::Server;
    let (alert, refused) = match handshake.deciding_alert() {
        Some(seen) if seen.from == Side::Server => (Some(seen.alert?.description), Some(seen.mark)),
        None if closed => (None, handshake.end),
        _ => return None,
    };
    // Who reads an offer and finds nothing in it leaves at once: a server that closes without a word after seconds waited for something.
    let waited = refused.is_some_and(|refused| refused.time.since(hello.mark.time) > LONGEST_REFUSAL);
    if alert.is_none() && waited {
        return None;
    }
    Some(Refusal { hello: &hello.what, asked: hello.mark, alert, refused })
}

/// The deciding alert and its description, when this side sent it and it can be read.
pub fn alert_from<'a>(case: &Case<'a>, side: Side) -> Option<(&'a AlertSeen, AlertDescription)> {
    let seen = case.handshake.deciding_alert().filter(|seen| seen.from == side)?;
    Some((seen, seen.alert?.description))
}

/// `handshake_failure (40)`.
pub fn spoken(alert: AlertDescription) -> String {
    format!("{alert} ({})", alert.0)
}

/// `www.example.test (192.0.2.1:443)`, or the address alone.
pub fn server(case: &Case<'_>) -> String {
    match case.handshake.server_name() {
        Some(name) => format!("{name} ({})", case.handshake.server),
        None => case.handshake.server.to_string(),
    }
}

/// The names of a list, the first few of them.
pub fn listed<T: std::fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    let mut items = items.into_iter();
    let first: Vec<String> = items.by_ref().take(MOST_NAMED).map(|item| item.to_string()).collect();
    let more = items.count();
    match (first.is_empty(), more) {
        (true, _) => "none".to_owned(),
        (false, 0) => first.join(", "),
        (false, more) => format!("{} and {more} more", first.join(", ")),
    }
}

/// `TLS 1.0 to TLS 1.2`, `TLS 1.3`, `at most TLS 1.2`.
pub fn versions(hello: &ClientHello) -> String {
    let highest = hello.highest_version().spoken();
    match hello.lowest_version() {
        Some(lowest) if lowest == hello.highest_version() => format!("only {highest}"),
        Some(lowest) => format!("{} to {highest}", lowest.spoken()),
        None => format!("at most {highest}"),
    }
}

/// Defects for which servers refuse: nearly all of them overlook an address or a final dot in `server_name`.
pub fn grave_defects(hello: &ClientHello) -> Vec<Defect> {
    let mut defects = hello.defects();
    defects.retain(|defect| !is_overlooked(defect));
    defects
}

/// An address in the place of a name, a final dot, odd bytes.
pub fn is_overlooked(defect: &Defect) -> bool {
    defect.field == "server_name" && !defect.rule.starts_with("not a list")
}

/// The client's versions are so old that a server of today refuses them, whatever else it offers; unless this server took one from others.
pub fn is_outdated(hello: &ClientHello, knowledge: &Knowledge) -> bool {
    let old = hello.highest_version().rank() <= ProtocolVersion::TLS11.rank();
    old && !knowledge.versions.iter().any(|version| hello.offers(*version))
}

/// A reason why nothing was found in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspect {
    /// What it would be called.
    pub cause: Cause,
    /// How narrow the offer is there: 1 no reason to think so, 2 narrow, 3 few servers would do, 4 hardly any would, 5 this server does not.
    pub narrowness: u8,
    /// Something else in the offer is as narrow.
    pub rivalled: bool,
    /// It stands out only beside the offers that this server served.
    pub compared: bool,
    /// One clause about the offer.
    pub why: String,
}

impl Suspect {
    const fn new(cause: Cause, narrowness: u8, why: String) -> Self {
        Self { cause, narrowness, rivalled: false, compared: false, why }
    }

    /// What only the comparison with others shows.
    const fn compared(cause: Cause, why: String) -> Self {
        Self { cause, narrowness: NOT_OF_THIS_SERVER, rivalled: false, compared: true, why }
    }

    /// How sure that makes.
    pub const fn confidence(&self) -> Confidence {
        match (self.narrowness, self.rivalled || self.compared) {
            (NAMED_IN_A_TIE.., false) => Confidence::Strong,
            _ => Confidence::Likely,
        }
    }
}

/// The suspects, likeliest first; none when the offer is broad everywhere.
pub fn suspects(hello: &ClientHello, knowledge: &Knowledge) -> Vec<Suspect> {
    let offer = UsableOffer::of(hello);
    // Whose versions are all newer than this server's has suites and keys that fit none of them.
    let suites = if contrast::parts_versions(hello, &knowledge.versions) { &[][..] } else { &knowledge.ciphers };
    let mut found: Vec<Suspect> = [
        offer.curve(knowledge).or_else(|| offer.key_kind(knowledge)),
        offer.ciphers(suites, knowledge),
        offer.groups(knowledge),
        offer.schemes(knowledge),
    ]
    .into_iter()
    .flatten()
    .filter(|suspect| suspect.narrowness >= 2)
    .collect();
    // Stable: among equals the kind of key comes first, then suites, as they fail most often.
    found.sort_by_key(|suspect| std::cmp::Reverse(suspect.narrowness));
    // What the suites ask of the key is no other list.
    let of_suites = |cause: Cause| matches!(cause, Cause::CertificateTypeMismatch | Cause::NoCommonCipher);
    if let [first, rest @ ..] = found.as_mut_slice() {
        let other_list = |suspect: &Suspect| !(of_suites(first.cause) && of_suites(suspect.cause));
        first.rivalled = rest.iter().any(|suspect| suspect.narrowness == first.narrowness && other_list(suspect));
    }
    found
}

/// The client accepts only signatures that some certificates of today cannot make.
pub fn signatures_are_narrow(case: &Case<'_>) -> bool {
    let hello = case.handshake.last_hello().map(|seen| &seen.what);
    let schemes = hello.and_then(|hello| UsableOffer::of(hello).schemes(case.knowledge));
    schemes.is_some_and(|suspect| suspect.narrowness >= 2)
}

/// In TLS 1.3, an encrypted alert in place of the server's Certificate.
#[derive(Debug)]
pub struct Withheld<'a> {
    /// The ClientHello.
    pub asked: &'a Located<ClientHello>,
    /// The ServerHello.
    pub answered: Mark,
    /// The alert.
    pub alerted: Mark,
}

/// The server had nothing to show: behind its ServerHello came EncryptedExtensions and an alert, and no Certificate, which would be larger.
pub fn certificate_withheld(handshake: &Handshake) -> Option<Withheld<'_>> {
    let seen = handshake.deciding_alert().filter(|seen| seen.from == Side::Server && seen.alert.is_none())?;
    let asked = handshake.last_hello()?;
    // Before TLS 1.3 a Certificate stands in clear.
    let answer = handshake.server_hello.as_ref().filter(|answer| answer.what.version().is_tls13() && handshake.server_chain.is_none())?;
    let extensions_only = handshake.encrypted.server.len() == 2 && handshake.encrypted.server.first()?.len < SMALLEST_CERTIFICATE;
    let hidden = handshake.is_tls13() && handshake.server_chain.is_none() && handshake.flow.out_of_step == 0;
    let withheld = hidden && handshake.outcome.failed() && !handshake.hidden.server_flight_done.happened() && extensions_only;
    withheld.then_some(Withheld { asked, answered: answer.mark, alerted: seen.mark })
}

/// The suspect of this cause, when it is the likeliest.
pub fn prime_suspect(case: &Case<'_>, refusal: &Refusal<'_>, cause: Cause) -> Option<(Suspect, Vec<Cause>)> {
    if !grave_defects(refusal.hello).is_empty() || refusal.hello.is_sslv2() {
        return None;
    }
    let mut all = suspects(refusal.hello, case.knowledge).into_iter();
    // Where two lists are no more than narrow, and equally so, neither is to be named before the other.
    let prime = all.next().filter(|suspect| suspect.cause == cause && !(suspect.rivalled && suspect.narrowness < NAMED_IN_A_TIE))?;
    let mut others: Vec<Cause> = all.map(|suspect| suspect.cause).collect();
    if is_outdated(refusal.hello, case.knowledge) {
        others.insert(0, Cause::ClientVersionTooOld);
    }
    others.push(Cause::HandshakeFailure);
    Some((prime, others))
}

/// The offer without GREASE and signals.
struct UsableOffer {
    tls13: bool,
    tls12: bool,
    /// It lists more suites than there are in use: none of them is looked at.
    broad: bool,
    suites: Vec<CipherSuite>,
    groups: Vec<NamedGroup>,
    schemes: Vec<SignatureScheme>,
}

impl UsableOffer {
    fn of(hello: &ClientHello) -> Self {
        let tls13 = hello.highest_version().is_tls13();
        let broad = hello.cipher_suite_list().len() / 2 > limits::OFFERED_SUITES;
        let looked_at = if broad { 0 } else { limits::OFFERED_SUITES };
        Self {
            tls13,
            broad,
            tls12: hello.lowest_version().is_none_or(|lowest| !lowest.is_tls13()),
            suites: hello.cipher_suites().take(looked_at).filter(|suite| !suite.is_grease() && !suite.is_signal()).collect(),
            groups: hello.supported_groups().filter(|group| !group.is_grease()).collect(),
            schemes: hello.signature_algorithms().filter(|scheme| !scheme.is_grease()).collect(),
        }
    }

    /// Suites that can be chosen with the versions offered.
    fn usable(&self) -> impl Iterator<Item = CipherSuite> + '_ {
        self.suites.iter().copied().filter(|suite| if suite.is_tls13() { self.tls13 } else { self.tls12 })
    }

    /// A suite that practically every server of today has, for an RSA or ECDSA certificate.
    fn is_common(suite: CipherSuite) -> bool {
        matches!(suite.0, 0x1301..=0x1303 | 0xc02b | 0xc02c | 0xc02f | 0xc030 | 0xcca8 | 0xcca9)
    }

    /// `known` are suites that this server chose for others.
    fn ciphers(&self, known: &[CipherSuite], knowledge: &Knowledge) -> Option<Suspect> {
        if self.broad {
            return None;
        }
        let usable: Vec<CipherSuite> = self.usable().collect();
        let suspect = |narrowness, why| Some(Suspect::new(Cause::NoCommonCipher, narrowness, why));
        let missed = known.len() >= KNOWN_ENOUGH && !known.iter().any(|suite| usable.contains(suite));
        let count = usable.len();
        let named = || listed(&usable);
        let grave = |suite: &CipherSuite| suite.weakness().is_some_and(|weakness| weakness < Weakness::StaticKey);
        if usable.is_empty() {
            return suspect(4, "the client offers no suite that fits its versions".to_owned());
        }
        if usable.iter().all(grave) {
            return suspect(4, format!("the client offers only suites that are widely disabled: {}", named()));
        }
        if missed && count <= FEW_SUITES {
            return suspect(5, format!("the client offers {}; this server chose {} for other clients", named(), listed(known)));
        }
        // A long list that lacks all that others were given, which those that were refused lack, too.
        let fits = |suite: &&CipherSuite| if suite.is_tls13() { self.tls13 } else { self.tls12 };
        let chosen: Vec<CipherSuite> = known.iter().filter(fits).copied().collect();
        if missed && knowledge.contrast.parts_suites(&chosen, &usable, knowledge.completed) {
            let why = format!("this server chose {} for other clients, and the client offers none of them", listed(&chosen));
            return Some(Suspect::compared(Cause::NoCommonCipher, why));
        }
        let odd =
            |suite: &CipherSuite| !Self::is_common(*suite) && suite.weakness().is_none() && suite.key_exchange() != KeyExchange::DheRsa;
        match count {
            _ if usable.iter().all(|suite| grave(suite) || suite.weakness().is_some()) && count <= FEW_SUITES => {
                suspect(if count <= 2 { 4 } else { 3 }, format!("the client offers only old suites: {}", named()))
            }
            _ if usable.iter().all(|suite| odd(suite) || suite.weakness().is_some()) => {
                suspect(3, format!("the client offers only uncommon suites: {}", named()))
            }
            // The one that every server of TLS 1.3 must have (RFC 8446 section 9.1).
            1 if usable.contains(&CipherSuite(0x1301)) => None,
            1 if self.tls13 => suspect(2, format!("the client offers a single suite: {}", named())),
            1 => suspect(3, format!("the client offers a single suite: {}", named())),
            // Two that every server has are enough for any.
            2 | 3 if !self.tls13 && usable.iter().filter(|suite| Self::is_common(**suite)).count() < 2 => {
                suspect(2, format!("the client offers few suites: {}", named()))
            }
            _ => None,
        }
    }

    /// Whether the client cannot take the curve of this server's certificates: below TLS 1.3 its groups bind them too (RFC 8422 section 5.1).
    fn curve(&self, knowledge: &Knowledge) -> Option<Suspect> {
        let curves = &knowledge.curves;
        let ec_alone = knowledge.key_kinds.iter().all(|kind| kind == "EC");
        if curves.is_empty() || !ec_alone || self.groups.is_empty() || self.schemes.is_empty() {
            return None;
        }
        let speaks13 = self.tls13 && knowledge.versions.iter().any(|version| version.is_tls13());
        let speaks12 = self.tls12 && knowledge.versions.iter().any(|version| !version.is_tls13());
        let taken = |curve: &NamedGroup| {
            let signed = speaks13 && contrast::scheme_of(*curve).is_none_or(|scheme| self.schemes.contains(&scheme));
            signed || speaks12 && self.groups.contains(curve)
        };
        if !(speaks12 || speaks13) || curves.iter().any(taken) {
            return None;
        }
        let why = format!("this server's certificates have keys on the curve {}, which the client does not take", listed(curves));
        Some(Suspect::compared(Cause::CertificateTypeMismatch, why))
    }

    /// Whether the suites fit only one kind of server key.
    fn key_kind(&self, knowledge: &Knowledge) -> Option<Suspect> {
        use KeyExchange as K;
        if self.broad || self.tls13 && self.suites.iter().any(|suite| suite.is_tls13()) {
            return None;
        }
        let (mut rsa, mut ecdsa, mut other) = (false, false, false);
        for suite in self.usable() {
            match suite.key_exchange() {
                K::EcdheEcdsa | K::EcdhEcdsa => ecdsa = true,
                K::Rsa | K::RsaExport | K::DheRsa | K::EcdheRsa | K::DhRsa | K::EcdhRsa => rsa = true,
                _ => other = true,
            }
        }
        // Keys of EdDSA go with the suites for ECDSA (RFC 8422 section 5.5).
        let has = |kind: &str| knowledge.key_kinds.iter().any(|known| known == kind || kind == "EC" && known.starts_with("Ed"));
        let known = !knowledge.key_kinds.is_empty();
        let suspect = |narrowness, why: &str| Some(Suspect::new(Cause::CertificateTypeMismatch, narrowness, why.to_owned()));
        match (rsa, ecdsa, other) {
            (false, true, false) if known && !has("EC") => {
                suspect(5, "all of the client's suites need an ECDSA certificate, and this server's is RSA")
            }
            (true, false, false) if known && !has("RSA") => {
                suspect(5, "all of the client's suites need an RSA certificate, and this server has none")
            }
            (false, true, false) if !known => suspect(3, "all of the client's suites need an ECDSA certificate, and most servers have RSA"),
            // Nearly every server has an RSA certificate: without one of this server's seen, such an offer is no reason to think so.
            _ => None,
        }
    }

    fn groups(&self, knowledge: &Knowledge) -> Option<Suspect> {
        let suspect = |narrowness, why| Some(Suspect::new(Cause::NoCommonGroup, narrowness, why));
        let needed = self.tls13
            || self.broad
            || self.usable().any(|suite| matches!(suite.key_exchange(), KeyExchange::EcdheRsa | KeyExchange::EcdheEcdsa));
        if self.groups.is_empty() || !needed || knowledge.groups.iter().any(|group| self.groups.contains(group)) {
            return None;
        }
        let named = || listed(&self.groups);
        let has = |group: NamedGroup| self.groups.contains(&group);
        if !knowledge.groups.is_empty() {
            // X25519, alone or in a hybrid, is what most servers and clients prefer, which tells little of what else they take.
            let preferred = |group: &NamedGroup| *group == NamedGroup::X25519 || group.is_post_quantum();
            let hidden = has(NamedGroup::SECP256R1) && knowledge.groups.iter().all(preferred);
            let why = format!("the client offers {}; this server chose {} for other clients", named(), listed(&knowledge.groups));
            return suspect(if hidden { 3 } else { 5 }, why);
        }
        let common = self.groups.iter().filter(|group| group.is_common()).count();
        match (common, self.groups.len()) {
            (0, _) => suspect(4, format!("the client offers only uncommon groups: {}", named())),
            // Below TLS 1.3 many an old client has P-256 alone, which hardly any server lacks.
            (1, 1) if !self.tls13 && has(NamedGroup::SECP256R1) => None,
            (1, 1) => suspect(2, format!("the client offers a single group: {}", named())),
            (1, _) => suspect(2, format!("the client offers one common group among {}", named())),
            _ => None,
        }
    }

    fn schemes(&self, knowledge: &Knowledge) -> Option<Suspect> {
        let suspect = |narrowness, why| Some(Suspect::new(Cause::NoCommonSignatureAlgorithm, narrowness, why));
        if self.schemes.is_empty() {
            return None;
        }
        // An RSA key may do without a signature.
        let kinds = &knowledge.key_kinds;
        let signs = || self.broad || !self.usable().any(|suite| suite.key_exchange() == KeyExchange::Rsa);
        if knowledge.contrast.parts_keys(kinds)
            && contrast::signs(kinds, &self.schemes) == Some(false)
            && (kinds.iter().all(|kind| kind != "RSA") || signs())
        {
            let why =
                format!("the keys of this server's certificates are {}, and the client accepts no signature of such a key", listed(kinds));
            return Some(Suspect::compared(Cause::NoCommonSignatureAlgorithm, why));
        }
        let named = || listed(&self.schemes);
        let fits = |scheme: &&SignatureScheme| !scheme.is_weak() && (self.tls12 || scheme.fits_tls13());
        let keys: Vec<SignatureKey> = self.schemes.iter().filter(fits).map(|scheme| scheme.key()).collect();
        let suites_need = |key: SignatureKey| {
            self.broad
                || self.usable().any(|suite| match suite.key_exchange() {
                    KeyExchange::Tls13 => true,
                    KeyExchange::EcdheRsa | KeyExchange::DheRsa => key == SignatureKey::Rsa,
                    KeyExchange::EcdheEcdsa => key == SignatureKey::Ecdsa,
                    _ => false,
                })
        };
        match (keys.contains(&SignatureKey::Rsa), keys.contains(&SignatureKey::Ecdsa)) {
            _ if keys.is_empty() => {
                suspect(4, format!("the client accepts only signature algorithms that are widely refused: {}", named()))
            }
            (false, false) => suspect(4, format!("the client accepts neither RSA nor ECDSA signatures: {}", named())),
            (false, true) if suites_need(SignatureKey::Rsa) => suspect(3, format!("the client accepts no RSA signature: {}", named())),
            // Two that fit the certificates of today are few, and enough for nearly all.
            (true, true) if self.schemes.len() == 2 => suspect(2, format!("the client accepts few signature algorithms: {}", named())),
            _ if self.schemes.len() <= 2 => suspect(3, format!("the client accepts few signature algorithms: {}", named())),
            (true, false) if suites_need(SignatureKey::Ecdsa) => suspect(2, format!("the client accepts no ECDSA signature: {}", named())),
            // Below TLS 1.3 every RSA key makes PKCS #1 signatures, and an ECDSA key is not bound to one curve.
            _ if self.schemes.len() <= 3 && self.tls13 => suspect(2, format!("the client accepts few signature algorithms: {}", named())),
            _ => None,
        }
    }
}

/// The narrowness of a list that is named though another is as narrow: hardly any server would take either.
const NAMED_IN_A_TIE: u8 = 4;

/// The narrowness of an offer that lacks what this very server chose for others.
pub const NOT_OF_THIS_SERVER: u8 = 5;

/// Names written out in a sentence.
const MOST_NAMED: usize = 4;

/// Distinct suites that a server must have chosen for others before their absence from an offer tells anything.
const KNOWN_ENOUGH: usize = 1;

/// An offer of more suites than this is not narrow.
const FEW_SUITES: usize = 8;

/// A refusal of an offer takes no longer.
const LONGEST_REFUSAL: Duration = Duration::from_secs(3);

/// No record with a Certificate message is smaller than this.
const SMALLEST_CERTIFICATE: u16 = 250;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::client_hello::tests::build;

    const SCHEMES: &[u8] = &[0, 16, 4, 3, 5, 3, 6, 3, 8, 7, 8, 4, 8, 5, 8, 6, 4, 1];
    const GROUPS: &[u8] = &[0, 6, 0, 0x1d, 0, 0x17, 0, 0x18];
    const BROAD: &[u16] = &[0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0x009c, 0x002f, 0x0035];

    fn prime(version: u16, suites: &[u16], groups: &[u8], schemes: &[u8], extra: &[(u16, &[u8])]) -> Option<(Cause, u8)> {
        let mut list: Vec<(u16, &[u8])> = vec![(0x000a, groups), (0x000d, schemes)];
        list.extend(extra);
        let hello = ClientHello::parse(&build(version, suites, &list)).unwrap();
        suspects(&hello, &Knowledge::default()).first().map(|suspect| (suspect.cause, suspect.narrowness))
    }

    const TLS13: (u16, &[u8]) = (0x002b, &[4, 3, 4, 3, 3]);
    const TLS13_ALONE: (u16, &[u8]) = (0x002b, &[2, 3, 4]);

    #[test]
    fn a_broad_offer_has_no_suspect() {
        assert_eq!(prime(0x0303, BROAD, GROUPS, SCHEMES, &[TLS13]), None);
    }

    #[test]
    fn old_and_single_suites_are_suspect() {
        assert_eq!(prime(0x0303, &[0x0005, 0x0004], GROUPS, SCHEMES, &[]), Some((Cause::NoCommonCipher, 4)));
        assert_eq!(prime(0x0303, &[0x002f], GROUPS, SCHEMES, &[]), Some((Cause::NoCommonCipher, 4)));
        assert_eq!(prime(0x0303, &[0xc02f], GROUPS, SCHEMES, &[]), Some((Cause::NoCommonCipher, 3)));
        assert_eq!(prime(0x0303, &[0x00c0, 0x00ff], GROUPS, SCHEMES, &[]), Some((Cause::NoCommonCipher, 4)));
    }

    #[test]
    fn the_suite_that_every_server_has_is_not_suspect() {
        // Clients of small devices offer nothing else.
        assert_eq!(prime(0x0303, &[0x1301], GROUPS, SCHEMES, &[TLS13_ALONE]), None);
        assert_eq!(prime(0x0303, &[0x1301], &[0, 2, 0, 0x17], SCHEMES, &[TLS13_ALONE]), Some((Cause::NoCommonGroup, 2)));
        assert_eq!(prime(0x0303, &[0x1303], GROUPS, SCHEMES, &[TLS13_ALONE]), Some((Cause::NoCommonCipher, 2)));
    }

    #[test]
    fn two_lists_as_narrow_make_neither_likely() {
        let confidence = |suites: &[u16], groups: &[u8], schemes: &[u8]| {
            let list: Vec<(u16, &[u8])> = vec![(0x000a, groups), (0x000d, schemes), TLS13_ALONE];
            let hello = ClientHello::parse(&build(0x0303, suites, &list)).unwrap();
            suspects(&hello, &Knowledge::default()).first().map(|suspect| (suspect.rivalled, suspect.confidence()))
        };
        assert_eq!(confidence(&[0x1303], &[0, 2, 0, 0x1d], SCHEMES), Some((true, Confidence::Likely)));
        assert_eq!(confidence(&[0x1303], GROUPS, SCHEMES), Some((false, Confidence::Likely)));
        assert_eq!(confidence(BROAD, &[0, 2, 0, 0x1e], &[0, 2, 8, 7]), Some((true, Confidence::Likely)));
        assert_eq!(confidence(BROAD, &[0, 2, 0, 0x1e], SCHEMES), Some((false, Confidence::Strong)));
    }

    #[test]
    fn suites_for_ecdsa_alone_point_to_the_certificate() {
        assert_eq!(prime(0x0303, &[0xc02b], GROUPS, SCHEMES, &[]), Some((Cause::CertificateTypeMismatch, 3)));
    }

    #[test]
    fn a_single_or_strange_group_is_suspect() {
        assert_eq!(prime(0x0303, BROAD, &[0, 2, 0, 0x1d], SCHEMES, &[TLS13]), Some((Cause::NoCommonGroup, 2)));
        assert_eq!(prime(0x0303, BROAD, &[0, 2, 0, 0x1e], SCHEMES, &[TLS13]), Some((Cause::NoCommonGroup, 4)));
        assert_eq!(prime(0x0303, BROAD, &[0, 4, 0x0a, 0x0a, 0x11, 0xec], SCHEMES, &[TLS13]), Some((Cause::NoCommonGroup, 4)));
    }

    #[test]
    fn narrow_signature_algorithms_are_suspect() {
        assert_eq!(prime(0x0303, BROAD, GROUPS, &[0, 2, 8, 7], &[TLS13]), Some((Cause::NoCommonSignatureAlgorithm, 4)));
        assert_eq!(prime(0x0303, BROAD, GROUPS, &[0, 4, 2, 1, 2, 3], &[TLS13]), Some((Cause::NoCommonSignatureAlgorithm, 4)));
        assert_eq!(prime(0x0303, BROAD, GROUPS, &[0, 4, 4, 3, 5, 3], &[TLS13]), Some((Cause::NoCommonSignatureAlgorithm, 3)));
        assert_eq!(prime(0x0303, BROAD, GROUPS, &[0, 6, 8, 4, 4, 3, 4, 1], &[TLS13]), Some((Cause::NoCommonSignatureAlgorithm, 2)));
    }

    #[test]
    fn what_the_server_chose_for_others_counts_most() {
        let hello = ClientHello::parse(&build(0x0303, &[0xc02f, 0xc02b], &[(0x000a, GROUPS), (0x000d, SCHEMES)])).unwrap();
        let knowledge = Knowledge { ciphers: vec![CipherSuite(0xc030)], ..Knowledge::default() };
        assert_eq!(suspects(&hello, &knowledge)[0].narrowness, 5);
        let knowledge = Knowledge { groups: vec![NamedGroup::SECP521R1], ..Knowledge::default() };
        assert_eq!(suspects(&hello, &knowledge)[0].cause, Cause::NoCommonGroup);
    }
}
