//! Certificates that products make for themselves when nobody gave them a real one.

use crate::tls::certificate::Certificate;

/// What the certificate says about its origin, when its names are those of a product's own making.
pub(super) fn recognise(leaf: &Certificate) -> Option<String> {
    let names = || leaf.common_name.iter().chain(&leaf.dns_names);
    for mark in MARKS {
        let found = match mark.place {
            Place::Name => names().any(|name| mark.matches(name)),
            Place::Subject => mark.matches(&leaf.subject),
            Place::Issuer => mark.matches(&leaf.issuer),
        };
        if found && (!mark.self_issued || leaf.self_issued) {
            return Some(mark.origin.to_owned());
        }
    }
    let says_so = |name: &String| {
        let label = name.split('.').next().unwrap_or_default();
        name.contains('.') && ["default", "fallback", "catchall", "catch-all"].iter().any(|word| label.eq_ignore_ascii_case(word))
    };
    if names().next().is_some() && names().all(says_so) {
        return Some("a certificate whose only name says that it is the default".to_owned());
    }
    let only_local = leaf.common_name.is_some() || !leaf.dns_names.is_empty();
    if only_local && names().all(|name| is_local(name)) {
        return Some("a certificate for the machine itself (localhost)".to_owned());
    }
    // Debian's ssl-cert: self-signed, no organisation, the machine's bare or full name as CN and as the only dNSName, ten years, CA:FALSE.
    let bare = leaf.common_name.as_ref().is_some_and(|name| leaf.subject == format!("CN={name}") && !name.contains(['.', ' ', '*']));
    if leaf.self_issued && bare {
        return Some("a self-signed certificate for a bare host name, as Debian's ssl-cert (snakeoil) and installers make".to_owned());
    }
    None
}

fn is_local(name: &str) -> bool {
    ["localhost", "localhost.localdomain", "localhost4", "localhost6", "ip6-localhost"].iter().any(|local| name.eq_ignore_ascii_case(local))
        || name.to_ascii_lowercase().ends_with(".localdomain")
}

struct Mark {
    place: Place,
    text: &'static str,
    /// The product issues real certificates under this name too, so only a self-issued one counts.
    self_issued: bool,
    origin: &'static str,
}

#[derive(Clone, Copy)]
enum Place {
    /// Common name or a dNSName, whole or (`*` at either end) in part.
    Name,
    /// The readable subject, in part.
    Subject,
    /// The readable issuer, in part.
    Issuer,
}

impl Mark {
    fn matches(&self, value: &str) -> bool {
        let value = value.to_ascii_lowercase();
        if !matches!(self.place, Place::Name) {
            return value.contains(self.text);
        }
        match (self.text.strip_prefix('*'), self.text.strip_suffix('*')) {
            (Some(end), _) => value.ends_with(end),
            (_, Some(start)) => value.starts_with(start),
            _ => value == self.text,
        }
    }
}

const fn mark(place: Place, text: &'static str, self_issued: bool, origin: &'static str) -> Mark {
    Mark { place, text, self_issued, origin }
}

