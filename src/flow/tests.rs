//! Addresses as they print, keys and tunnels.

use super::*;

#[test]
fn a_station_is_shown_and_read_by_its_mac_address() {
    let mac = [0x02, 0, 0x5e, 0, 0x53, 0xff];
    let station = Endpoint::station(mac);
    assert_eq!((station.to_string().as_str(), station.text().address()), ("02:00:5e:00:53:ff", &b"02:00:5e:00:53:ff"[..]));
    assert_eq!(Shown(station.address).to_string(), "02:00:5e:00:53:ff");
    assert_eq!((station_of(station.address), read_address("02:00:5e:00:53:ff")), (Some(mac), Some(station.address)));
    let local = "fe80::5e00:53ff:fe00:1".parse().unwrap();
    assert_eq!((station_of(local), Shown(local).to_string().as_str()), (None, "fe80::5e00:53ff:fe00:1"));
    for none in ["02:00:5e:00:53", "02:00:5e:00:53:ff:01", "2:0:5e:0:53:ff", "+2:00:5e:00:53:ff"] {
        assert_eq!(read_address(none), None, "{none}");
    }
}

#[test]
fn endpoints_print_as_the_standard_library_prints_them() {
    for address in [[0, 0, 0, 0], [10, 9, 99, 100], [255, 255, 255, 255], [1, 20, 200, 101]].map(Ipv4Addr::from) {
        for port in [0, 7, 10, 443, 1000, 9999, 10_000, 65_535] {
            let endpoint = Endpoint::new(IpAddr::V4(address), port);
            assert_eq!(endpoint.to_string(), format!("{address}:{port}"));
            assert_eq!(endpoint.text().address(), address.to_string().as_bytes());
        }
    }
    for address in ["::", "2001:db8::1", "1234:5678:9abc:def0:1234:5678:9abc:def0", "::ffff:255.255.255.255"] {
        for port in [0, 443, 65_535] {
            let wide = Endpoint::new(address.parse().unwrap(), port);
            assert_eq!((wide.to_string(), wide.text().address()), (format!("[{address}]:{port}"), address.as_bytes()));
        }
    }
}

#[test]
fn both_directions_share_a_key() {
    let a = Endpoint::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 40000);
    let b = Endpoint::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), 443);
    let (there, from_low) = FlowKey::new(Transport::Tcp, a, b, 0);
    let (back, back_from_low) = FlowKey::new(Transport::Tcp, b, a, 0);
    assert_eq!(there, back);
    assert!(from_low && !back_from_low);
    assert_eq!(there.partition_hash(), back.partition_hash());
}

#[test]
fn addresses_tell_of_translators() {
    let told = |client: &str, server: &str| {
        let path = Path::NONE.translated(client.parse().unwrap(), server.parse().unwrap());
        path.layers().map(|layer| layer.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(told("2001:db8::1", "64:ff9b::192.0.2.1"), ["nat64"]);
    assert_eq!(told("2001:db8::1", "64:ff9b:1:7::192.0.2.1"), ["nat64"]);
    assert_eq!(told("192.0.0.4", "192.0.2.1"), ["464xlat"]);
    assert!(told("2001:db8::1", "64:ff9b:2::1").is_empty() && told("192.0.0.8", "192.0.2.1").is_empty());
}

#[test]
fn tunnels_keep_equal_flows_apart() {
    let mut one = Path::default();
    let mut two = Path::default();
    one.push(Layer::Vlan(1));
    two.push(Layer::Vlan(2));
    assert_ne!(one.identity(), two.identity());
    assert_eq!(Path::default().identity(), 0);
}
