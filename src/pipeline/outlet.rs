//! Where what was concluded goes.

use std::io;

use crate::diagnosis::judge::Verdict;
use crate::handshake::Handshake;
use crate::report::{HandshakeReport, Outline, Report};

/// Takes the reports of a run in order: handshakes, then incidents, then the summary. Any closure over reports is one.
pub trait Outlet {
    /// Takes a report. An error ends the run.
    fn report(&mut self, report: Report) -> io::Result<()>;

    /// Takes the report of a handshake together with what it was made from, for outputs that show what a report leaves out: packets,
    /// certificates as served.
    fn handshake(&mut self, facts: &Handshake, verdict: &Verdict, report: HandshakeReport) -> io::Result<()> {
        let _ = (facts, verdict);
        self.report(Report::Handshake(Box::new(report)))
    }

    /// It wants neither facts nor report of a handshake, only what the report would be made of: [`Outlet::outline`].
    fn takes_outlines(&self) -> bool {
        false
    }

    /// Takes a handshake as an outline; only where [`Outlet::takes_outlines`] says so.
    fn outline(&mut self, outline: &Outline<'_>) -> io::Result<()> {
        let _ = outline;
        Ok(())
    }

    /// A handshake that was not asked for, for outputs that need to know what there is besides.
    fn left_out(&mut self, facts: &Handshake, report: &HandshakeReport) {
        let _ = (facts, report);
    }
}

impl<F: FnMut(Report) -> io::Result<()>> Outlet for F {
    fn report(&mut self, report: Report) -> io::Result<()> {
        self(report)
    }
}
