//! `ftp-session-not-resumed`.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::Finding;
use crate::diagnosis::ftp::{Refusal, refusals};
use crate::diagnosis::knowledge::Unserved;
use crate::diagnosis::page::page;
use crate::diagnosis::rule::Rule;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::time::Mark;
use crate::wording::counted;

/// The rule.
pub(super) const RULE: Rule = Rule { cause: Cause::FtpSessionNotResumed, against: &[], page: page!("ftp-session-not-resumed"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    if handshake.outcome != Outcome::Completed || handshake.ftp.is_none() {
        return None;
    }
    let refusals: Vec<Refusal> = refusals(handshake).collect();
    let refused = |connection: &Unserved| {
        // The answer to a transfer is the next reply, or comes behind that which announces it. What is known by its length alone must be the very next:
        // before it stand announcements, with the file's name in them, and behind it replies to other commands, all of any length.
        let replies = handshake.ftp.iter().flat_map(|replies| replies.iter());
        let behind: Vec<Mark> = replies.map(|reply| reply.mark).filter(|mark| *mark > connection.finished).take(ANSWERS + 1).collect();
        let answers = |refusal: &&Refusal| match refusal.line {
            Some(_) => refusal.mark > connection.start && behind.get(ANSWERS).is_none_or(|late| refusal.mark < *late),
            None => behind.first() == Some(&refusal.mark),
        };
        let (early, late): (Vec<_>, Vec<_>) = refusals.iter().filter(answers).partition(|refusal| refusal.mark < connection.finished);
        late.into_iter().chain(early).next()
    };
    let all: Vec<(&Unserved, &Refusal)> =
        case.knowledge.unserved.iter().filter_map(|connection| Some((connection, refused(connection)?))).collect();
    let (connection, refusal) = *all.first()?;
    let port = connection.port;
    let summary = format!(
        "The FTP server {} refused the data connection to its port {port}: its TLS handshake was a full one, where the server demands that it resume the session of the control connection.",
        handshake.server
    );
    let answered = match (&refusal.line, refusal.known) {
        (Some(line), _) => format!("the server answers on the control connection `{line}`"),
        (None, Some((who, text))) => format!("an encrypted reply on the control connection, as long as {who}'s `{text}`"),
        (None, None) => return None,
    };
    let finding = Finding::new(Cause::FtpSessionNotResumed, refusal.confidence, summary)
        .stopped_by(StoppedBy::Server)
        .shown_by(connection.start, format!("data connection to port {port}: a full handshake, no session resumed"))
        .shown_by(refusal.mark, answered);
    let finding = if all.len() > 1 {
        finding.noting(format!("{} refused in this session", counted(all.len(), "data connection", "data connections")))
    } else {
        finding
    };
    Some(
        finding
            .advise("On the client, let data connections resume the control connection's session, as curl, lftp, WinSCP and FileZilla do; in Python's ftplib, pass `session=self.sock.session` to wrap_socket() in ntransfercmd().")
            .advise("Or on the server, stop demanding it: require_ssl_reuse=NO in vsftpd, `TLSOptions NoSessionReuseRequired` in ProFTPD. Whoever guesses the port can then take a data connection over."),
    )
}

/// Replies within which a transfer is answered.
const ANSWERS: usize = 2;
