//! What an FTP server says inside TLS on a control connection (RFC 4217): the sizes of its records, or its replies where keys open them.
//!
//! It refuses data connections there, whose handshakes are connections of their own and show nothing wrong.

use crate::flow::Side;
use crate::limits;
use crate::preamble;
use crate::time::Mark;

/// The server's records of application data, from the first, bounded by [`limits::FTP_REPLIES`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FtpReplies(Vec<FtpReply>);

/// One of them: a reply, or a line of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FtpReply {
    /// Where.
    pub mark: Mark,
    /// Bytes of the record's content as encrypted; 0 of one that was only seen opened.
    pub sealed: u16,
    /// What it says.
    pub said: Option<FtpSaid>,
}

/// A reply that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FtpSaid {
    /// Its code (RFC 959 section 4.2).
    pub code: u16,
    /// The line, made printable, of one that refuses (4xx, 5xx); empty of others.
    pub line: String,
}

impl FtpReplies {
    /// Nothing more is kept.
    pub(super) const fn is_full(&self) -> bool {
        self.0.len() >= limits::FTP_REPLIES
    }

    /// All that were kept, in order.
    pub fn iter(&self) -> impl Iterator<Item = &FtpReply> {
        self.0.iter()
    }

    /// A record that is not opened: bytes of its content as encrypted. Gives the bytes that are kept of it.
    pub(super) fn sealed(&mut self, sealed: u16, mark: Mark) -> usize {
        self.push(FtpReply { mark, sealed, said: None })
    }

    /// The content of one that was opened, now or after it was seen sealed. Gives the bytes that are kept of it.
    pub(super) fn opened(&mut self, text: &[u8], mark: Mark) -> usize {
        let Some(code) = code(text) else { return 0 };
        let line = if code >= 400 { preamble::identify(text, Side::Server).first } else { String::new() };
        let kept = line.capacity();
        let said = Some(FtpSaid { code, line });
        match self.0.iter_mut().find(|reply| reply.mark == mark && reply.said.is_none()) {
            Some(reply) => {
                reply.said = said;
                kept
            }
            None => self.push(FtpReply { mark, sealed: 0, said }) + kept,
        }
    }

    fn push(&mut self, reply: FtpReply) -> usize {
        if self.is_full() {
            return 0;
        }
        self.0.push(reply);
        // A list grows by doubling.
        2 * size_of::<FtpReply>()
    }
}

#[cfg(test)]
impl From<Vec<FtpReply>> for FtpReplies {
    fn from(replies: Vec<FtpReply>) -> Self {
        Self(replies)
    }
}

/// Three digits at the beginning of a line.
fn code(text: &[u8]) -> Option<u16> {
    let digits = text.first_chunk::<3>().filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    Some(digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn at(frame: u64) -> Mark {
        Mark { frame, time: Timestamp::from_nanos(0) }
    }

    #[test]
    fn what_was_seen_sealed_is_read_in_its_place() {
        let mut replies = FtpReplies::default();
        replies.sealed(56, at(1));
        replies.sealed(68, at(3));
        replies.opened(b"150 Here comes the directory listing.\r\n", at(1));
        replies.opened(b"522 SSL connection failed: session reuse required\r\n", at(3));
        assert_eq!(replies.opened(b"no reply", at(4)), 0);
        let found: Vec<_> = replies.iter().map(|reply| (reply.sealed, reply.said.clone().unwrap())).collect();
        let line = "522 SSL connection failed: session reuse required".to_owned();
        assert_eq!(found, [(56, FtpSaid { code: 150, line: String::new() }), (68, FtpSaid { code: 522, line })]);
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let mut replies = FtpReplies::default();
        for frame in 0..500 {
            replies.sealed(40, at(frame));
            replies.opened(b"500 what?", at(1000 + frame));
        }
        assert_eq!((replies.iter().count(), replies.is_full()), (limits::FTP_REPLIES, true));
    }
}
