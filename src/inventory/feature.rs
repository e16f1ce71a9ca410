//! What may be switched off, and what a handshake tells of it.

use crate::report::{CipherSuite, KeyExchange, NamedGroup, Offered, ProtocolVersion, Sighting, Weakness};

/// Something that a server or a client may stop taking part in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    /// TLS 1.0, SSL 3.0, SSL 2.0.
    Tls10,
    /// Those and TLS 1.1.
    Tls11,
    /// Those and TLS 1.2: everything but TLS 1.3.
    Tls12,
    /// Key exchange without forward secrecy.
    StaticKeys,
    /// Ephemeral key exchange over finite fields.
    FiniteFields,
    /// Suites without encryption or authentication, of export grade, with DES, RC2, RC4, 3DES, IDEA or MD5.
    WeakSuites,
    /// Suites in CBC mode.
    Cbc,
    /// SHA-1 and MD5 in the signatures of TLS 1.2.
    Sha1,
    /// Key exchange that quantum computers will break.
    Classical,
}

impl Feature {
    /// Every feature, the oldest first.
    pub const ALL: [Self; 9] = [
        Self::Tls10,
        Self::Tls11,
        Self::Tls12,
        Self::StaticKeys,
        Self::FiniteFields,
        Self::WeakSuites,
        Self::Cbc,
        Self::Sha1,
        Self::Classical,
    ];

    /// Its name for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tls10 => "tls-1.0-and-older",
            Self::Tls11 => "tls-1.1-and-older",
            Self::Tls12 => "tls-1.2-and-older",
            Self::StaticKeys => "no-forward-secrecy",
            Self::FiniteFields => "finite-field-dh",
            Self::WeakSuites => "weak-ciphers",
            Self::Cbc => "cbc",
            Self::Sha1 => "sha1-signatures",
            Self::Classical => "classical-key-exchange",
        }
    }

    /// Its name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Tls10 => "TLS 1.0 and older",
            Self::Tls11 => "TLS 1.1 and older",
            Self::Tls12 => "TLS 1.2 and older",
            Self::StaticKeys => "key exchange without forward secrecy (RSA, static DH)",
            Self::FiniteFields => "key exchange over finite fields (DHE)",
            Self::WeakSuites => "weak ciphers (NULL, export, DES, 3DES, RC4, MD5, anonymous)",
            Self::Cbc => "ciphers in CBC mode",
            Self::Sha1 => "SHA-1 signatures in TLS 1.2",
            Self::Classical => "key exchange that is not post-quantum",
        }
    }

    const fn place(self) -> usize {
        self as usize
    }

    /// Whether a handshake that completed used it; `None` where that cannot be told, or where it had no need of either.
    pub(super) fn used(self, seen: &Sighting) -> Option<bool> {
        let up_to = |newest: ProtocolVersion| seen.version.filter(|version| known(*version)).map(|version| version.rank() <= newest.rank());
        let suite = seen.cipher.filter(|suite| suite.name().is_some());
        let ssl2 = seen.version == Some(ProtocolVersion::SSL2);
        match self {
            // All that SSL 2.0 has: RSA key transport, and MD5.
            Self::StaticKeys | Self::WeakSuites if ssl2 => Some(true),
            Self::Tls10 => up_to(ProtocolVersion::TLS10),
            Self::Tls11 => up_to(ProtocolVersion::TLS11),
            Self::Tls12 => up_to(ProtocolVersion::TLS12),
            Self::StaticKeys => suite.map(is_static),
            Self::FiniteFields if seen.version == Some(ProtocolVersion::TLS13) => seen.group.map(NamedGroup::is_finite_field),
            Self::FiniteFields => suite.map(is_finite_field),
            Self::WeakSuites => suite.map(is_weak),
            Self::Cbc => suite.map(is_cbc),
            Self::Sha1 => {
                let signed = seen.version == Some(ProtocolVersion::TLS12) && !seen.resumed && suite.is_some_and(is_signed);
                let offered = seen.offered.as_ref().filter(|_| signed)?;
                // Which of several the server took is not known: only where there is no other it is certain.
                Some(self.offers_else(offered) == Some(false))
            }
            Self::Classical => match (seen.group, seen.version) {
                (Some(group), _) => Some(!group.is_post_quantum()),
                // RSA, or a resumption, which needs no key exchange.
                (None, Some(version)) if version != ProtocolVersion::TLS13 && known(version) && !seen.resumed => Some(true),
                _ => None,
            },
        }
    }

    /// Whether a client that offers this can do without it, as far as its offer tells.
    pub(super) fn offers_else(self, offered: &Offered) -> Option<bool> {
        let tls13 = offered.newest == Some(ProtocolVersion::TLS13);
        let newer = |than: ProtocolVersion| offered.newest.map(|newest| newest.rank() > than.rank());
        // Suites of TLS 1.3 are of no use below.
        let usable = || offered.ciphers.iter().copied().filter(|suite| suite.name().is_some() && (tls13 || !suite.is_tls13()));
        let any = |wanted: &dyn Fn(CipherSuite) -> bool| usable().next().is_some().then(|| usable().any(wanted));
        match self {
            Self::Tls10 => newer(ProtocolVersion::TLS10),
            Self::Tls11 => newer(ProtocolVersion::TLS11),
            Self::Tls12 => newer(ProtocolVersion::TLS12),
            Self::StaticKeys => any(&|suite| !is_static(suite)),
            Self::FiniteFields => {
                let other_group = offered.groups.is_empty() || offered.groups.iter().any(|group| !group.is_finite_field());
                any(&|suite| if suite.is_tls13() { other_group } else { !is_finite_field(suite) })
            }
            Self::WeakSuites => any(&|suite| !is_weak(suite)),
            Self::Cbc => any(&|suite| !is_cbc(suite)),
            // Without a list TLS 1.2 means SHA-1 (RFC 5246 section 7.4.1.4.1).
            Self::Sha1 => Some(offered.signature_algorithms.iter().any(|scheme| !scheme.is_weak())),
            Self::Classical => Some(tls13 && offers_post_quantum(offered)),
        }
    }
}

