//! The services that TLS protects, one table: their ports in clear and with TLS, how they come to TLS, who speaks first, and the programs that
//! speak them. IANA's service names, and what the products listen on by default.

use super::Dialect;

/// A service.
#[derive(Debug, PartialEq, Eq)]
pub struct Service {
    /// The name people use; that of `identify` where it knows the protocol.
    pub name: &'static str,
    /// Ports on which it begins in clear.
    pub clear: &'static [u16],
    /// Ports on which TLS begins with the first byte, the usual one first.
    pub tls: &'static [u16],
    /// How it gets from clear to TLS on one port.
    pub upgrade: Upgradable,
    /// In clear the server speaks first: a client that waits there waits for its greeting.
    pub greets: bool,
    /// curl's schemes in clear and with TLS, where curl speaks it.
    pub curl: Option<(&'static str, &'static str)>,
    /// TLS has no port of its own: where it is switched on, it begins with the first byte on the port that is in clear elsewhere.
    pub shares_port: bool,
    /// The application protocol (ALPN) without which servers refuse TLS from the first byte.
    pub alpn: Option<&'static str>,
}

/// The way from clear to TLS on one port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upgradable {
    /// None: a port speaks TLS or it does not.
    Never,
    /// By a dialogue that is followed.
    By(Dialect),
}

/// What a port is to its service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It begins in clear.
    Clear,
    /// TLS begins with the first byte.
    Tls,
}

impl Service {
    /// The service that a port is known for, and whether it begins in clear there.
    pub fn at(port: u16) -> Option<(&'static Self, Use)> {
        SERVICES.iter().find_map(|service| match (service.clear.contains(&port), service.tls.contains(&port)) {
            (true, _) => Some((service, Use::Clear)),
            (_, true) => Some((service, Use::Tls)),
            _ => None,
        })
    }

    /// The service of a name that [`super::identify`] gives.
    pub fn named(name: &str) -> Option<&'static Self> {
        SERVICES.iter().find(|service| service.name == name)
    }

    /// The service whose dialect this is.
    pub fn of(dialect: Dialect) -> Option<&'static Self> {
        SERVICES.iter().find(|service| service.upgrade == Upgradable::By(dialect))
    }

    /// The dialogue by which it comes to TLS on one port, where it is followed.
    pub const fn dialect(&self) -> Option<Dialect> {
        match self.upgrade {
            Upgradable::By(dialect) => Some(dialect),
            Upgradable::Never => None,
        }
    }
}

/// Whether TLS is due with the first byte on a server's port: what makes a connection that carried no TLS worth a report.
pub fn is_implicit_tls(port: u16) -> bool {
    matches!(Service::at(port), Some((_, Use::Tls)))
}

const fn service(name: &'static str, clear: &'static [u16], tls: &'static [u16]) -> Service {
    Service { name, clear, tls, upgrade: Upgradable::Never, greets: false, curl: None, shares_port: false, alpn: None }
}

impl Service {
    const fn by(mut self, dialect: Dialect) -> Self {
        self.upgrade = Upgradable::By(dialect);
        self
    }

    const fn greets(mut self) -> Self {
        self.greets = true;
        self
    }

    const fn shares_port(mut self) -> Self {
        self.shares_port = true;
        self
    }

    const fn curl(mut self, clear: &'static str, tls: &'static str) -> Self {
        self.curl = Some((clear, tls));
        self
    }

    const fn alpn(mut self, protocol: &'static str) -> Self {
        self.alpn = Some(protocol);
        self
    }
}

/// Where servers of the DNS answer in clear.
pub const DNS_PORT: u16 = 53;

