//! What parts the offers that a server refused from those that it served: a few bytes for each server, of which the rules ask before they name a
//! cause from one offer alone.

use crate::flow::Side;
use crate::handshake::Handshake;
use crate::handshake::facts::Outcome;
use crate::limits;
use crate::tls::client_hello::ClientHello;
use crate::tls::registry::{AlertDescription, CipherSuite, NamedGroup, ProtocolVersion, SignatureKey, SignatureScheme};

/// The offers that a server served and refused, its answer to one handshake left in: that one lacks what it is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Contrast {
    /// Suites that any refused hello offered, of those that have a place.
    refused_suites: u64,
    /// The kind of the first client that was served (see `hello_shape`), and of the last that was refused; 0 for none.
    served: u32,
    refused: u32,
    /// Kinds of keys whose signatures any refused hello accepted.
    refused_keys: u8,
    /// Clients of another kind were served, too.
    pub serves_several: bool,
    /// Handshakes below TLS 1.3 completed with extended master secret.
    pub bound: bool,
    /// ... and without.
    pub unbound: bool,
}

impl Contrast {
    /// Enters a handshake whose client is of this kind.
    pub fn enter(&mut self, handshake: &Handshake, shape: u64) {
        // Half of it tells kinds apart as well as these few need.
        let shape = u32::try_from(shape >> 32).unwrap_or(0) | 1;
        if handshake.outcome == Outcome::Completed {
            match self.served {
                0 => self.served = shape,
                known => self.serves_several |= known != shape,
            }
            let answer = handshake.server_hello.as_ref().map(|seen| &seen.what);
            if let Some(answer) = answer.filter(|answer| !(answer.version().is_tls13() || self.bound && self.unbound)) {
                let bound = answer.extended_master_secret();
                self.bound |= bound;
                self.unbound |= !bound;
            }
        } else if self.refused != shape
            && let Some(hello) = refused_hello(handshake)
        {
            self.refused = shape;
            self.refuse(hello);
        }
    }

    fn refuse(&mut self, hello: &ClientHello) {
        self.refused_suites |= hello.cipher_suites().take(limits::OFFERED_SUITES).filter_map(place).fold(0, |all, bit| all | bit);
        self.refused_keys |= hello.signature_algorithms().map(key).fold(0, |all, bit| all | bit);
    }

    /// All that was ever chosen for clients of several kinds is in no offer that was refused; a suite that says nothing of the others is not enough,
    /// nor is one that others of its strength stand in for: such a server may only prefer it.
    pub fn parts_suites(&self, chosen: &[CipherSuite], offered: &[CipherSuite], completed: u32) -> bool {
        let places = chosen.iter().try_fold(0, |all, suite| Some(all | place(*suite)?));
        let preferred = |suite: &CipherSuite| shorter(*suite).is_some_and(|shorter| offered.contains(&shorter));
        self.serves_several
            && completed >= SERVED
            && places.is_some_and(|places| places != 0 && places & self.refused_suites == 0)
            && !chosen.iter().all(preferred)
    }

    /// No refused hello accepted a signature of any such key.
    pub fn parts_keys(&self, kinds: &[String]) -> bool {
        let places = kinds.iter().try_fold(0, |all, kind| Some(all | key_of(kind)?));
        places.is_some_and(|places| places != 0 && places & self.refused_keys == 0)
    }
}

/// The hello that the server found nothing in, as far as its alert tells.
fn refused_hello(handshake: &Handshake) -> Option<&ClientHello> {
    if handshake.server_hello.is_some() || handshake.hello_retry.is_some() || !handshake.outcome.failed() {
        return None;
    }
    let alert = handshake.deciding_alert().filter(|seen| seen.from == Side::Server)?.alert?.description;
    matches!(alert, AlertDescription::HANDSHAKE_FAILURE | AlertDescription::INSUFFICIENT_SECURITY).then_some(())?;
    handshake.last_hello().map(|seen| &seen.what)
}

