//! What the DNS said of servers in this capture, kept by name: which answers bear on a handshake.
//!
//! A handshake is with the name that its client asked for (SNI). A mail server that was asked for none, or that never got so far, names itself in its
//! greeting; and a client that looked up the records of one name for a port, and then comes to that port, comes to that name.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use crate::flow::Side;
use crate::handshake::Handshake;
use crate::handshake::facts::{EchRecord, LookedUp, MailPolicy, TlsaRecords};
use crate::handshake::lookups::Heard;
use crate::limits;
use crate::preamble::Dialect;
use crate::preamble::dns::{Answer, Found, Security, Tlsa, policy_domain, service};
use crate::site::Site;
use crate::time::Mark;

use super::aged::Aged;
use super::visits::is_used;

/// What was looked up.
#[derive(Debug)]
pub(super) struct Lookups {
    /// By the records' owner.
    records: Aged<(Site, Box<str>), Records>,
    /// By who asked, and for which port: the last name.
    asked: Aged<(Site, IpAddr, u16), Asked>,
    /// By mail server: the domains that it takes mail of, the latest first.
    domains: Aged<(Site, Box<str>), VecDeque<Box<str>>>,
    /// By public name and the key's number: the record.
    keys: Aged<(Site, Box<str>, u8), Key>,
    /// By domain.
    policies: Aged<(Site, Box<str>), Policy>,
}

/// Who asked for a record with a key, and the record.
type Key = Option<(IpAddr, EchRecord)>;

/// What was asked for last, if anything, and when.
type Asked = Option<(Mark, Box<str>)>;

/// What was said of a name, to whom, the latest first.
type Records = VecDeque<(IpAddr, Said)>;

/// One answer.
#[derive(Debug)]
struct Said {
    mark: Mark,
    records: Vec<Tlsa>,
    security: Security,
    /// How long it holds.
    holds: Duration,
}

#[derive(Debug, Default)]
struct Policy {
    heard: Option<Mark>,
    /// Who fetched it, and when.
    fetched: VecDeque<(IpAddr, Mark)>,
}

impl Default for Lookups {
    fn default() -> Self {
        let most = limits::LOOKED_UP;
        Self {
            records: Aged::new(most),
            asked: Aged::new(most),
            domains: Aged::new(most),
            keys: Aged::new(most),
            policies: Aged::new(most),
        }
    }
}

impl Lookups {
    /// Enters an answer.
    pub(super) fn hear(&mut self, heard: Heard) {
        let Heard { site, asker, mark, answer: Answer { name, found, security, ttl }, .. } = heard;
        match found {
            Found::Tlsa(records) if records.is_empty() => {
                if let Some(known) = self.records.get_mut(&(site, name)) {
                    known.clear();
                }
            }
            Found::Tlsa(records) => {
                if let Some((port, _)) = service(&name) {
                    *self.asked.touch(&(site, asker, port)) = Some((mark, name.clone()));
                }
                let said = Said { mark, records, security, holds: Duration::from_secs(ttl.into()).max(AT_ONCE) };
                let known = self.records.touch(&(site, name));
                known.retain(|(other, _)| *other != asker);
                known.push_front((asker, said));
                known.truncate(limits::LOOKED_UP_BY);
            }
            Found::Exchanges(hosts) => hosts.into_iter().for_each(|host| put_first(self.domains.touch(&(site, host)), name.clone())),
            Found::Ech(keys) => {
                for key in keys {
                    let record = EchRecord { owner: name.clone(), mark };
                    *self.keys.touch(&(site, key.public_name, key.config_id)) = Some((asker, record));
                }
            }
            Found::MailPolicy => {
                if let Some(domain) = policy_domain(&name) {
                    self.policies.touch(&(site, domain.into())).heard = Some(mark);
                }
            }
        }
    }

    /// Enters a handshake, which may have fetched a policy.
    pub(super) fn learn(&mut self, handshake: &Handshake, name: Option<&str>) {
        let site = handshake.flow.key.site;
        if let Some(domain) = name.and_then(|name| name.strip_prefix(POLICY_HOST)).filter(|_| is_used(handshake))
            && let Some(policy) = self.policies.get_mut(&(site, Box::from(domain)))
        {
            policy.fetched.push_front((handshake.client.address, handshake.flow.first));
            policy.fetched.truncate(FEW);
        }
    }

