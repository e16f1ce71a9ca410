//! SYN floods at two points: connections that one point calls unanswered are judged together with the flood that the other saw.

use std::collections::BTreeSet;

use super::joined::{Joined, Joint};

/// Gives connections that were never answered while their server was flooded the verdict that the flood explains. Which of them are the flood's
/// and which its victims, packets without an answer do not tell.
pub fn explain(joined: &mut [Joined]) {
    let mut floods: BTreeSet<String> = BTreeSet::new();
    for one in joined.iter() {
        let halves = [&one.server, &one.client].into_iter().flatten();
        for half in halves.filter(|half| half.cause.as_deref() == Some(FLOOD)) {
            floods.insert(half.peers[1].clone());
        }
    }
    if floods.is_empty() {
        return;
    }
    for one in joined {
        let half = one.server.as_ref().or(one.client.as_ref());
        let Some(server) = half.and_then(|half| floods.get(&half.peers[1])) else { continue };
        if one.verdict.cause.as_deref().is_some_and(|cause| UNANSWERED.contains(&cause)) {
            let summary =
                format!("{server} was flooded with SYNs: this connection is part of the flood, or its victim. {}", one.verdict.summary);
            one.verdict = Joint { cause: Some(FLOOD.to_owned()), place: "server", confidence: "likely".to_owned(), summary };
        }
    }
}

const FLOOD: &str = "syn-flood";
const UNANSWERED: [&str; 2] = ["tcp-syn-unanswered", "tcp-handshake-incomplete"];

#[cfg(test)]
mod tests {
    use super::super::joined::Half;
    use super::*;

    fn one(server: &str, cause: &str, verdict: &str) -> Joined {
        let half = Half {
            id: String::new(),
            start: crate::time::Timestamp::default(),
            peers: ["10.0.0.1:1024".to_owned(), server.to_owned()],
            server_name: None,
            frames: [1, 1],
            outcome: "refused".to_owned(),
            cause: Some(cause.to_owned()),
            confidence: None,
            summary: "1,000 SYNs a second.".to_owned(),
        };
        let verdict = Joint::certain(verdict, "path", "No answer.".to_owned());
        Joined {
            schema: "handshark-match/1",
            joined_by: "addresses",
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
        let mut joined = [
            one("192.0.2.1:443", "syn-flood", "syn-flood"),
            one("192.0.2.1:443", "tcp-syn-unanswered", "tcp-syn-unanswered"),
            one("192.0.2.1:443", "certificate-expired", "certificate-expired"),
            one("192.0.2.2:443", "tcp-syn-unanswered", "tcp-syn-unanswered"),
        ];
        explain(&mut joined);
        let causes = joined.iter().map(|one| one.verdict.cause.clone().unwrap()).collect::<Vec<_>>();
        assert_eq!(causes, ["syn-flood", "syn-flood", "certificate-expired", "tcp-syn-unanswered"]);
        assert!(joined[1].verdict.summary.contains("192.0.2.1:443 was flooded"));
    }
}
