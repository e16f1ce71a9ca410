//! CONTRACT (tls helper): newtypes. Each has `name() -> Option<&'static str>`, Display (name or `0x1234`), `is_grease()` where RFC 8701 applies.
macro_rules! code_point { ($(#[$m:meta])* $name:ident($int:ty)) => {
    $(#[$m])* #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)] pub struct $name(pub $int);
    impl $name { pub fn name(self) -> Option<&'static str> { todo!() } pub fn is_grease(self) -> bool { todo!() } }
    impl std::fmt::Display for $name { fn fmt(&self, _f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { todo!() } }
} }
code_point!(/** Protocol version; Display gives the SCHEMA's forms: `ssl2`, `ssl3`, `1.0`…`1.3`, `1.3-draft23`, else hexadecimal. */ ProtocolVersion(u16));
code_point!(/** Cipher suite. */ CipherSuite(u16));
code_point!(/** Named group. */ NamedGroup(u16));
code_point!(/** Signature scheme, or hash+signature pair of TLS 1.2. */ SignatureScheme(u16));
code_point!(/** Extension type. */ ExtensionType(u16));
code_point!(/** Alert description. */ AlertDescription(u8));
code_point!(/** Handshake message type. */ HandshakeType(u8));
code_point!(/** Record content type. */ ContentType(u8));
code_point!(/** Certificate compression algorithm (RFC 8879). */ CompressionAlgorithm(u16));
impl ProtocolVersion { pub const SSL2: Self = Self(0x0002); pub const SSL3: Self = Self(0x0300); pub const TLS10: Self = Self(0x0301); pub const TLS11: Self = Self(0x0302); pub const TLS12: Self = Self(0x0303); pub const TLS13: Self = Self(0x0304); }
// CipherSuite facts a diagnosis needs: fn key_exchange(self) -> KeyExchange {Rsa, DheRsa, DheDss, EcdheRsa, EcdheEcdsa, EcdhRsa…, Psk, DhePsk, EcdhePsk, RsaPsk, DhAnon, EcdhAnon, Tls13, Other};
//   fn hash_len(self) -> u8 (32 or 48 for TLS 1.3 suites and the PRF hash of 1.2), fn tag(self) -> Option<u8> AEAD tag length, fn explicit_nonce(self) -> u8, fn weakness(self) -> Option<Weakness{Null, Export, Anonymous, Rc4, TripleDes, Des, Md5, StaticRsa(no forward secrecy), Cbc…}>.
// constants for what code refers to: ExtensionType::SERVER_NAME etc., AlertDescription::*, HandshakeType::*, ContentType::*, CipherSuite::EMPTY_RENEGOTIATION_INFO_SCSV / FALLBACK_SCSV, NamedGroup::X25519MLKEM768 …; NamedGroup::is_post_quantum().