/// The bit of a suite that servers of today choose.
const fn place(suite: CipherSuite) -> Option<u64> {
    let place = match suite.0 {
        value @ 0x1301..=0x1305 => value - 0x1301,
        value @ 0xc023..=0xc032 => value - 0xc023 + 5,
        value @ 0xcca8..=0xccaa => value - 0xcca8 + 21,
        value @ 0xc009..=0xc00a => value - 0xc009 + 24,
        value @ 0xc012..=0xc014 => value - 0xc012 + 26,
        value @ 0x009c..=0x009f => value - 0x009c + 29,
        value @ 0x003c..=0x003d => value - 0x003c + 33,
        value @ 0xc09c..=0xc0af => value - 0xc09c + 35,
        0x002f => 55,
        0x0035 => 56,
        0x0033 => 57,
        0x0039 => 58,
        0x0067 => 59,
        0x006b => 60,
        0x000a => 61,
        0x0005 => 62,
        0x0016 => 63,
        _ => return None,
    };
    Some(1 << place)
}

/// The like suite with the shorter key, which servers that prefer the longer one have as well.
const fn shorter(suite: CipherSuite) -> Option<CipherSuite> {
    Some(CipherSuite(match suite.0 {
        0x1302 => 0x1301,
        0xc02c => 0xc02b,
        0xc030 => 0xc02f,
        0x009f => 0x009e,
        0x009d => 0x009c,
        0xc028 => 0xc027,
        0xc014 => 0xc013,
        0x0035 => 0x002f,
        _ => return None,
    }))
}

const RSA: u8 = 1;
const ECDSA: u8 = 1 << 1;
const ED25519: u8 = 1 << 2;
const ED448: u8 = 1 << 3;

/// The bit of the key that a scheme needs.
const fn key(scheme: SignatureScheme) -> u8 {
    match scheme.key() {
        SignatureKey::Rsa | SignatureKey::RsaPss => RSA,
        SignatureKey::Ecdsa => ECDSA,
        SignatureKey::EdDsa if scheme.0 == 0x0807 => ED25519,
        SignatureKey::EdDsa => ED448,
        SignatureKey::Dsa | SignatureKey::Other => 0,
    }
}

/// That of a kind of key as what is known of a server has it.
fn key_of(kind: &str) -> Option<u8> {
    Some(match kind {
        "RSA" => RSA,
        "EC" => ECDSA,
        "Ed25519" => ED25519,
        "Ed448" => ED448,
        _ => return None,
    })
}

/// Whether any of the schemes can be made with a key of one of these kinds; `None` where a kind is not known here.
pub fn signs(kinds: &[String], schemes: &[SignatureScheme]) -> Option<bool> {
    let kinds = kinds.iter().try_fold(0, |all, kind| Some(all | key_of(kind)?))?;
    Some(schemes.iter().any(|scheme| key(*scheme) & kinds != 0))
}

/// The group of a certificate's curve, and the scheme that goes with it in TLS 1.3.
pub fn curve(name: &str) -> Option<NamedGroup> {
    Some(match name {
        "P-256" => NamedGroup::SECP256R1,
        "P-384" => NamedGroup::SECP384R1,
        "P-521" => NamedGroup::SECP521R1,
        _ => return None,
    })
}

/// The scheme of TLS 1.3 for a key on this curve.
pub const fn scheme_of(curve: NamedGroup) -> Option<SignatureScheme> {
    Some(SignatureScheme(match curve {
        NamedGroup::SECP256R1 => 0x0403,
        NamedGroup::SECP384R1 => 0x0503,
        NamedGroup::SECP521R1 => 0x0603,
        _ => return None,
    }))
}

/// The lowest version that a hello offers, be it that it says so or that none of its suites goes with an older one.
pub fn lowest_version(hello: &ClientHello) -> Option<ProtocolVersion> {
    let modern = |suite: CipherSuite| suite.is_tls13() || suite.needs_tls12();
    let mut suites = hello.cipher_suites().filter(|suite| !suite.is_grease() && !suite.is_signal()).peekable();
    let mut bound = || suites.peek().is_some() && suites.all(modern);
    hello.lowest_version().or_else(|| bound().then_some(ProtocolVersion::TLS12))
}

