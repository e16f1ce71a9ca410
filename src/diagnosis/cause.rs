//! The catalogue of causes: one variant each, with its slug. Their pages are with the rules.

macro_rules! causes {
    ($($(#[doc = $doc:literal])* $name:ident = $slug:literal in $family:ident),* $(,)?) => {
        /// Why a handshake failed, or what its users suffered from. The slugs are fixed: tools outside the project read them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Cause {
            $($(#[doc = $doc])* $name,)*
        }

        impl Cause {
            /// Every cause, in no order that means anything.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The fixed name in reports and on the command line.
            pub const fn slug(self) -> &'static str {
                match self {
                    $(Self::$name => $slug,)*
                }
            }

            /// The family it belongs to.
            pub const fn family(self) -> Family {
                match self {
                    $(Self::$name => Family::$family,)*
                }
            }
        }
    };
}

/// Families of causes. The order of judgement, and of all lists, is that of [`super::rules::FAMILIES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// The capture, not the network.
    Capture,
    /// The transport never came up.
    Connect,
    /// The path loses or stops packets.
    Path,
    /// A device on the path interferes.
    Middlebox,
    /// One side does not speak TLS, or the upgrade to it failed.
    Plaintext,
    /// A proxy, load balancer or PROXY header stands in the way.
    Proxy,
    /// A side said nothing, stopped or left.
    Silence,
    /// No protocol version in common.
    Version,
    /// No cipher, group or signature algorithm in common.
    Parameters,
    /// The server's certificate.
    Certificate,
    /// The client's certificate.
    ClientAuth,
    /// Server name or application protocol.
    Names,
    /// Pre-shared keys, tickets, and sessions that are to be resumed.
    Psk,
    /// A side broke the protocol, or the bytes were changed.
    Protocol,
    /// QUIC's own.
    Quic,
    /// DTLS's own.
    Dtls,
    /// The protocol that carries the handshake.
    Carrier,
}

impl Family {
    /// The name in the catalogue.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Connect => "connect",
            Self::Path => "path",
            Self::Middlebox => "middlebox",
            Self::Plaintext => "plaintext",
            Self::Proxy => "proxy",
            Self::Silence => "silence",
            Self::Version => "version",
            Self::Parameters => "parameters",
            Self::Certificate => "certificate",
            Self::ClientAuth => "client-auth",
            Self::Names => "names",
            Self::Psk => "psk",
            Self::Protocol => "protocol",
            Self::Quic => "quic",
            Self::Dtls => "dtls",
            Self::Carrier => "carrier",
        }
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.slug())
    }
}

/// By its slug.
impl serde::Serialize for Cause {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.slug())
    }
}

impl std::str::FromStr for Cause {
    type Err = ();

    fn from_str(slug: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|cause| cause.slug() == slug).ok_or(())
    }
}

