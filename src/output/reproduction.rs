//! What offers a handshake again: as text with commands to type, as a shell script, as JSON.

use std::io::{self, Write};

use anstyle::Style;
use serde::Serialize;

use super::escape::escape;
use super::json;
use super::layout::Layout;
use super::view;
use crate::report::{Cause, Command, Handshake, Imitation};

/// A handshake, and what offers it again.
#[derive(Debug, Clone)]
pub struct Reproduction {
    /// The handshake.
    pub report: Handshake<'static>,
    /// The commands.
    pub imitation: Imitation,
}

impl Reproduction {
    /// Of a report that still has its facts; `None` for others.
    pub fn of(report: &Handshake<'_>) -> Option<Self> {
        let imitation = Imitation::of(report.facts?, report.diagnosis.cause);
        Some(Self { report: report.to_static(), imitation })
    }

    /// For a person at a terminal. Commands are not wrapped, so that they can be copied.
    pub fn text(&self, out: &mut dyn Write, layout: &Layout) -> io::Result<()> {
        let Self { report, imitation } = self;
        let (plain, palette) = (Style::new(), layout.palette);
        let style = palette.of(report.class());
        let cause = report.diagnosis.cause.map(|cause| format!(": {cause}")).unwrap_or_default();
        let line = [(palette.dim, report.handshake.id.as_str()), (plain, "  "), (style, &view::ending(report)), (style, &cause)];
        layout.flow(out, 0, 2, &line)?;
        layout.row(out, 0, 2, &[(plain, &report.client.to_string()), (plain, " → "), (palette.strong, &view::server(report))])?;
        let mut part = |title: &str, commands: &mut dyn Iterator<Item = &Command>| -> io::Result<()> {
            let mut commands = commands.peekable();
            if commands.peek().is_none() {
                return Ok(());
            }
            writeln!(out)?;
            layout.heading(out, 0, title)?;
            commands.try_for_each(|command| {
                let (dim, style) = (palette.dim, palette.command);
                writeln!(out, "  {dim}${dim:#} {style}{}{style:#}", escape(&command.to_string()))
            })
        };
        part("Offer to the server what the client offered", &mut imitation.client.iter())?;
        part("Ask the server from another host", &mut imitation.curl.iter())?;
        part(
            "A server that answers as this one did, on port 4433: in an empty directory",
            &mut imitation.files.iter().chain(&imitation.server),
        )?;
        part("Offer it the same: in that directory, from another terminal", &mut imitation.against.iter())?;
        writeln!(out)?;
        let differs = match (imitation.differs, &imitation.against) {
            (Some(why), _) => Some(format!("Do not expect the same verdict from a server on this host. {why}")),
            (None, Some(_)) => Some("A capture of these two on the loopback interface should get the same verdict.".to_owned()),
            (None, None) => None,
        };
        if let Some(text) = differs {
            layout.prose(out, 0, &text)?;
        }
        if !imitation.unlike.is_empty() {
            writeln!(out)?;
            layout.heading(out, 0, "What differs from the original")?;
            imitation.unlike.iter().try_for_each(|text| layout.prose(out, 2, text))?;
        }
        Ok(())
    }

    /// A script for a POSIX shell: makes the files in a new directory, runs the server, offers it the same, ends it. `false` where there is no
    /// server to run.
    pub fn script(&self, out: &mut dyn Write) -> io::Result<bool> {
        let Imitation { files, server: Some(server), against: Some(against), differs, .. } = &self.imitation else { return Ok(false) };
        let cause = self.report.diagnosis.cause.map_or("none", Cause::slug);
        writeln!(out, "#!/bin/sh")?;
        writeln!(out, "# Offers handshake {} again on port 4433 of the loopback interface. Its cause: {cause}.", self.report.handshake.id)?;
        if let Some(differs) = differs {
            writeln!(out, "# Do not expect the same verdict. {differs}")?;
        }
        writeln!(out, "set -u")?;
        writeln!(out, "directory=$(mktemp -d) && cd \"$directory\" || exit 2")?;
        writeln!(out, "echo \"The files are in $directory; with TLS 1.3 the keys are in imitation.keys there.\" >&2")?;
        for command in files {
            writeln!(out, "{command} >>files.log 2>&1 || exit 2")?;
        }
        writeln!(out, "{server} >server.log 2>&1 &")?;
        writeln!(out, "server=$!")?;
        writeln!(out, "for second in 1 2 3 4 5 6 7 8 9 10; do grep -q ACCEPT server.log 2>/dev/null && break; sleep 1; done")?;
        writeln!(out, "{against}")?;
        writeln!(out, "status=$?")?;
        writeln!(out, "kill \"$server\"")?;
        writeln!(out, "exit \"$status\"")?;
        Ok(true)
    }

    /// One JSON object on a line.
    pub fn json(&self, out: &mut impl Write) -> io::Result<()> {
        let Self { report, imitation } = self;
        let told = |command: &Command| command.to_string();
        let line = Line {
            schema: "handshark-reproduction/1",
            kind: "reproduction",
            id: report.handshake.id.as_str(),
            cause: report.diagnosis.cause,
            client: imitation.client.as_ref().map(told),
            curl: imitation.curl.as_ref().map(told),
            files: imitation.files.iter().map(told).collect(),
            server: imitation.server.as_ref().map(told),
            against: imitation.against.as_ref().map(told),
            same_verdict: imitation.differs.is_none() && imitation.against.is_some(),
            differs: imitation.differs,
            unlike: &imitation.unlike,
        };
        json::line(out, &line)
    }
}

#[derive(Serialize)]
struct Line<'a> {
    schema: &'static str,
    kind: &'static str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Cause>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    curl: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<String>,
    same_verdict: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    differs: Option<&'static str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    unlike: &'a [std::borrow::Cow<'static, str>],
}
