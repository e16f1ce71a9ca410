//! CONTRACT (rules helper A): commands to type, filled in with this very server, port, name and version, safely quoted for a POSIX shell.
use crate::handshake::Handshake;

/// `openssl s_client -connect 192.0.2.1:443 -servername www.example.test EXTRA… </dev/null`; with `-starttls smtp` / `-proxy` where the preamble calls for it.
pub fn s_client(_handshake: &Handshake, _extra: &str) -> String { todo!() }
/// `curl -v --resolve name:port:address https://name:port/` with extra options.
pub fn curl(_handshake: &Handshake, _extra: &str) -> String { todo!() }
/// A string safe to paste: plain when made of safe characters, else single-quoted; control characters are dropped.
pub fn quote(_text: &str) -> String { todo!() }
