//! `handshark interfaces`: what can be watched.

use std::io::{self, Write};

use crate::capture::{self, InterfaceInfo};
use crate::output::escape::escape;

/// Lists the interfaces.
pub(super) fn list(out: &mut dyn Write, json: bool) -> anyhow::Result<()> {
    let interfaces = capture::interfaces()?;
    interfaces.iter().try_for_each(|interface| if json { object(out, interface) } else { line(out, interface) })?;
    Ok(())
}

fn line(out: &mut dyn Write, interface: &InterfaceInfo) -> io::Result<()> {
    let addresses: Vec<String> = interface.addresses.iter().map(ToString::to_string).collect();
    let text = format!("{:<16} {:<5} {}", escape(&interface.name), state(interface), addresses.join(", "));
    match interface.description.as_deref().filter(|_| addresses.is_empty()) {
        Some(description) => writeln!(out, "{text}{}", escape(description)),
        None => writeln!(out, "{}", text.trim_end()),
    }
}

fn object(out: &mut dyn Write, interface: &InterfaceInfo) -> io::Result<()> {
    let object = serde_json::json!({
        "name": interface.name,
        "description": interface.description,
        "state": state(interface),
        "loopback": interface.loopback,
        "addresses": interface.addresses,
    });
    writeln!(out, "{object}")
}

const fn state(interface: &InterfaceInfo) -> &'static str {
    match (interface.up, interface.running) {
        (false, _) => "down",
        (true, false) => "idle",
        (true, true) => "up",
    }
}
