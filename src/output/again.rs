//! What to type to look at the same captures again: the command behind a failure.

use std::path::PathBuf;

use crate::diagnosis::remedy::parts::{FilePath, Name};
use crate::report::{Command, Handshake, Incident};

/// Captures that can be read again, and the keys that open them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Again {
    files: Vec<FilePath>,
    keylogs: Vec<FilePath>,
}

impl Again {
    /// What was read. `None` where it cannot be read again or its names cannot be typed.
    pub fn new(inputs: &[PathBuf], keylogs: &[PathBuf]) -> Option<Self> {
        let typed = |paths: &[PathBuf]| paths.iter().map(|path| FilePath::new(path)).collect::<Option<Vec<_>>>();
        Some(Self { files: typed(inputs)?, keylogs: typed(keylogs)? }).filter(|again| !again.files.is_empty())
    }

    /// Shows one handshake in full.
    pub fn show(&self, report: &Handshake<'_>) -> Option<Command> {
        self.of_one("handshark show", report)
    }

    /// Tells what offers the same again; `None` for a handshake without a `ClientHello`.
    pub fn reproduce(&self, report: &Handshake<'_>) -> Option<Command> {
        report.tls.as_ref()?.client.as_ref()?;
        self.of_one("handshark reproduce", report)
    }

    fn of_one(&self, words: &'static str, report: &Handshake<'_>) -> Option<Command> {
        let id = Name::parse(report.handshake.id.as_str())?;
        // Of many files the one that it is in is enough.
        let own = FilePath::new(report.capture.source.as_ref().as_ref()).filter(|_| self.files.len() > NAMED);
        let command = self.with_keys(Command::new(words));
        let command = match own {
            Some(file) => command.operand(file),
            None => self.files.iter().fold(command, |command, file| command.operand(file.clone())),
        };
        Some(command.operand(id))
    }

    /// Lists the handshakes of an incident: those of its causes at its server, where it has one.
    pub fn list(&self, incident: &Incident) -> Option<Command> {
        let causes = std::iter::once(&incident.cause).chain(&incident.joined);
        let command = causes.fold(Command::new("handshark --all"), |command, cause| command.option("--cause", cause.slug()));
        let command = match *incident.servers.as_slice() {
            [server] => command.option("--server", server),
            _ => command,
        };
        let command = self.with_keys(command);
        (self.files.len() <= NAMED).then(|| self.files.iter().fold(command, |command, file| command.operand(file.clone())))
    }

    fn with_keys(&self, command: Command) -> Command {
        self.keylogs.iter().fold(command, |command, keylog| command.option("--keylog", keylog.clone()))
    }
}

/// Files named one by one.
const NAMED: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Cause, samples};

    fn again(inputs: &[&str], keylogs: &[&str]) -> Option<Again> {
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        Again::new(&paths(inputs), &paths(keylogs))
    }

    #[test]
    fn the_command_names_what_was_read() {
        let shown = |again: Option<Again>| again.unwrap().show(&samples::expired(0)).unwrap().to_string();
        let id = samples::expired(0).handshake.id;
        assert_eq!(shown(again(&["night.pcapng"], &[])), format!("handshark show night.pcapng {id}"));
        assert_eq!(shown(again(&["a b.pcap", "-x.pcap"], &["k.log"])), format!("handshark show --keylog k.log 'a b.pcap' ./-x.pcap {id}"));
        assert_eq!(shown(again(&["a", "b", "c", "d"], &[])), format!("handshark show night.pcapng {id}"), "the one that it is in");
        let list = |incident: &Incident| again(&["night.pcapng"], &["k.log"]).unwrap().list(incident).unwrap().to_string();
        let mut incident = samples::incident();
        incident.cause = Cause::CertificateExpired;
        incident.joined = vec![Cause::ServerCertificateRejected];
        incident.servers = vec![samples::endpoint("[2001:db8::1]:443")];
        assert_eq!(
            list(&incident),
            "handshark --all --cause certificate-expired --cause server-certificate-rejected --server '[2001:db8::1]:443' --keylog k.log night.pcapng"
        );
        incident.servers.clear();
        incident.joined.clear();
        assert_eq!(list(&incident), "handshark --all --cause certificate-expired --keylog k.log night.pcapng");
    }

    #[test]
    fn what_cannot_be_typed_or_read_again_gives_no_command() {
        for names in [&["-"] as &[&str], &["a\x1b[2J.pcap"], &["a\u{202e}.pcap"], &[], &["a.pcap", "-"]] {
            assert_eq!(again(names, &[]), None, "{names:?}");
        }
    }
}
