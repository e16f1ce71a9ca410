//! Named groups.

use super::code_point;

code_point! {
    /// Named group (IANA registry "TLS Supported Groups", and drafts that were deployed).
    NamedGroup(u16), "#06x" {
        SECT163K1 = 1 => "sect163k1",
        SECT163R1 = 2 => "sect163r1",
        SECT163R2 = 3 => "sect163r2",
        SECT193R1 = 4 => "sect193r1",
        SECT193R2 = 5 => "sect193r2",
        SECT233K1 = 6 => "sect233k1",
        SECT233R1 = 7 => "sect233r1",
        SECT239K1 = 8 => "sect239k1",
        SECT283K1 = 9 => "sect283k1",
        SECT283R1 = 10 => "sect283r1",
        SECT409K1 = 11 => "sect409k1",
        SECT409R1 = 12 => "sect409r1",
        SECT571K1 = 13 => "sect571k1",
        SECT571R1 = 14 => "sect571r1",
        SECP160K1 = 15 => "secp160k1",
        SECP160R1 = 16 => "secp160r1",
        SECP160R2 = 17 => "secp160r2",
        SECP192K1 = 18 => "secp192k1",
        SECP192R1 = 19 => "secp192r1",
        SECP224K1 = 20 => "secp224k1",
        SECP224R1 = 21 => "secp224r1",
        SECP256K1 = 22 => "secp256k1",
        SECP256R1 = 23 => "secp256r1",
        SECP384R1 = 24 => "secp384r1",
        SECP521R1 = 25 => "secp521r1",
        BRAINPOOLP256R1 = 26 => "brainpoolP256r1",
        BRAINPOOLP384R1 = 27 => "brainpoolP384r1",
        BRAINPOOLP512R1 = 28 => "brainpoolP512r1",
        X25519 = 29 => "x25519",
        X448 = 30 => "x448",
        BRAINPOOLP256R1TLS13 = 31 => "brainpoolP256r1tls13",
        BRAINPOOLP384R1TLS13 = 32 => "brainpoolP384r1tls13",
        BRAINPOOLP512R1TLS13 = 33 => "brainpoolP512r1tls13",
        GC256A = 34 => "GC256A",
        GC256B = 35 => "GC256B",
        GC256C = 36 => "GC256C",
        GC256D = 37 => "GC256D",
        GC512A = 38 => "GC512A",
        GC512B = 39 => "GC512B",
        GC512C = 40 => "GC512C",
        CURVESM2 = 41 => "curveSM2",
        FFDHE2048 = 0x0100 => "ffdhe2048",
        FFDHE3072 = 0x0101 => "ffdhe3072",
        FFDHE4096 = 0x0102 => "ffdhe4096",
        FFDHE6144 = 0x0103 => "ffdhe6144",
        FFDHE8192 = 0x0104 => "ffdhe8192",
        MLKEM512 = 0x0200 => "MLKEM512",
        MLKEM768 = 0x0201 => "MLKEM768",
        MLKEM1024 = 0x0202 => "MLKEM1024",
        SECP256R1MLKEM768 = 0x11eb => "SecP256r1MLKEM768",
        X25519MLKEM768 = 0x11ec => "X25519MLKEM768",
        SECP384R1MLKEM1024 = 0x11ed => "SecP384r1MLKEM1024",
        CURVESM2MLKEM768 = 0x11ee => "curveSM2MLKEM768",
        CECPQ2 = 0x4138 => "CECPQ2",
        X25519KYBER768DRAFT00 = 0x6399 => "X25519Kyber768Draft00",
        SECP256R1KYBER768DRAFT00 = 0x639a => "SecP256r1Kyber768Draft00",
        ARBITRARY_EXPLICIT_PRIME_CURVES = 0xff01 => "arbitrary_explicit_prime_curves",
        ARBITRARY_EXPLICIT_CHAR2_CURVES = 0xff02 => "arbitrary_explicit_char2_curves",
    }
}

impl NamedGroup {
    /// A GREASE value (RFC 8701).
    pub const fn is_grease(self) -> bool {
        super::is_grease(self.0)
    }

    /// Holds out against quantum computers, alone or in a hybrid. Its key share is over a kilobyte.
    pub const fn is_post_quantum(self) -> bool {
        matches!(self.0, 0x0200..=0x0202 | 0x11eb..=0x11ee | 0x4138 | 0x6399 | 0x639a)
    }

    /// A finite field group (RFC 7919).
    pub const fn is_finite_field(self) -> bool {
        self.0 >> 8 == 0x01
    }

    /// May be negotiated in TLS 1.3 (RFC 8446 section 4.2.7): the others serve TLS 1.2 and below only.
    pub const fn fits_tls13(self) -> bool {
        matches!(self.0, 23..=25 | 29..=41 | 0x0100..=0x0104) || self.is_post_quantum()
    }

    /// What practically every server of the last ten years accepts.
    pub const fn is_common(self) -> bool {
        matches!(self, Self::X25519 | Self::SECP256R1 | Self::SECP384R1)
    }

    /// Length in bytes of the client's `key_exchange` (RFC 8446 section 4.2.8.2); `None` where it is not known here.
    pub const fn client_share_len(self) -> Option<usize> {
        Some(match self {
            Self::SECP256R1 | Self::CURVESM2 => 65,
            Self::SECP384R1 => 97,
            Self::SECP521R1 => 133,
            Self::X25519 => 32,
            Self::X448 => 56,
            Self::FFDHE2048 => 256,
            Self::FFDHE3072 => 384,
            Self::FFDHE4096 => 512,
            Self::FFDHE6144 => 768,
            Self::FFDHE8192 => 1024,
            Self::MLKEM512 => 800,
            Self::MLKEM768 => 1184,
            Self::MLKEM1024 => 1568,
            Self::X25519MLKEM768 | Self::X25519KYBER768DRAFT00 => 1216,
            Self::SECP256R1MLKEM768 => 1249,
            Self::SECP384R1MLKEM1024 => 1665,
            _ => return None,
        })
    }
}
