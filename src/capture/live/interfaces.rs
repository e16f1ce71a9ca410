//! The interfaces of this machine.

use std::net::IpAddr;

use pcap::Device;

use crate::error::{Error, Result};

/// An interface of this machine.
#[allow(clippy::struct_excessive_bools, reason = "independent flags of the system")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceInfo {
    /// Its name: `eth0`, `any`.
    pub name: String,
    /// What the system calls it, where it has a description.
    pub description: Option<String>,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// It is up.
    pub up: bool,
    /// It has a carrier.
    pub running: bool,
    /// It is the loopback.
    pub loopback: bool,
    /// It is a radio.
    pub wireless: bool,
}

/// Lists the interfaces that a capture can be taken on, network interfaces first as libpcap orders them.
pub fn interfaces() -> Result<Vec<InterfaceInfo>> {
    let devices = Device::list().map_err(|error| Error::Interface { name: "any interface".to_owned(), why: super::reason(error) })?;
    Ok(devices.into_iter().filter(|device| !is_other_bus(&device.name)).map(info).collect())
}

fn info(device: Device) -> InterfaceInfo {
    InterfaceInfo {
        addresses: device.addresses.iter().map(|address| address.addr).collect(),
        up: device.flags.is_up(),
        running: device.flags.is_running(),
        loopback: device.flags.is_loopback(),
        wireless: device.flags.is_wireless(),
        name: device.name,
        description: device.desc,
    }
}

/// Whether an interface is up (`IFF_UP`); `None` when the system does not tell, or when it is gone.
pub(super) fn is_up(name: &str) -> Option<bool> {
    let flags = std::fs::read_to_string(format!("/sys/class/net/{name}/flags")).ok()?;
    let flags = u32::from_str_radix(flags.trim().trim_start_matches("0x"), 16).ok()?;
    Some(flags & 1 != 0)
}

/// libpcap also lists buses that carry no IP.
fn is_other_bus(name: &str) -> bool {
    ["bluetooth", "usbmon", "nflog", "nfqueue", "dbus-"].iter().any(|bus| name.starts_with(bus))
}
