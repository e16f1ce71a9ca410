//! CONTRACT (tls helper): see TLS brief.
