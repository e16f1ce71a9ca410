//! The ServerHello and HelloRetryRequest (RFC 8446 sections 4.1.3, 4.1.4; RFC 5246 section 7.4.1.3).
use super::client_hello::{ClientHello, Defect};
use super::registry::{CipherSuite, ExtensionType, NamedGroup, ProtocolVersion};

/// A ServerHello or HelloRetryRequest, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerHello { bytes: Box<[u8]> }
impl ServerHello {
    pub fn parse(_body: &[u8]) -> Option<Self> { todo!() }
    pub fn bytes(&self) -> &[u8] { &self.bytes }
    /// random equals the HelloRetryRequest value.
    pub fn is_hello_retry_request(&self) -> bool { todo!() }
    pub fn legacy_version(&self) -> ProtocolVersion { todo!() }
    /// supported_versions' selected_version, else legacy_version. Drafts map as registry says.
    pub fn version(&self) -> ProtocolVersion { todo!() }
    pub fn random(&self) -> &[u8] { todo!() }
    pub fn session_id(&self) -> &[u8] { todo!() }
    pub fn cipher_suite(&self) -> CipherSuite { todo!() }
    pub fn extensions(&self) -> impl Iterator<Item = (ExtensionType, &[u8])> + '_ { std::iter::empty() }
    pub fn extension(&self, _kind: ExtensionType) -> Option<&[u8]> { todo!() }
    /// key_share's group (HelloRetryRequest: the group asked for).
    pub fn key_share_group(&self) -> Option<NamedGroup> { todo!() }
    /// pre_shared_key's selected identity.
    pub fn selected_psk(&self) -> Option<u16> { todo!() }
    pub fn alpn(&self) -> Option<&[u8]> { todo!() }
    pub fn extended_master_secret(&self) -> bool { todo!() }
    pub fn encrypt_then_mac(&self) -> bool { todo!() }
    pub fn secure_renegotiation(&self) -> bool { todo!() }
    pub fn session_ticket(&self) -> bool { todo!() }
    pub fn status_request(&self) -> bool { todo!() }
    /// The downgrade sentinel in random: the version below which the server says it went.
    pub fn downgrade_sentinel(&self) -> Option<ProtocolVersion> { todo!() }
    /// What breaks the protocol given what the client offered: version, suite, extension or group not offered, no key_share in 1.3, bad session_id echo…
    pub fn defects(&self, _offer: &ClientHello) -> Vec<Defect> { todo!() }
}