    /// What bears on a handshake.
    pub(super) fn before(&self, handshake: &Handshake) -> Option<Box<LookedUp>> {
        // Nearly no capture holds any.
        if self.records.is_empty() && self.policies.is_empty() && self.keys.is_empty() {
            return None;
        }
        let names = self.names(handshake);
        let looked_up = LookedUp {
            tlsa: names.iter().find_map(|name| self.tlsa(handshake, name)),
            policy: names.iter().find_map(|name| self.policy(handshake, name)),
            ech: names.iter().find_map(|name| self.ech(handshake, name)),
        };
        (looked_up != LookedUp::default()).then(|| Box::new(looked_up))
    }

    /// The names that the server may be meant by, the surest first.
    fn names(&self, handshake: &Handshake) -> Vec<String> {
        if let Some(name) = handshake.server_name() {
            return vec![name.trim_end_matches('.').to_ascii_lowercase()];
        }
        let smtp = handshake.preamble.as_ref().filter(|facts| facts.dialect == Dialect::Smtp);
        let greeting = smtp.and_then(|facts| facts.lines.iter().find(|line| line.side == Side::Server));
        let greeted = greeting.and_then(|line| line.text.get(4..)?.split(' ').next()).filter(|name| name.contains('.'));
        let (site, client, port) = (handshake.flow.key.site, handshake.client.address, handshake.server.port);
        let first = handshake.flow.first;
        let asked = self.asked.get(&(site, client, port)).and_then(Option::as_ref);
        let asked = asked.filter(|(mark, _)| *mark < first && first.time.since(mark.time) <= AT_ONCE);
        let asked = asked.and_then(|(_, owner)| service(owner));
        greeted.map(str::to_ascii_lowercase).into_iter().chain(asked.map(|(_, host)| host.to_owned())).collect()
    }

    fn tlsa(&self, handshake: &Handshake, name: &str) -> Option<TlsaRecords> {
        let transport = if handshake.flow.is_udp() { "udp" } else { "tcp" };
        let owner = format!("_{}._{transport}.{name}", handshake.server.port).into_boxed_str();
        let key = (handshake.flow.key.site, owner);
        let known = self.records.get(&key)?;
        let begun = handshake.flow.first.time;
        let holds = || known.iter().filter(|(_, said)| begun.since(said.mark.time) <= said.holds);
        let own = holds().find(|(asker, _)| *asker == handshake.client.address);
        let by_client = own.is_some();
        let (_, Said { mark, records, security, .. }) = own.or_else(|| holds().next())?;
        Some(TlsaRecords { owner: key.1, records: records.clone(), security: *security, mark: *mark, by_client })
    }

    /// The record that the client itself had asked for and whose key it used.
    fn ech(&self, handshake: &Handshake, name: &str) -> Option<EchRecord> {
        let config_id = handshake.hello()?.ech()?.config_id;
        let known = self.keys.get(&(handshake.flow.key.site, Box::from(name), config_id))?.as_ref()?;
        (known.0 == handshake.client.address).then(|| known.1.clone())
    }

    /// Of a server that takes mail.
    fn policy(&self, handshake: &Handshake, name: &str) -> Option<MailPolicy> {
        let site = handshake.flow.key.site;
        let smtp = handshake.preamble.as_ref().is_some_and(|facts| facts.dialect == Dialect::Smtp);
        let domains = self.domains.get(&(site, Box::from(name))).filter(|_| smtp)?;
        domains.iter().find_map(|domain| {
            let policy = self.policies.get(&(site, domain.clone()))?;
            let by_client = |fetched: &&(IpAddr, Mark)| fetched.0 == handshake.client.address;
            let fetched = policy.fetched.iter().find(by_client).map(|(_, mark)| *mark);
            Some(MailPolicy { domain: domain.clone(), mark: policy.heard?, fetched })
        })
    }
}

/// Puts something in front of a short list, which holds it once.
fn put_first<T: PartialEq>(list: &mut VecDeque<T>, item: T) {
    list.retain(|other| *other != item);
    list.push_front(item);
    list.truncate(FEW);
}

