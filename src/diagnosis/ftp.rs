//! Data connections of FTP that the server refuses because they do not resume the session of their control connection: what it answers then, and
//! which connections that may be about.

use crate::flow::Side;
use crate::handshake::Handshake;
use crate::handshake::facts::{FtpReply, Outcome, Protocol, StoppedBy};
use crate::time::Mark;

use super::attempts::Attempt;
use super::finding::Confidence;
use super::knowledge::Unserved;

/// A reply that refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Where it was sent.
    pub mark: Mark,
    /// What it says; `None` where only its length was seen.
    pub line: Option<String>,
    /// The server that answers so, and with what, where its length or its words are known.
    pub known: Option<(&'static str, &'static str)>,
    /// How sure it is that it refuses for that reason.
    pub confidence: Confidence,
}

/// The refusals among what the server says on a control connection, in order.
pub fn refusals(control: &Handshake) -> impl Iterator<Item = Refusal> {
    let replies = control.ftp.iter().flat_map(|replies| replies.iter());
    replies.filter_map(|reply| refusal(control, reply))
}

fn refusal(control: &Handshake, reply: &FtpReply) -> Option<Refusal> {
    let mark = reply.mark;
    if let Some(said) = &reply.said {
        let known = REFUSALS.iter().copied().find(|(_, text)| said.line == *text);
        let line = said.line.to_ascii_lowercase();
        let confidence = match known {
            _ if line.contains("session") && ["reuse", "resum", "match"].iter().any(|word| line.contains(word)) => Confidence::Certain,
            Some(_) => Confidence::Strong,
            None if matches!(said.code, 425 | 522) => Confidence::Likely,
            None => return None,
        };
        return Some(Refusal { mark, line: Some(said.line.clone()), known, confidence });
    }
    let len = usize::from(reply.sealed.checked_sub(control.overhead(Side::Server)?)?);
    let greeting = control.preamble.as_ref().and_then(|facts| facts.lines.first()).map(|line| line.text.to_ascii_lowercase());
    let named = |who: &str| greeting.as_deref().is_some_and(|greeting| greeting.contains(&who.to_ascii_lowercase()));
    let fits = |(_, text): &&(&str, &str)| text.len() + LINE_END == len;
    // Two servers may say as much: the greeting names the one.
    let known = REFUSALS.iter().filter(fits).find(|(who, _)| named(who)).or_else(|| REFUSALS.iter().find(fits)).copied()?;
    let confidence = if named(known.0) { Confidence::Strong } else { Confidence::Likely };
    Some(Refusal { mark, line: None, known: Some(known), confidence })
}

/// Where a full handshake that leads to nothing from the server, or that the server broke off, was through on the client's side.
pub(super) fn unserved(handshake: &Handshake) -> Option<Mark> {
    let over = handshake.outcome == Outcome::Completed || handshake.outcome.failed() && handshake.stopped_by == StoppedBy::Server;
    // Tickets that come behind what the client uploads cannot be told from data without keys.
    let tickets = if handshake.is_tls13() && !handshake.decrypted && handshake.application_data.client.is_some() { TICKETS } else { 0 };
    let bare = handshake.preamble.is_none() && handshake.resumption.is_none() && handshake.application_records.server <= tickets;
    let hello = handshake.client_hellos.last().filter(|_| over && bare && handshake.protocol == Protocol::Tls)?;
    Some(handshake.finished.client.unwrap_or(hello.mark))
}

/// Such connections during a control connection among those that its client tried at its server, which are given the latest first: the earliest first.
pub(super) fn unserved_during<'a>(tried: impl Iterator<Item = &'a Attempt>, control: &Handshake) -> Vec<Unserved> {
    let (first, last) = (control.flow.first, control.flow.last);
    let mut all: Vec<Unserved> = tried
        .filter(|attempt| attempt.server != control.server)
        .filter(|attempt| first < attempt.related.start && attempt.related.start < last)
        .filter_map(|attempt| {
            let (port, start) = (attempt.server.port, attempt.related.start);
            attempt.related.unserved.map(|finished| Unserved { port, start, finished })
        })
        .collect();
    all.reverse();
    all
}

/// What servers answer then, word for word, without the line's end.
const REFUSALS: [(&str, &str); 5] = [
    ("vsFTPd", "522 SSL connection failed: session reuse required"),
    ("vsFTPd", "522 SSL connection failed; session reuse required: see require_ssl_reuse option in vsftpd.conf man page"),
    ("ProFTPD", "425 Unable to build data connection: Operation not permitted"),
    ("FileZilla", "425 Unable to build data connection: TLS session of data connection not resumed."),
    ("FileZilla", "450 TLS session of data connection has not resumed or the session does not match the control connection"),
];
/// Tickets that servers issue at once, at most.
const TICKETS: u32 = 2;
/// Bytes of a line's end.
const LINE_END: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::{BROAD, Scene, at, extensions};
    use crate::handshake::facts::{FtpReplies, FtpSaid};
    use crate::tls::registry::ProtocolVersion as V;

    /// What a control connection under `TLS_AES_128_GCM_SHA256` yields, of these replies.
    fn refused(replies: Vec<FtpReply>) -> Vec<(Option<String>, Confidence)> {
        let list = extensions(true);
        let mut scene = Scene::hello(V::TLS12, BROAD, &list).answered(V::TLS12, 0x1301, &[(0x002b, &[3, 4])]);
        scene.handshake.ftp = Some(Box::new(FtpReplies::from(replies)));
        refusals(&scene.handshake).map(|refusal| (refusal.known.map(|(who, _)| who.to_owned()), refusal.confidence)).collect()
    }

    #[test]
    fn refusals_are_known_by_their_words_or_their_length() {
        let sealed = |content: usize| FtpReply { mark: at(9, 0), sealed: u16::try_from(content + 17).unwrap(), said: None };
        let said = |code, line: &str| FtpReply { mark: at(9, 0), sealed: 0, said: Some(FtpSaid { code, line: line.to_owned() }) };
        for (_, text) in REFUSALS {
            let found = refused(vec![sealed(text.len() + 2)]);
            assert!(matches!(found[..], [(Some(_), Confidence::Likely)]), "{text}: {found:?}");
        }
        assert_eq!(refused(vec![sealed("226 Directory send OK.\r\n".len()), sealed(300), said(226, "")]), []);
        let filezilla = said(425, "425 Unable to build data connection: TLS session of data connection not resumed.");
        assert_eq!(refused(vec![filezilla]), [(Some("FileZilla".to_owned()), Confidence::Certain)]);
        let words = said(534, "534 Data connection must reuse the session of the control connection");
        assert_eq!(refused(vec![words]), [(None, Confidence::Certain)]);
        assert_eq!(refused(vec![said(425, "425 Can't open data connection.")]), [(None, Confidence::Likely)]);
        assert_eq!(refused(vec![said(550, "550 Permission denied.")]), []);
    }
}