/// Texts are in lower case. What a common authority could have signed for a real host must not be here.
const MARKS: &[Mark] = &[
    mark(
        Place::Name,
        "kubernetes ingress controller fake certificate",
        false,
        "the fake certificate of the Kubernetes ingress controller (ingress-nginx)",
    ),
    mark(Place::Name, "*.ingress.local", false, "the fake certificate of the Kubernetes ingress controller (ingress-nginx)"),
    mark(Place::Name, "ingress.local", false, "the fake certificate of the Kubernetes ingress controller (ingress-nginx)"),
    mark(Place::Name, "traefik default cert", false, "Traefik's default certificate"),
    mark(Place::Name, "*.traefik.default", false, "Traefik's default certificate"),
    mark(Place::Name, "haproxy default*", true, "HAProxy's default certificate"),
    mark(Place::Name, "nginxingressdefault*", false, "the default server certificate of NGINX Ingress"),
    mark(Place::Name, "*.default.ssl.fastly.net", false, "Fastly's default certificate"),
    mark(Place::Name, "default.ssl.fastly.net", false, "Fastly's default certificate"),
    mark(Place::Name, "plesk", true, "Plesk's default certificate"),
    mark(Place::Name, "parallels panel", true, "the default certificate of Parallels Panel (Plesk)"),
    mark(Place::Subject, "parallels panel", true, "the default certificate of Parallels Panel (Plesk)"),
    mark(Place::Subject, "cn=cpanel", true, "cPanel's self-signed default certificate"),
    mark(Place::Subject, "ou=cpanel", true, "cPanel's self-signed default certificate"),
    mark(Place::Subject, "internet widgits pty ltd", false, "a certificate made with OpenSSL's example answers (Internet Widgits Pty Ltd)"),
    mark(Place::Subject, "default company ltd", false, "a certificate made with OpenSSL's default answers (Default Company Ltd)"),
    mark(Place::Subject, "someorganization", false, "the certificate that Red Hat's mod_ssl makes at installation (SomeOrganization)"),
    mark(Place::Subject, "o=unspecified", true, "the certificate that Red Hat's mod_ssl makes at installation (sscg)"),
    mark(Place::Subject, "snake oil", false, "a snakeoil certificate for tests"),
    mark(Place::Subject, "snakeoil", false, "a snakeoil certificate for tests"),
    mark(Place::Subject, "vmware installer", false, "the certificate that VMware makes at installation"),
    mark(Place::Subject, "vmware default certificate", false, "the certificate that VMware makes at installation"),
    mark(Place::Issuer, "vmware installer", false, "the certificate that VMware makes at installation"),
    mark(Place::Name, "unifi", true, "the default certificate of UniFi"),
    mark(Place::Name, "unifi.local", false, "the default certificate of UniFi"),
    mark(Place::Subject, "ubiquiti", true, "the default certificate of a Ubiquiti device"),
    mark(Place::Name, "synology*", true, "the default certificate of a Synology device"),
    mark(Place::Subject, "o=synology", false, "the default certificate of a Synology device"),
    mark(Place::Issuer, "synology inc. ca", false, "the default certificate of a Synology device"),
    mark(Place::Name, "qnap*", true, "the default certificate of a QNAP device"),
    mark(Place::Subject, "qnap systems", false, "the default certificate of a QNAP device"),
    mark(Place::Name, "fortigate*", false, "the factory certificate of a FortiGate"),
    mark(Place::Subject, "o=fortinet", false, "the factory certificate of a Fortinet device"),
    mark(Place::Name, "opnsense.localdomain", false, "the default certificate of OPNsense"),
    mark(Place::Name, "*opnsense.internal", false, "the default certificate of OPNsense"),
    mark(Place::Name, "pfsense*", true, "the default certificate of pfSense"),
    mark(Place::Subject, "pfsense webconfigurator", false, "the default certificate of pfSense"),
    mark(Place::Subject, "opnsense self-signed", false, "the default certificate of OPNsense"),
    mark(Place::Name, "idrac*", true, "the factory certificate of a Dell iDRAC"),
    mark(Place::Issuer, "default issuer (do not trust)", false, "the factory certificate of an HPE iLO"),
    mark(Place::Name, "default server certificate", false, "a product's default certificate"),
    mark(Place::Name, "default certificate", false, "a product's default certificate"),
    mark(Place::Name, "no-sni.*", true, "the certificate a server keeps for requests without a name"),
    mark(Place::Name, "invalid2.invalid", false, "Google's answer to a hello without a name"),
    mark(Place::Name, "fake", true, "a placeholder certificate"),
    mark(Place::Name, "dummy", true, "a placeholder certificate"),
    mark(Place::Name, "self-signed-certificate", true, "a product's default certificate"),
];
