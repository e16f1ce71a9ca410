//! SYN floods at two points: connections that one point calls unanswered are judged together with the flood that the other saw.

use std::collections::BTreeSet;

use super::joined::{Half, Joined, Joint, Place};
use crate::report::{Cause, Confidence};

/// Gives connections that were never answered while their server was flooded the verdict that the flood explains. Which of them are the flood's
/// and which its victims, packets without an answer do not tell.
pub fn explain(joined: &mut [Joined]) {
    let halves = joined.iter().flat_map(|one| [&one.server, &one.client]).flatten();
    let flooded = halves.filter(|half| half.cause == Some(Cause::SynFlood));
    let flooded: BTreeSet<String> = flooded.map(|half| server(half).clone()).collect();
    for one in joined {
        let half = one.server.as_ref().or(one.client.as_ref());
        let Some(server) = half.and_then(|half| flooded.get(server(half))) else { continue };
        if matches!(one.verdict.cause, Some(Cause::TcpSynUnanswered | Cause::TcpHandshakeIncomplete)) {
            let summary =
                format!("{server} was under a SYN flood: this connection is part of the flood, or a victim of it. {}", one.verdict.summary);
            one.verdict = Joint { cause: Some(Cause::SynFlood), place: Place::Server, confidence: Confidence::Likely, summary };
        }
    }
}

const fn server(half: &Half) -> &String {
    let [_, server] = &half.peers;
    server
}

#[cfg(test)]
mod tests {
    use super::super::joined::JoinedBy;
    use super::*;

    fn one(server: &str, cause: Cause, verdict: Cause) -> Joined {
        let half = Half {
            id: crate::report::Id::of(&[0; 8]),
            start: crate::time::Timestamp::default(),
            peers: ["10.0.0.1:1024".to_owned(), server.to_owned()],
            server_name: None,
            frames: [1, 1],
            sources: None,
            outcome: crate::report::Outcome::Refused,
            cause: Some(cause),
            confidence: None,
            summary: "1,000 SYNs a second.".to_owned(),
        };
        let summary = "No answer.".to_owned();
        let verdict = Joint { cause: Some(verdict), place: Place::Path, confidence: Confidence::Certain, summary };
        Joined {
            schema: "handshark-match/1",
            joined_by: JoinedBy::Addresses,
            client: None,
            server: Some(half),
            between: Vec::new(),
            hops: None,
            round_trip_us: None,
            verdict,
        }
    }

    #[test]
    fn only_what_was_unanswered_at_the_flooded_server_is_explained() {
        use Cause as C;
        let mut joined = [
            one("192.0.2.1:443", C::SynFlood, C::SynFlood),
            one("192.0.2.1:443", C::TcpSynUnanswered, C::TcpSynUnanswered),
            one("192.0.2.1:443", C::CertificateExpired, C::CertificateExpired),
            one("192.0.2.2:443", C::TcpSynUnanswered, C::TcpSynUnanswered),
        ];
        explain(&mut joined);
        let causes = joined.iter().map(|one| one.verdict.cause.unwrap()).collect::<Vec<_>>();
        assert_eq!(causes, [C::SynFlood, C::SynFlood, C::CertificateExpired, C::TcpSynUnanswered]);
        assert!(joined[1].verdict.summary.contains("192.0.2.1:443 was under a SYN flood"));
    }
}
