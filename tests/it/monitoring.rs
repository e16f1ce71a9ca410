//! The alerts and dashboards in deploy/ ask for metrics that there are.

use std::collections::BTreeSet;
use std::process::Command;

use handshark::output::metrics::{InterfaceLoad, Metrics};
use handshark::report::{Incident, Report, State};
use serde_json::Value;

const ALERTS: &str = include_str!("../../deploy/prometheus-alerts.yml");
const DASHBOARD: &str = include_str!("../../deploy/grafana-dashboard.json");
const FLEET_ALERTS: &str = include_str!("../../deploy/prometheus-fleet.yml");
const FLEET: &str = include_str!("../../deploy/grafana-fleet.json");

fn known() -> BTreeSet<String> {
    let metrics = Metrics::new(1);
    // Families without a member are not shown: a handshake that failed and one that completed bring the others.
    let said = crate::support::analyse(&[crate::support::incident()], 1);
    said.typed_handshakes().for_each(|handshake| metrics.handshake(handshake));
    metrics.interface(&InterfaceLoad { name: "eth0", frames: 1, bytes: 1, dropped: 0, up: true });
    metrics.identify(Some("berlin"), "edge-17");
    for report in &said.typed {
        if let Report::Incident(incident) = report {
            metrics.incident(&Incident { state: Some(State::Begun), ..(**incident).clone() });
        }
    }
    metrics.lost("the view", 1);
    let text = metrics.text();
    text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// The metrics named in a text, without the endings that counters and histograms add.
fn named(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with("handshark_"))
        .map(|word| ["_total", "_bucket", "_info"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word).to_owned())
        .collect()
}

#[test]
fn alerts_and_dashboard_name_metrics_that_exist() {
    let known = known();
    for text in [ALERTS, DASHBOARD, FLEET_ALERTS, FLEET] {
        let named = named(text);
        assert!(named.len() >= 6, "{named:?}");
        assert!(named.is_subset(&known), "{:?}\n{known:?}", named.difference(&known));
    }
}

#[test]
fn the_dashboard_is_one() {
    for text in [DASHBOARD, FLEET] {
        is_dashboard(&serde_json::from_str(text).unwrap());
    }
}

fn is_dashboard(dashboard: &Value) {
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() > 8);
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
    for panel in panels {
        assert!(!panel["title"].as_str().unwrap().is_empty());
        assert!(panel["targets"].as_array().is_some_and(|targets| targets.iter().all(|target| target["expr"].is_string())));
    }
}

#[test]
fn promtool_takes_the_alerts() {
    let paths =
        ["/deploy/prometheus-alerts.yml", "/deploy/prometheus-fleet.yml"].map(|path| format!("{}{path}", env!("CARGO_MANIFEST_DIR")));
    match Command::new("promtool").args(["check", "rules"]).args(paths).output() {
        Ok(out) => assert!(out.status.success(), "{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr)),
        Err(_) => crate::support::skip::skip("promtool is not installed (Debian: prometheus)"),
    }
}
