//! Where servers' answers in clear led clients: a network's login page shows itself by leading everybody to one place, whoever was asked.

use std::collections::VecDeque;
use std::net::IpAddr;

use crate::handshake::Handshake;
use crate::preamble::services::{Service, Use};
use crate::site::Site;
use crate::time::Mark;

use super::aged::Aged;
use super::finding::Finding;

/// The store.
#[derive(Debug)]
pub(super) struct Portals(Aged<(Site, IpAddr), VecDeque<Led>>);

/// An answer in clear that led a client elsewhere for the time being.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Led {
    /// The host that it led to, in lower case.
    pub host: String,
    /// Whose answer it was, by its address.
    pub by: IpAddr,
    /// Where it came; `None` where another shard of the capture tells of it.
    pub at: Option<Mark>,
}

impl Led {
    /// Tells it beside a finding.
    pub fn beside(&self, finding: Finding) -> Finding {
        let text = format!("in clear, {} redirects this client to {}", self.by, self.host);
        match self.at {
            Some(mark) => finding.shown_by(mark, text),
            None => finding.noting(text),
        }
    }
}

impl Default for Portals {
    fn default() -> Self {
        Self(Aged::new(MOST))
    }
}

impl Portals {
    /// Enters what a client was told.
    pub(super) fn enter(&mut self, site: Site, client: IpAddr, led: Led) {
        let known = self.0.touch(&(site, client));
        if known.iter().any(|other| (&other.host, other.by) == (&led.host, led.by)) {
            return;
        }
        known.push_back(led);
        if known.len() > PER_CLIENT {
            known.pop_front();
        }
    }

    /// What the client of a handshake was told lately, the latest last.
    pub(super) fn of(&self, handshake: &Handshake) -> impl Iterator<Item = &Led> {
        self.0.get(&(handshake.flow.key.site, handshake.client.address)).into_iter().flatten()
    }
}

/// Where a connection in clear led its client. A site that has moved for good says so; a login page does not stay in the way.
pub fn led(connection: &Handshake) -> Option<Led> {
    let answer = connection.plaintext.server.as_ref().filter(|_| matches!(Service::at(connection.server.port), Some((_, Use::Clear))))?;
    let location = answer.what.location.as_deref().filter(|_| answer.what.http_status.is_some_and(|status| FOR_NOW.contains(&status)))?;
    let host = host(location)?;
    Some(Led { host, by: connection.server.address, at: Some(answer.first) })
}

/// The host of a URL in clear or over TLS; none where it is an address or has no dot.
fn host(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?.split(':').next()?.trim_end_matches('.').to_ascii_lowercase();
    let is_name = host.len() <= LONGEST_NAME && host.contains('.') && host.bytes().any(|byte| byte.is_ascii_alphabetic());
    is_name.then_some(host)
}

/// Redirects for the time being (RFC 9110 section 15.4).
const FOR_NOW: [u16; 3] = [302, 303, 307];
/// RFC 1035 section 2.3.4.
const LONGEST_NAME: usize = 253;
/// Clients remembered.
const MOST: usize = 4096;
/// Of each the latest of what it was told.
const PER_CLIENT: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::{at, connection, says};
    use crate::flow::Side;

    fn answered(server: &str, bytes: &[u8]) -> Option<Led> {
        let mut handshake = connection(server);
        says(&mut handshake, Side::Server, bytes, at(5, 30));
        led(&handshake)
    }

    #[test]
    fn a_login_page_leads_elsewhere_for_the_time_being() {
        let to = |status: &str, url: &str| format!("HTTP/1.1 {status} x\r\nLocation: {url}\r\n\r\n").into_bytes();
        let found = answered("192.0.2.1:80", &to("302", "http://Login.Hotel.example:8080/?u=shop.example.net")).unwrap();
        assert_eq!(found, Led { host: "login.hotel.example".to_owned(), by: "192.0.2.1".parse().unwrap(), at: Some(at(5, 30)) });
        assert_eq!(answered("192.0.2.1:80", &to("301", "http://login.hotel.example/")), None, "moved for good");
        assert_eq!(answered("192.0.2.1:443", &to("302", "http://login.hotel.example/")), None, "no port for clear HTTP");
        assert_eq!(answered("192.0.2.1:80", &to("302", "/login")), None, "on the same host");
        assert_eq!(answered("192.0.2.1:80", &to("302", "http://192.168.1.1/")), None, "an address");
        assert_eq!(answered("192.0.2.1:80", b"HTTP/1.1 200 OK\r\n\r\n"), None);
    }

    #[test]
    fn the_latest_of_each_client_are_known() {
        let handshake = connection("192.0.2.1:443");
        let mut portals = Portals::default();
        let led = |host: usize| Led { host: format!("{host}.example"), by: handshake.server.address, at: None };
        for host in [0, 0].into_iter().chain(1..=PER_CLIENT).chain([PER_CLIENT]) {
            portals.enter(handshake.flow.key.site, handshake.client.address, led(host));
        }
        portals.enter(handshake.flow.key.site, handshake.server.address, led(9));
        let known: Vec<_> = portals.of(&handshake).map(|led| led.host.clone()).collect();
        assert_eq!(known, (1..=PER_CLIENT).map(|host| led(host).host).collect::<Vec<_>>());
    }
}
