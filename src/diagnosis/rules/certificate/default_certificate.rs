//! `default-certificate`: the server answered with its default certificate, not one for this name.

use super::standing::{Standing, View};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Finding, Page, Rule};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::DefaultCertificate,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED).or(Signs::OTHER_NAME),
    against: &[],
    title: "the server answered with its default certificate",
    page: Page {
        meaning: "The server has no certificate configured for the name that the client asked for, and fell back to the one it keeps for such cases: \
                  a product's factory certificate, an ingress controller's fake certificate, or simply the first site's. The client then refuses a certificate that says nothing about its host.\n\n\
                  The certificate is not what needs fixing: the configuration for this name is missing, was not loaded, or its secret cannot be read.",
        recognised: "The certificate does not cover the name asked for, and it is one that products make for themselves (Kubernetes Ingress Controller Fake Certificate, TRAEFIK DEFAULT CERT, localhost, snakeoil, \
                     Plesk, Default Company Ltd and others), or the one that this server also serves to clients that name no host.",
        confused_with: "A wrong certificate on the right site (certificate-name-mismatch); a request that reached the wrong server, by DNS or by a port forward; a device on the path that answers in the server's place.",
        check: "Ask the same address with the right name and with another one, and see whether the answer differs.",
        fix: &[
            (
                "nginx",
                "Is there a server block with `listen 443 ssl` and this server_name, and was it loaded? `nginx -T | grep -n server_name`. Without a match, the default_server of that address answers.",
            ),
            (
                "Apache httpd",
                "$ apachectl -S\nThe name must be a ServerName or ServerAlias of a virtual host on this address and port; the first virtual host is the default.",
            ),
            (
                "HAProxy",
                "Add the certificate to the crt directory or crt-list of the bind line; `strict-sni` refuses unknown names instead of serving the first certificate.",
            ),
            (
                "Kubernetes ingress-nginx",
                "$ kubectl describe ingress <name> -n <namespace>\nThe host must be in spec.tls, the secret in the same namespace and of type kubernetes.io/tls; the controller logs why it does not use it.",
            ),
            (
                "Kubernetes with cert-manager",
                "$ kubectl get certificate,certificaterequest,order,challenge -n <namespace>\nUntil the first certificate is issued, the fake one is served.",
            ),
            (
                "Traefik",
                "The router needs a tls section and a matching Host rule, and the resolver must have obtained the certificate; the default certificate is served until then.",
            ),
            ("Plesk, cPanel and the like", "Assign the certificate to the domain, not only to the panel or the IP address."),
        ],
        references: &["RFC 6066 section 3", "RFC 9525 section 6"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let standing = view.standing(Cause::DefaultCertificate)?;
    let chain = view.chain?;
    let leaf = chain.leaf()?;
    let origin = view.default_origin(chain)?;
    let summary = format!("Asked for {}, the server answered with {} instead: {origin}", view.target(), leaf.display_name());
    let mut finding = view.finding(Cause::DefaultCertificate, standing, summary);
    if matches!(standing, Standing::Chosen(_)) {
        finding = finding
            .or_else(&[Cause::CertificateNameMismatch])
            .or_else(if view.is_true(Cause::CertificateUntrustedCa) { &[Cause::CertificateUntrustedCa] } else { &[] })
            .advise(format!("Configure a certificate for {} on the server, and see that it was loaded.", view.target()))
            .advise(remedy::s_client(case.handshake, ""));
    }
    Some(finding)
}