causes! {
    /// The capture ends before the handshake does, sooner than the stall limit.
    CaptureEnded = "capture-ended" in Capture,
    /// The capture begins in the middle of the connection.
    CaptureStartedLate = "capture-started-late" in Capture,
    /// Only one side's packets were captured.
    CaptureOneDirection = "capture-one-direction" in Capture,
    /// The clocks of the connection's two directions differ.
    CaptureOutOfStep = "capture-out-of-step" in Capture,
    /// Packets were cut short by the snapshot length.
    CaptureSnaplen = "capture-snaplen" in Capture,
    /// Packets were lost by the capture (the receiver acknowledged what was never seen).
    CaptureGaps = "capture-gaps" in Capture,
    /// SYN retransmitted, nothing came back.
    TcpSynUnanswered = "tcp-syn-unanswered" in Connect,
    /// The port answered the SYN with a RST.
    TcpRefused = "tcp-refused" in Connect,
    /// SYN-ACK sent (again and again) but the connection never came up: one-way path.
    TcpHandshakeIncomplete = "tcp-handshake-incomplete" in Connect,
    /// Connected and closed without a byte: health check or scan.
    TcpProbe = "tcp-probe" in Connect,
    /// A router or host said unreachable (names which, and who said it).
    IcmpUnreachable = "icmp-unreachable" in Connect,
    /// A firewall said administratively prohibited (names who said it).
    IcmpProhibited = "icmp-prohibited" in Connect,
    /// A RST to the SYN that did not come from the server itself.
    FirewallReject = "firewall-reject" in Connect,
    /// The server repeats its SYN-ACK and ignores the ClientHello: its accept queue is full.
    AcceptQueueFull = "accept-queue-full" in Connect,
    /// The server is under a SYN flood; this handshake is its victim.
    SynFlood = "syn-flood" in Connect,
    /// SYN with data went unanswered until sent again without.
    TcpFastOpenBlocked = "tcp-fast-open-blocked" in Connect,
    /// Full-size segments die, small ones pass, no ICMP arrives (says which direction and which message).
    PathMtuBlackHole = "path-mtu-black-hole" in Path,
    /// ICMP fragmentation-needed arrived and the sender goes on with full-size segments.
    PathMtuIcmpIgnored = "path-mtu-icmp-ignored" in Path,
    /// Fragmented packets never arrive whole.
    IpFragmentsDropped = "ip-fragments-dropped" in Path,
    /// After TCP came up, one direction's packets stop arriving.
    OneWayPath = "one-way-path" in Path,
    /// Lost segments delayed or stopped the handshake (says which message, how long).
    PacketLoss = "packet-loss" in Path,
    /// The receiver's window stayed closed: its application does not read.
    ZeroWindow = "zero-window" in Path,
    /// The server never acknowledges the ClientHello, retransmitted in vain, though its size is no obstacle (server name filter, say).
    ClientHelloDropped = "client-hello-dropped" in Middlebox,
    /// The client never acknowledges the server's answer.
    ServerFlightDropped = "server-flight-dropped" in Middlebox,
    /// Only handshakes that offer or choose TLS 1.3 die on the way.
    Tls13Dropped = "tls13-dropped" in Middlebox,
    /// A ClientHello of more than one segment or record (post-quantum key share) is dropped, reset or mishandled.
    SplitClientHello = "split-client-hello" in Middlebox,
    /// A RST that neither endpoint sent (TTL, timing, sequence numbers, data after it).
    ResetInjected = "reset-injected" in Middlebox,
    /// An alert that the server did not send (TTL, timing, the real answer after it).
    AlertForged = "alert-forged" in Middlebox,
    /// A filter answered the ClientHello with a block page or a redirect.
    PlaintextInjected = "plaintext-injected" in Middlebox,
    /// A captive portal answered in the server's place.
    CaptivePortal = "captive-portal" in Middlebox,
    /// A proxy on the path re-signs certificates.
    TlsInterception = "tls-interception" in Middlebox,
    /// A device forgot the connection during a pause, then drops or resets it.
    IdleTimeout = "idle-timeout" in Middlebox,
    /// The path becomes extremely slow after this ClientHello.
    Throttled = "throttled" in Middlebox,
    /// The client sent HTTP, SSH or another protocol to a TLS port (names it).
    ClientSpeaksPlaintext = "client-speaks-plaintext" in Plaintext,
    /// The server answered a ClientHello with another protocol (names it).
    ServerSpeaksPlaintext = "server-speaks-plaintext" in Plaintext,
    /// The server refused the upgrade (quotes its answer).
    StarttlsRefused = "starttls-refused" in Plaintext,
    /// The server does not offer the upgrade, or a box on the path stripped the offer.
    StarttlsNotOffered = "starttls-not-offered" in Plaintext,
    /// The server says that TLS is temporarily not available.
    StarttlsUnavailable = "starttls-unavailable" in Plaintext,
    /// Commands were sent in the same breath as the upgrade request.
    StarttlsInjection = "starttls-injection" in Plaintext,
    /// The proxy answered CONNECT with a refusal (quotes it).
    ProxyRefused = "proxy-refused" in Proxy,
    /// The proxy wants credentials.
    ProxyAuthRequired = "proxy-auth-required" in Proxy,
    /// The proxy could not reach the server, or not in time.
    ProxyUpstreamFailed = "proxy-upstream-failed" in Proxy,
    /// The proxy never answered CONNECT.
    ProxyNoAnswer = "proxy-no-answer" in Proxy,
    /// The SOCKS proxy refused or failed (quotes the code).
    SocksRefused = "socks-refused" in Proxy,
    /// The server expects a PROXY protocol header that the client does not send.
    ProxyProtocolMissing = "proxy-protocol-missing" in Proxy,
    /// A PROXY protocol header precedes the ClientHello and the server cannot read it.
    ProxyProtocolUnexpected = "proxy-protocol-unexpected" in Proxy,
    /// The address accepts and closes at once: nobody behind it.
    LoadBalancerNoBackend = "load-balancer-no-backend" in Proxy,
    /// The ClientHello was acknowledged, then nothing.
    ServerSilent = "server-silent" in Silence,
    /// The server began its answer and stopped.
    ServerStalled = "server-stalled" in Silence,
    /// The client connected and never spoke.
    ClientSilent = "client-silent" in Silence,
    /// The client began the handshake and stopped.
    ClientStalled = "client-stalled" in Silence,
    /// The client gave up waiting and closed.
    ClientTimeout = "client-timeout" in Silence,
    /// The server gave up waiting and closed.
    ServerTimeout = "server-timeout" in Silence,
    /// The server closed before it answered the ClientHello, without an alert.
    ServerClosed = "server-closed" in Silence,
    /// The server reset before it answered the ClientHello.
    ServerReset = "server-reset" in Silence,
    /// The server closed or reset in the middle of the handshake, without a reason.
    ServerAborted = "server-aborted" in Silence,
    /// The client closed or reset in the middle of the handshake, without a reason.
    ClientAborted = "client-aborted" in Silence,
    /// Completed, but the server took long to answer.
    ServerSlow = "server-slow" in Silence,
    /// Completed, but the client took long.
    ClientSlow = "client-slow" in Silence,
    /// The client said that the user cancelled.
    UserCanceled = "user-canceled" in Silence,
    /// A side closed in order before the handshake was done.
    CloseNotifyInHandshake = "close-notify-in-handshake" in Silence,
    /// The client offers nothing that the server accepts, all of it too old.
    ClientVersionTooOld = "client-version-too-old" in Version,
    /// The server chose a version that the client refuses.
    ServerVersionTooOld = "server-version-too-old" in Version,
    /// No version in common, otherwise (TLS 1.3 only against TLS 1.2 only, say).
    NoCommonVersion = "no-common-version" in Version,
    /// The server fails on newer versions and works with older ones.
    VersionIntolerantServer = "version-intolerant-server" in Version,
    /// A retry with a lower version was refused (fallback signal).
    InappropriateFallback = "inappropriate-fallback" in Version,
    /// The client speaks SSLv2.
    Sslv2Hello = "sslv2-hello" in Version,
    /// No cipher suite in common.
    NoCommonCipher = "no-common-cipher" in Parameters,
    /// No key exchange group in common.
    NoCommonGroup = "no-common-group" in Parameters,
    /// No signature algorithm in common.
    NoCommonSignatureAlgorithm = "no-common-signature-algorithm" in Parameters,
    /// The server's key type (ECDSA, RSA) fits none of the client's suites.
    CertificateTypeMismatch = "certificate-type-mismatch" in Parameters,
    /// The server's Diffie-Hellman prime is too small for the client.
    DhTooSmall = "dh-too-small" in Parameters,
    /// One side insists on extended master secret.
    ExtendedMasterSecretRequired = "extended-master-secret-required" in Parameters,
    /// Renegotiation refused, or unsafe legacy renegotiation disabled.
    RenegotiationRefused = "renegotiation-refused" in Parameters,
    /// A side found the offer too weak and says only that.
    InsufficientSecurity = "insufficient-security" in Parameters,
    /// Alert handshake_failure and nothing in the capture says more.
    HandshakeFailure = "handshake-failure" in Parameters,
    /// The server's certificate matches none of the TLSA records in the DNS.
    DaneMismatch = "dane-mismatch" in Certificate,
    /// The server's certificate had expired when it was served.
    CertificateExpired = "certificate-expired" in Certificate,
    /// The server's certificate was not yet valid (or the client's clock is wrong).
    CertificateNotYetValid = "certificate-not-yet-valid" in Certificate,
    /// An intermediate in the served chain had expired.
    IntermediateExpired = "intermediate-expired" in Certificate,
    /// The server's certificate is signed by itself.
    CertificateSelfSigned = "certificate-self-signed" in Certificate,
    /// The chain ends in an authority that the client does not trust.
    CertificateUntrustedCa = "certificate-untrusted-ca" in Certificate,
    /// An intermediate is missing from what the server serves.
    ChainIncomplete = "chain-incomplete" in Certificate,
    /// The served chain is in the wrong order or holds strangers.
    ChainMisordered = "chain-misordered" in Certificate,
    /// The certificate does not cover the name that was asked for (prints both).
    CertificateNameMismatch = "certificate-name-mismatch" in Certificate,
    /// The server answered with its default certificate, not one for this name.
    DefaultCertificate = "default-certificate" in Certificate,
    /// Revoked, by staple or by alert.
    CertificateRevoked = "certificate-revoked" in Certificate,
    /// The certificate demands a stapled status and none was served.
    MustStapleMissing = "must-staple-missing" in Certificate,
    /// Key usage or extended key usage does not allow a server.
    CertificateWrongUsage = "certificate-wrong-usage" in Certificate,
    /// Name constraints, path length or CA flag violated in the chain.
    CertificateConstraints = "certificate-constraints" in Certificate,
    /// Key too small, or of a kind the client refuses.
    CertificateWeakKey = "certificate-weak-key" in Certificate,
    /// Signed with a hash the client refuses.
    CertificateWeakSignature = "certificate-weak-signature" in Certificate,
    /// Critical extension, curve or format that the client does not know.
    CertificateUnsupported = "certificate-unsupported" in Certificate,
    /// The chain exceeds what the client takes.
    ChainTooLarge = "chain-too-large" in Certificate,
    /// One of several servers behind the name serves another, bad certificate.
    BackendInconsistent = "backend-inconsistent" in Certificate,
    /// The client rejected the server's certificate, or something else that the server sent, and the reason is hidden (encrypted alert, silent close).
    ServerCertificateRejected = "server-certificate-rejected" in Certificate,
    /// The server demands a client certificate and got none.
    ClientCertificateMissing = "client-certificate-missing" in ClientAuth,
    /// The client's certificate had expired.
    ClientCertificateExpired = "client-certificate-expired" in ClientAuth,
    /// The server does not trust the issuer of the client's certificate.
    ClientCertificateUntrusted = "client-certificate-untrusted" in ClientAuth,
    /// The client's certificate is revoked.
    ClientCertificateRevoked = "client-certificate-revoked" in ClientAuth,
    /// The client's certificate does not allow client authentication.
    ClientCertificateWrongUsage = "client-certificate-wrong-usage" in ClientAuth,
    /// The server refused the client's certificate, the reason is hidden.
    ClientCertificateRejected = "client-certificate-rejected" in ClientAuth,
    /// The server could not open the client's Encrypted ClientHello.
    EchRejected = "ech-rejected" in Names,
    /// No server name was sent and the server wants one.
    SniMissing = "sni-missing" in Names,
    /// The server does not know the name.
    SniUnrecognized = "sni-unrecognized" in Names,
    /// No application protocol in common.
    AlpnNoOverlap = "alpn-no-overlap" in Names,
    /// The pre-shared key's identity is unknown to the server.
    PskUnknownIdentity = "psk-unknown-identity" in Psk,
    /// The pre-shared keys differ.
    PskMismatch = "psk-mismatch" in Psk,
    /// Tickets of one backend are refused by the next: every resumption falls back.
    TicketsNotShared = "tickets-not-shared" in Psk,
    /// The FTP server demands that data connections resume the control connection's session, and this client's do not.
    FtpSessionNotResumed = "ftp-session-not-resumed" in Psk,
    /// A valid peer was refused by policy.
    AccessDenied = "access-denied" in Protocol,
    /// The client broke the protocol (names the field and the rule).
    ClientProtocolViolation = "client-protocol-violation" in Protocol,
    /// The server broke the protocol (names the field and the rule).
    ServerProtocolViolation = "server-protocol-violation" in Protocol,
    /// The server's record is longer than the client said that it takes.
    RecordLimitIgnored = "record-limit-ignored" in Protocol,
    /// Bytes changed on the way: bad_record_mac, decrypt_error, decode_error without other cause.
    RecordCorrupted = "record-corrupted" in Protocol,
    /// A side reports an error of its own.
    InternalError = "internal-error" in Protocol,
    /// Initials unanswered, UDP is dropped (and TCP to the same server works, where seen).
    QuicBlocked = "quic-blocked" in Quic,
    /// ICMP says the UDP port or host is closed.
    QuicRefused = "quic-refused" in Quic,
    /// The server's answers never come, or it never answers.
    QuicServerSilent = "quic-server-silent" in Quic,
    /// Version negotiation found nothing in common.
    QuicVersionMismatch = "quic-version-mismatch" in Quic,
    /// Retry again and again.
    QuicRetryLoop = "quic-retry-loop" in Quic,
    /// Full-size datagrams do not pass.
    QuicMtu = "quic-mtu" in Quic,
    /// Packets of one connection come to a server that does not know it.
    QuicServerChanged = "quic-server-changed" in Quic,
    /// The client's packets come from another port in the middle of the handshake.
    QuicClientMoved = "quic-client-moved" in Quic,
    /// 0-RTT refused, the handshake goes on.
    QuicEarlyDataRejected = "quic-early-data-rejected" in Quic,
    /// The server never answers the ClientHello.
    DtlsNoAnswer = "dtls-no-answer" in Dtls,
    /// The ClientHello with the cookie never arrives.
    DtlsCookieLost = "dtls-cookie-lost" in Dtls,
    /// ICMP says the UDP port is closed.
    DtlsRefused = "dtls-refused" in Dtls,
    /// Both sides take themselves for the DTLS client.
    DtlsRoleConflict = "dtls-role-conflict" in Dtls,
    /// Supplicant and server have no EAP method in common.
    EapMethodRefused = "eap-method-refused" in Carrier,
    /// The RADIUS server does not answer the authenticator.
    RadiusNoAnswer = "radius-no-answer" in Carrier,
    /// The authenticator does not go on with EAP.
    EapAuthenticatorSilent = "eap-authenticator-silent" in Carrier,
    /// The supplicant stops answering in the middle of EAP.
    EapSupplicantSilent = "eap-supplicant-silent" in Carrier,
    /// The EAP server turns the supplicant away, and no alert of TLS says why.
    EapRejected = "eap-rejected" in Carrier,
    /// The OpenVPN server never answers.
    OpenvpnNoAnswer = "openvpn-no-answer" in Carrier,
    /// The OpenVPN server answers, and the client does not hear it.
    OpenvpnOneWay = "openvpn-one-way" in Carrier,
    /// An OpenVPN peer stops after the other's certificate.
    OpenvpnRefused = "openvpn-refused" in Carrier,
}
