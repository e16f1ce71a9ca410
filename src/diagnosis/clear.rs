//! Services that begin in clear on a port: what to do about a client that speaks TLS there.

use super::case::Case;
use super::cause::Cause;
use super::finding::Finding;
use super::remedy;
use crate::handshake::Handshake;
use crate::preamble::services::{Service, Upgradable, Use};

/// Whatever this server did without a word: on a port where another protocol begins in clear, the port is the first thing to ask about.
pub(super) fn or_clear(case: &Case<'_>, finding: Finding) -> Finding {
    let handshake = case.handshake;
    let known = case.knowledge.speaks_tls || case.knowledge.completed > 0 || handshake.preamble.is_some();
    match Service::at(handshake.server.port) {
        Some((service, Use::Clear)) if !known => {
            let question = format!(
                "Ask first whether this port speaks TLS from its first byte: on port {} {} usually begins in clear.",
                handshake.server.port, service.name
            );
            towards(finding.or_else(&[Cause::ServerSpeaksPlaintext]).advise(question), handshake, service)
        }
        _ => finding,
    }
}

/// What to do about a service that is not reached with TLS on this port.
pub(super) fn towards(finding: Finding, handshake: &Handshake, service: &'static Service) -> Finding {
    let finding = match (service.name, service.upgrade, service.tls.first()) {
        ("PostgreSQL", ..) => finding.advise(
            "On the client, request TLS first (SSLRequest, sslnegotiation=postgres): TLS from the first byte needs PostgreSQL 17 and ssl = on.",
        ),
        ("MySQL", ..) => finding.advise("On the client, request TLS within the protocol (ssl-mode=REQUIRED): MySQL has no TLS-only port."),
        ("TDS", ..) => finding.advise(
            "On the client, use TDS 7.4 (`Encrypt=Mandatory` rather than `Strict`): TLS from the first byte (TDS 8.0) needs SQL Server 2022.",
        ),
        ("Zabbix", ..) => finding.advise(
            "On the agent, proxy or server, read the log, and compare TLSAccept and Server= with this client: Zabbix has TLS on the same port, and closes without an alert on an address, a key or a kind of connection that it does not take.",
        ),
        ("HTTP proxy", ..) => finding.advise(PROXY_IS_CLEAR),
        (_, Upgradable::By(dialect), Some(tls)) => {
            finding.advise(format!("On the client, use port {tls} for TLS from the first byte, or request TLS on this port ({}).", dialect.request()))
        }
        (_, Upgradable::By(dialect), None) => finding.advise(format!("On the client, request TLS first ({}).", dialect.request())),
        (name, _, Some(tls)) => {
            finding.advise(format!("On the client, use the port of {name} with TLS (usually {tls}); or on the server, switch TLS on for this port."))
        }
        (name, _, None) => finding.advise(format!("On the client, use {name} without TLS here; or on the server, switch TLS on.")),
    };
    match (service.dialect(), service.tls.first()) {
        (_, Some(tls)) => finding.advise(remedy::s_client_on(handshake, *tls)),
        (Some(dialect), None) => finding.advise(remedy::starttls(handshake, dialect)),
        (None, None) => finding,
    }
}

/// For clients that speak TLS to a proxy which speaks HTTP.
pub(super) const PROXY_IS_CLEAR: &str = "On the client, write http:// in the proxy's URL (https_proxy=http://…): this scheme is for the connection to the proxy, not for what is fetched through it.";
