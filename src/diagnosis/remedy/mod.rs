//! What to do: sentences, and commands to type that are filled in with this very server, port and name.
//!
//! A command is a value, built of parts that know what they may hold; nothing else can make one. A sentence is never taken for a command,
//! whatever it quotes. Where no program fits what is spoken on a port, there is no command.
//!
//! - [`Command`]: the value; [`parts`]: hosts, ports, names, URLs
//! - `tls`: programs that speak to the server; `network`: programs that look at hosts and paths

use std::borrow::Cow;

use crate::diagnosis::view::View;
use crate::flow::Side;
use crate::handshake::Handshake;
use crate::handshake::facts::Outcome;

mod command;
mod network;
pub mod parts;
#[cfg(test)]
mod tests;
mod tls;

pub use command::Command;
pub use network::{
    capture_here, clamp_mss, clock, measure_loss, ping_mtu, port_open, reach, route_to, show_lines, ss_listen, ss_listen_udp, tracepath,
    traceroute,
};
pub use tls::{
    curl, curl_or_s_client, enumerate_ciphers, fetch, psk, s_client, s_client_alone, s_client_on, starttls, through_proxy, x509,
};

/// One line of advice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advice {
    /// A sentence.
    Text(Cow<'static, str>),
    /// A command to type.
    Command(Command),
}

impl Advice {
    /// The line as it is read: the sentence, or the command without a prompt.
    pub fn line(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Command(command) => Cow::Owned(command.to_string()),
        }
    }
}

/// Where to read the reason: the log of a side at the time when the handshake ended, or last got on. `note` says what to expect there.
pub fn log(handshake: &Handshake, side: Side, note: &str) -> String {
    let view = View::new(handshake);
    let alert = handshake.deciding_alert().map(|alert| alert.mark);
    let end = view.first_end().filter(|_| handshake.outcome != Outcome::Stalled).map(|ending| ending.mark);
    let at = alert.or(end).unwrap_or_else(|| view.last_progress()).time;
    format!("On the {side}, check the log at {}: {note}.", at.to_second())
}

/// What [`super::finding::Finding::advise`] takes: a sentence, a command, or the command that there may be.
pub trait IntoAdvice {
    /// The line; `None` where there is nothing to type.
    fn into_advice(self) -> Option<Advice>;
}

impl IntoAdvice for &'static str {
    fn into_advice(self) -> Option<Advice> {
        Some(Advice::Text(Cow::Borrowed(self)))
    }
}

impl IntoAdvice for String {
    fn into_advice(self) -> Option<Advice> {
        Some(Advice::Text(Cow::Owned(self)))
    }
}

impl IntoAdvice for Command {
    fn into_advice(self) -> Option<Advice> {
        self.reaches().then_some(Advice::Command(self))
    }
}

impl IntoAdvice for Option<Command> {
    fn into_advice(self) -> Option<Advice> {
        self.and_then(Command::into_advice)
    }
}