/// Every version that this server chose is older than all that the hello offers.
pub fn parts_versions(hello: &ClientHello, chosen: &[ProtocolVersion]) -> bool {
    let older = |lowest: ProtocolVersion| chosen.iter().all(|version| version.rank() < lowest.rank());
    !chosen.is_empty() && lowest_version(hello).is_some_and(older)
}

/// The server chose a group that the hello offers, for others: it is not the groups.
pub fn refutes_groups(hello: &ClientHello, chosen: &[NamedGroup]) -> bool {
    !chosen.is_empty() && hello.supported_groups().any(|group| chosen.contains(&group))
}

/// So many handshakes must have completed before what they have in common tells anything.
const SERVED: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::{Scene, extensions, legacy};
    use crate::flow::Side::Server;
    use crate::tls::registry::ProtocolVersion as V;

    fn refused(suites: &[u16]) -> Handshake {
        Scene::hello(V::TLS12, suites, &extensions(false)).alert(Server, AlertDescription::HANDSHAKE_FAILURE).handshake
    }

    fn suites(values: &[u16]) -> Vec<CipherSuite> {
        values.iter().copied().map(CipherSuite).collect()
    }

    #[test]
    fn suites_part_where_no_refused_hello_has_one_that_was_chosen() {
        let mut contrast = Contrast::default();
        let served = Scene::broad().answered(V::TLS12, 0xcca8, &[]).handshake;
        assert_eq!(served.outcome, Outcome::Completed);
        contrast.enter(&served, 1 << 33);
        contrast.enter(&refused(&[0xc02f, 0xc030]), 7 << 33);
        let parts = |contrast: &Contrast, chosen: &[u16], completed| contrast.parts_suites(&suites(chosen), &suites(&[0xc02f]), completed);
        assert!(!parts(&contrast, &[0xcca8], 3), "all that was served is of one kind");
        contrast.enter(&served, 2 << 33);
        assert!(parts(&contrast, &[0xcca8], 3));
        assert!(!parts(&contrast, &[0xcca8], 2), "few were served");
        assert!(!parts(&contrast, &[], 3));
        assert!(!parts(&contrast, &[0xcca8, 0x00c0], 3), "of Camellia nothing is kept");
        assert!(!parts(&contrast, &[0xc02c, 0xc030], 3), "a refused hello has it");
        assert!(!contrast.parts_suites(&suites(&[0x009d]), &suites(&[0x009c]), 3), "the longer key may be what the server prefers");
        contrast.enter(&refused(&[0xcca8]), 8 << 33);
        assert!(!parts(&contrast, &[0xcca8], 3), "another that has it was refused, too");
    }

    #[test]
    fn keys_part_where_no_refused_hello_accepts_their_signatures() {
        let mut contrast = Contrast::default();
        contrast.enter(&refused(&legacy()), 7 << 33);
        let kinds = |kind: &str| vec![kind.to_owned()];
        assert!(!contrast.parts_keys(&kinds("RSA")));
        assert!(contrast.parts_keys(&kinds("Ed448")));
        assert!(!contrast.parts_keys(&kinds("ML-DSA-65")), "nothing is kept of it");
        assert_eq!(signs(&kinds("Ed25519"), &[SignatureScheme(0x0403), SignatureScheme(0x0807)]), Some(true));
        assert_eq!(signs(&kinds("Ed25519"), &[SignatureScheme(0x0403)]), Some(false));
    }

    #[test]
    fn the_lowest_version_is_that_of_the_suites_where_none_is_listed() {
        let lowest = |suites: &[u16]| {
            let scene = Scene::hello(V::TLS12, suites, &extensions(false));
            lowest_version(scene.handshake.hello().unwrap())
        };
        assert_eq!(lowest(&[0xc02f, 0xc030, 0xcca8, 0x00ff]), Some(V::TLS12));
        assert_eq!(lowest(&[0xc02f, 0xc013]), None);
        assert_eq!(lowest(&[0x00ff]), None);
    }
}