const SERVICES: &[Service] = &[
    service(
        "HTTP",
        &[80, 81, 591, 2375, 3000, 4080, 5000, 5985, 8000, 8008, 8080, 8081, 8088, 8090, 8180, 8888, 9080, 9090, 15672, 16992],
        &[
            443, 832, 2083, 2087, 2096, 2376, 4433, 4434, 4443, 5986, 6443, 7443, 8006, 8243, 8443, 8444, 8531, 8834, 9443, 10250, 10443,
            15671, 16993, 18443,
        ],
    )
    .curl("http", "https"),
    service("HTTP proxy", &[3128, 8118], &[]),
    service("SMTP", &[24, 25, 587, 2525], &[465]).by(Dialect::Smtp).greets().curl("smtp", "smtps"),
    service("IMAP", &[143], &[993]).by(Dialect::Imap).greets().curl("imap", "imaps"),
    service("POP3", &[110], &[995]).by(Dialect::Pop3).greets().curl("pop3", "pop3s"),
    service("FTP", &[21, 2121], &[990, 989]).by(Dialect::Ftp).greets().curl("ftp", "ftps"),
    service("NNTP", &[119, 433], &[563]).by(Dialect::Nntp).greets(),
    service("ManageSieve", &[4190, 2000], &[]).by(Dialect::Sieve).greets(),
    service("IRC", &[194, 6660, 6661, 6662, 6663, 6664, 6665, 6666, 6667, 6668, 6669, 7000], &[6697, 6679, 994]).by(Dialect::Irc),
    service("LDAP", &[389, 3268], &[636, 3269]).by(Dialect::Ldap).curl("ldap", "ldaps"),
    service("XMPP", &[5222, 5269], &[5223, 5270]).by(Dialect::Xmpp).alpn("xmpp-client"),
    service("PostgreSQL", &[5432, 5433, 6432], &[]).by(Dialect::Postgres).alpn("postgresql"),
    service("MySQL", &[3306, 3307], &[]).by(Dialect::Mysql).greets(),
    service("MySQL X", &[33_060], &[]).by(Dialect::MysqlX),
    service("NUT", &[3493], &[]).by(Dialect::Nut),
    service("RDP", &[3389], &[]).by(Dialect::Rdp),
    service("TDS", &[1433], &[]).by(Dialect::Tds).alpn("tds/8.0"),
    service("DNS", &[DNS_PORT], &[853]).alpn("dot"),
    service("MQTT", &[1883], &[8883, 8884]),
    service("AMQP", &[5672], &[5671]),
    service("Redis", &[6379], &[6380]),
    service("Kafka", &[9092], &[9093]),
    service("syslog", &[514, 601], &[6514]),
    service("NATS", &[4222], &[]).by(Dialect::Nats).greets(),
    service("NBD", &[10_809], &[]).by(Dialect::Nbd).greets(),
    service("memcached", &[11211], &[]).shares_port(),
    service("MongoDB", &[27017, 27018, 27019], &[]).shares_port(),
    service("Cassandra", &[9042], &[9142]),
    service("ZooKeeper", &[2181], &[2182]),
    service("Oracle Net", &[1521], &[2484]),
    service("SIP", &[5060], &[5061]),
    service("RTSP", &[554, 8554], &[322]),
    service("NTS-KE", &[], &[4460]).alpn("ntske/1"),
    service("Zabbix", &[10050, 10051], &[]).shares_port(),
    service("STUN", &[3478], &[5349]),
    service("Telnet", &[23], &[992]).greets(),
    service("SSH", &[22], &[]).greets(),
    service("VNC", &[5900, 5901], &[]).by(Dialect::Vnc).greets(),
    service("rsync", &[873], &[]).greets(),
    service("SOCKS", &[1080], &[]),
    service("gRPC", &[50051], &[]).shares_port(),
    service("Modbus", &[502], &[802]),
    service("Diameter", &[3868], &[5868]),
    service("IEC 60870-5-104", &[2404], &[19_998]),
    service("DNP3", &[], &[19_999]),
    service("OPC UA", &[4840], &[4843]),
    service("UUCP", &[540], &[4031]),
    service("ODETTE-FTP", &[3305], &[6619]).greets(),
    service("CORBA", &[683], &[261, 684]),
    service("DDM", &[446, 447], &[448]),
    service("WAP push", &[2948, 4035], &[4036]),
    service("IEEE MMS", &[651], &[695]),
    service("shell", &[], &[614]),
    service("TRMS", &[3423], &[3424]),
    service("another service", &[], &[1443, 2636]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_port_has_one_meaning() {
        let mut seen = BTreeSet::new();
        for service in SERVICES {
            for port in service.clear.iter().chain(service.tls) {
                assert!(seen.insert(*port), "{port} of {}", service.name);
            }
        }
        let names: BTreeSet<&str> = SERVICES.iter().map(|service| service.name).collect();
        assert_eq!(names.len(), SERVICES.len());
    }

    #[test]
    fn ports_tell_clear_from_tls() {
        let (smtp, port_use) = Service::at(465).unwrap();
        assert_eq!((smtp.name, port_use, smtp.greets), ("SMTP", Use::Tls, true));
        assert_eq!(Service::at(9092).map(|(service, port_use)| (service.name, port_use)), Some(("Kafka", Use::Clear)));
        assert!(is_implicit_tls(8883) && !is_implicit_tls(1883) && !is_implicit_tls(50_000));
        assert_eq!(Service::of(Dialect::Ldap).map(|service| service.tls), Some([636, 3269].as_slice()));
    }
}
