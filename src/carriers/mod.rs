//! Floor 3: protocols that carry a TLS handshake in messages of their own. Bytes in, pieces of TLS out; knows nothing of addresses or time.
//!
//! - [`eap`]: EAP with a method that is TLS (EAP-TLS, PEAP, EAP-TTLS, EAP-FAST, TEAP)
//! - [`eapol`]: EAPOL frames, which carry EAP on the link layer
//! - [`radius`]: RADIUS packets, of which attributes carry EAP
//! - [`openvpn`]: the control channel of OpenVPN

pub mod eap;
pub mod eapol;
pub mod openvpn;
pub mod radius;
