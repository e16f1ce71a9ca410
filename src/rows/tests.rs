use std::time::Duration;

use super::Fleet;
use crate::output::json::Json;
use crate::report::{Advice, Class, Handshake, Heartbeat, InterfaceCounts, SensorState, Tallies, samples};
use crate::rows::{Row, read};
use crate::site::{Observer, Site};
use crate::time::Timestamp;

const PATIENCE: Duration = Duration::from_secs(180);

fn line(fields: impl FnOnce(&mut Json)) -> Vec<u8> {
    let mut json = Json::default();
    json.whole(fields);
    json.out
}

fn observer(sensor: &str) -> Observer {
    Observer { site: Site::named("berlin").unwrap(), sensor: Some(sensor.into()) }
}

/// Failures and successes, each seen by one of two sensors.
fn handshakes() -> Vec<Handshake<'static>> {
    (0..20)
        .map(|n| {
            let mut handshake = if n % 3 == 0 { samples::completed() } else { samples::expired(n) };
            handshake.observer = observer(if n % 2 == 0 { "a" } else { "b" });
            handshake.handshake.id = samples::id(n.into());
            handshake.handshake.start = Timestamp::from_parts(1_795_251_600 + i64::from(n) * 7, 0);
            handshake.handshake.end = handshake.handshake.start;
            handshake.client.port = 1000 + n;
            handshake
        })
        .collect()
}

fn heartbeat(sensor: &str, second: i64, sequence: u64, last: bool) -> Vec<u8> {
    let beat = Heartbeat {
        observer: observer(sensor),
        time: Timestamp::from_parts(second, 0),
        started: Timestamp::from_parts(59, 0),
        sequence,
        last,
        interfaces: vec![InterfaceCounts { drops: 3, ..InterfaceCounts::default() }],
        ..Heartbeat::default()
    };
    line(|json| beat.write(json))
}

fn give(fleet: &mut Fleet, lines: &[Vec<u8>]) {
    for line in lines {
        fleet.take(read(line).unwrap(), Timestamp::from_parts(0, 0));
    }
}

/// What a fleet makes of lines: incidents, and rows that came twice.
fn made(lines: &[Vec<u8>]) -> (Vec<String>, u64) {
    let mut fleet = Fleet::new(PATIENCE, false);
    give(&mut fleet, lines);
    let incidents = fleet.finish().iter().map(|incident| String::from_utf8(line(|json| incident.write(json))).unwrap()).collect();
    (incidents, fleet.counts().1)
}

#[test]
fn rows_make_the_same_incidents_in_any_order_and_however_often_they_come() {
    let lines: Vec<Vec<u8>> = handshakes().iter().map(|handshake| line(|json| handshake.write(json))).collect();
    let (incidents, repeated) = made(&lines);
    assert_eq!((incidents.len(), repeated), (1, 0));
    let value: serde_json::Value = serde_json::from_str(&incidents[0]).unwrap();
    // Of 20 every third completed, the first of all before any failure.
    assert_eq!((value["failed"].as_u64(), value["attempts"].as_u64()), (Some(13), Some(19)));
    assert_eq!((&value["sensors"], &value["observer"]["site"]), (&serde_json::json!(["a", "b"]), &serde_json::json!("berlin")));
    let commands = value["remedies"].as_array().unwrap().iter().filter(|step| step["command"].is_string()).count();
    let given = samples::expired(0).diagnosis.remedy.iter().filter(|advice| matches!(advice, Advice::Command(_))).count();
    assert_eq!(commands, given);
    let mut turned: Vec<Vec<u8>> = lines.iter().rev().cloned().collect();
    turned.extend(lines);
    assert_eq!(made(&turned), (incidents, 20));
}

#[test]
fn tallies_stand_for_what_completed() {
    let all = handshakes();
    let lines: Vec<Vec<u8>> = all.iter().map(|handshake| line(|json| handshake.write(json))).collect();
    let mut tallies = Tallies::default();
    let mut short = Vec::new();
    for handshake in &all {
        let told = handshake.class() != Class::Completed;
        tallies.add(handshake, told);
        if told {
            short.push(line(|json| handshake.write(json)));
        }
    }
    short.extend(tallies.finish().iter().map(|tally| line(|json| tally.write(json))));
    assert!(short.iter().any(|row| matches!(read(row), Ok(Row::Tally(_)))));
    assert_eq!(made(&short), made(&lines));
}

#[test]
fn a_sensor_that_is_not_heard_of_is_told_and_holds_nobody_up() {
    let mut fleet = Fleet::new(PATIENCE, true);
    let second = |at| Timestamp::from_parts(at, 0);
    for (sensor, at) in [("a", 60), ("b", 60), ("a", 120), ("a", 180), ("a", 240), ("a", 300)] {
        fleet.take(read(&heartbeat(sensor, at, u64::try_from(at).unwrap(), false)).unwrap(), second(at));
    }
    assert_eq!(fleet.watermark(), second(60));
    assert!(fleet.silent(second(240)).is_empty());
    let fallen = fleet.silent(second(301));
    assert_eq!((fallen.len(), fallen[0].state, fallen[0].heard), (1, SensorState::Silent, second(60)));
    assert_eq!(fleet.watermark(), second(300));
    let back = fleet.take(read(&heartbeat("b", 310, 9, false)).unwrap(), second(310)).unwrap();
    assert_eq!(back.state, SensorState::Heard);
    let ended = fleet.take(read(&heartbeat("b", 320, 10, true)).unwrap(), second(320)).unwrap();
    assert_eq!((ended.state, ended.drops), (SensorState::Ended, 3));
    fleet.finish();
    let sensors = fleet.sensors();
    assert_eq!(sensors.iter().map(|sensor| sensor.state).collect::<Vec<_>>(), [SensorState::Heard, SensorState::Ended]);
    assert_eq!(sensors[1].gaps, [(second(60), second(310))]);
}

#[test]
fn what_is_no_row_is_refused_with_its_reason() {
    let mut example = line(|json| handshakes()[1].write(json));
    assert!(matches!(read(&example), Ok(Row::Handshake(_))));
    assert!(matches!(read(br#"{"schema":"handshark/2","kind":"news"}"#), Ok(Row::Other)), "later versions may say more");
    for (wrong, why) in [
        (&b"{"[..], "no row"),
        (br#"{"schema":"handshark/1","kind":"handshake"}"#, "handshark/1"),
        (br#"{"schema":"handshark/2","kind":"handshake"}"#, "no handshake"),
    ] {
        assert!(read(wrong).unwrap_err().contains(why));
    }
    let at = example.windows(4).position(|four| four == b"2026").unwrap();
    example[at..at + 4].copy_from_slice(b"zwei");
    assert!(matches!(read(&example), Ok(Row::Handshake(_))), "what is not needed is not looked at");
}