/// One value for each feature.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PerFeature<T>([T; Feature::ALL.len()]);

impl<T: Copy + Default> PerFeature<T> {
    pub(super) fn of(&self, feature: Feature) -> T {
        self.0.get(feature.place()).copied().unwrap_or_default()
    }

    pub(super) fn change(&mut self, feature: Feature, change: impl FnOnce(&mut T)) {
        if let Some(value) = self.0.get_mut(feature.place()) {
            change(value);
        }
    }
}

/// Whether one of the groups offered holds out against quantum computers.
pub(super) fn offers_post_quantum(offered: &Offered) -> bool {
    offered.groups.iter().any(|group| group.is_post_quantum())
}

const fn known(version: ProtocolVersion) -> bool {
    version.rank() > 0
}

fn is_static(suite: CipherSuite) -> bool {
    use KeyExchange as K;
    matches!(suite.key_exchange(), K::Rsa | K::RsaExport | K::RsaPsk | K::DhRsa | K::DhDss | K::EcdhRsa | K::EcdhEcdsa)
}

fn is_finite_field(suite: CipherSuite) -> bool {
    use KeyExchange as K;
    matches!(suite.key_exchange(), K::DheRsa | K::DheDss | K::DhePsk | K::DhAnon)
}

fn is_signed(suite: CipherSuite) -> bool {
    use KeyExchange as K;
    matches!(suite.key_exchange(), K::DheRsa | K::DheDss | K::EcdheRsa | K::EcdheEcdsa)
}

fn is_weak(suite: CipherSuite) -> bool {
    !matches!(suite.weakness(), None | Some(Weakness::StaticKey | Weakness::Cbc))
}

fn is_cbc(suite: CipherSuite) -> bool {
    suite.name().is_some_and(|name| name.contains("_CBC_"))
}