/// Where a domain's policy is fetched from (RFC 8461 section 3.3).
const POLICY_HOST: &str = "mta-sts.";
/// Who fetched, which domains: the last of them.
const FEW: usize = 8;
/// A client that looks up a server's records comes to it within this time.
const AT_ONCE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::{Scene, dialogue, legacy, with};
    use crate::flow::Side::{Client, Server};
    use crate::handshake::facts::{Outcome, StoppedBy};
    use crate::time::Timestamp;
    use crate::tls::registry::ProtocolVersion;

    fn heard(name: &str, found: Found, asker: IpAddr) -> Heard {
        let mark = Mark { frame: 0, time: Timestamp::from_nanos(0) };
        let answer = Answer { name: name.into(), found, security: Security::Validated, ttl: 3600 };
        Heard { site: Site::NONE, asker, mark, known_at: 0, answer }
    }

    fn record() -> Tlsa {
        Tlsa { usage: 3, selector: 1, matching: 1, hash: [7; 32].into() }
    }

    #[test]
    fn records_are_those_of_the_name_in_the_greeting_and_the_port() {
        let turns: [(Side, &[u8]); 3] =
            [(Server, b"220 Mail.example.test ESMTP\r\n"), (Client, b"EHLO x\r\n"), (Server, b"250-mail\r\n250 SIZE\r\n")];
        let handshake = dialogue("192.0.2.1:25", &turns, Outcome::Plaintext, StoppedBy::Server);
        let mut lookups = Lookups::default();
        assert_eq!(lookups.before(&handshake), None);
        lookups.hear(heard("_465._tcp.mail.example.test", Found::Tlsa(vec![record()]), handshake.client.address));
        assert_eq!(lookups.before(&handshake), None, "another port");
        lookups.hear(heard("_25._tcp.mail.example.test", Found::Tlsa(vec![record()]), handshake.client.address));
        let records = lookups.before(&handshake).unwrap().tlsa.unwrap();
        assert_eq!((&*records.owner, records.by_client, records.records.len()), ("_25._tcp.mail.example.test", true, 1));
        lookups.hear(heard("example.test", Found::Exchanges(vec!["mail.example.test".into()]), handshake.client.address));
        lookups.hear(heard("_mta-sts.example.test", Found::MailPolicy, handshake.client.address));
        let policy = lookups.before(&handshake).unwrap().policy.unwrap();
        assert_eq!((&*policy.domain, policy.fetched), ("example.test", None));
    }

    #[test]
    fn records_hold_until_they_are_withdrawn_or_expire() {
        let name = b"www.example.test";
        let body = [&[0, 19, 0, 0, 16][..], name].concat();
        let mut handshake = Scene::hello(ProtocolVersion::TLS12, &legacy(), &with(0, &body, true)).handshake;
        let (client, other) = (handshake.client.address, "203.0.113.9".parse().unwrap());
        let answer = |usage, asker| heard("_443._tcp.www.example.test", Found::Tlsa(vec![Tlsa { usage, ..record() }]), asker);
        let mut lookups = Lookups::default();
        lookups.hear(answer(3, client));
        lookups.hear(answer(2, other));
        let usage = |lookups: &Lookups, handshake: &Handshake| Some(lookups.before(handshake)?.tlsa?.records.first()?.usage);
        assert_eq!(usage(&lookups, &handshake), Some(3), "the client's own, not the latest");
        let begun = handshake.flow.first.time;
        handshake.flow.first.time = begun.after(Duration::from_secs(3601));
        assert_eq!(usage(&lookups, &handshake), None, "expired");
        handshake.flow.first.time = begun;
        lookups.hear(heard("_443._tcp.www.example.test", Found::Tlsa(Vec::new()), client));
        assert_eq!(usage(&lookups, &handshake), None, "withdrawn");
    }

    #[test]
    fn who_asked_is_remembered() {
        let name = b"www.example.test";
        let body = [&[0, 19, 0, 0, 16][..], name].concat();
        let handshake = Scene::hello(ProtocolVersion::TLS12, &legacy(), &with(0, &body, true)).handshake;
        assert_eq!(handshake.server_name().as_deref(), Some("www.example.test"));
        let mut lookups = Lookups::default();
        lookups.hear(heard("_443._tcp.www.example.test", Found::Tlsa(vec![record()]), "203.0.113.9".parse().unwrap()));
        assert!(!lookups.before(&handshake).unwrap().tlsa.unwrap().by_client);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut lookups = Lookups::default();
        let asker = |at: usize| IpAddr::from(u32::try_from(at).unwrap().to_be_bytes());
        for at in 0..3 * limits::LOOKED_UP {
            lookups.hear(heard(&format!("_25._tcp.m{at}.test"), Found::Tlsa(vec![record()]), asker(at)));
            lookups.hear(heard("_25._tcp.one.test", Found::Tlsa(vec![record()]), asker(at)));
        }
        let one = lookups.records.get(&(Site::NONE, Box::from("_25._tcp.one.test"))).unwrap();
        assert_eq!(one.len(), limits::LOOKED_UP_BY);
        assert!(lookups.records.get(&(Site::NONE, Box::from("_25._tcp.m0.test"))).is_none());
    }
}
