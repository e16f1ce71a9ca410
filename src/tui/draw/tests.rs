use std::sync::Arc;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::KeyCode;

use super::*;
use crate::report::{Handshake, Incident, Report, samples};
use crate::time::Timestamp;
use crate::tui::table::Sort;
use crate::tui::{Gauges, keys};

/// Two minutes of a night: an incident, and what else there was.
fn state() -> State {
    let mut state = State::new(Timestamp::from_parts(1_795_251_860, 0), true);
    let mut slow = samples::completed();
    slow.diagnosis.cause = Some(crate::report::Cause::ServerSlow);
    slow.diagnosis.stopped_by = crate::report::StoppedBy::Nobody;
    slow.handshake.id = samples::id(9);
    let mut hostile = samples::named("a\x1b[31m\u{202e}b");
    hostile.handshake.id = samples::id(10);
    let handshakes = [samples::expired(0), samples::expired(1), samples::completed(), samples::refused(), slow, hostile];
    for report in handshakes {
        state.take(&Arc::new(Report::Handshake(Box::new(report))));
    }
    let now = Timestamp::from_parts(1_795_251_865, 0);
    let told = |failed| Arc::new(Report::Incident(Box::new(Incident { failed, ..samples::incident() })));
    state.take(&told(4));
    state.tick(now, Gauges { interfaces: "eth0".into(), frames: 500, bytes: 90_000, ..Gauges::default() });
    state.take(&told(12));
    state
}

fn drawn(state: &mut State, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, state)).unwrap();
    let buffer = terminal.backend().buffer();
    let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..height).map(line).collect()
}

#[test]
fn the_incident_and_its_fix_fit_80_by_24() {
    let expected = "\
handshark eth0  00:00:05  0 dropped  100 pkt/s  18 kB/s
6 handshakes: 4 failed, 1 completed with trouble, 1 completed  p50 31.5 ms
 1 Incidents (1)  2 Problems  3 All  4 Servers  5 Names  6 Clients
cause                           where              failed▼      of share clients
certificate-expired             www.example.test        12      13  92 %       2

────────────────────────────────────────────────────────────────────────────────
certificate-expired (certain)  www.example.test
Since 09:00:12, 12 of 13 handshakes with www.example.test failed: its
certificate expired on 2026-11-20 23:59:59 UTC.
92 %, since 09:00:12 (4 min 12 s ago), last 09:03:41 (44 s ago)
Failures in the last two minutes: [           █]
What changed: the certificate's end of validity passed at 2026-11-20 23:59:59
Fix
  Renew the certificate on 10.0.0.2 and reload the server; check afterwards that
  it serves the new one.
  $ openssl s_client -connect 10.0.0.2:443 -servername www.example.test
</dev/null 2>/dev/null | openssl x509 -noout -subject -dates
  $ certbot renew --cert-name www.example.test

Clients: 10.0.0.1, 10.0.0.7
Servers: 10.0.0.2:443
More about this cause: handshark explain certificate-expired
? keys  q quit  Enter open  / find  e where  s S sort  y copy  w save  p pause";
    assert_eq!(drawn(&mut state(), 80, 24).join("\n"), expected);
}

#[test]
fn what_there_is_of_it_fits_60_by_15() {
    let mut state = state();
    let expected = "\
handshark eth0  00:00:05  0 dropped  100 pkt/s  18 kB/s
6 handshakes: 4 failed, 1 completed with trouble
1 Incidents:1 2 Problems 3 All 4 Servers 5 Names 6 Clients
cause                           where        failed▼      of
certificate-expired             www.example…      12      13

────────────────────────────────────────────────────────────
certificate-expired (certain)  www.example.test
Since 09:00:12, 12 of 13 handshakes with www.example.test
failed: its certificate expired on 2026-11-20 23:59:59 UTC.
92 %, since 09:00:12 (4 min 12 s ago), last 09:03:41 (44 s
  ago)
Failures in the last two minutes: [           █]
What changed: the certificate's end of validity passed at
? keys  q quit  Enter open  / find  e where  s S sort";
    assert_eq!(drawn(&mut state, 60, 15).join("\n"), expected);
    state.tab = Tab::Problems;
    let expected = [
        "1 Incidents 2 Problems:5 3 All 4 Servers 5 Names 6 Clients",
        "ended▼   cause                            server",
        "09:03:01  tcp-refused                     10.0.0.9:636",
        "09:01:03  server-slow                     www.example.test",
        "09:00:13  certificate-expired             www.example.test",
        "09:00:12  certificate-expired             a\\x1b[31m\\u{202e}b",
        "09:00:12  certificate-expired             www.example.test",
        "",
    ];
    assert_eq!(drawn(&mut state, 60, 15)[2..10], expected);
}

#[test]
fn there_is_more_of_it_on_240_by_70() {
    let screen = drawn(&mut state(), 240, 70);
    assert!(screen[1].ends_with("1 completed  p50 31.5 ms  p95 31.5 ms  p99 31.5 ms"));
    let causes: Vec<&str> = screen[3..6].iter().map(|line| line.split('│').nth(1).unwrap().split('▪').next().unwrap().trim_end()).collect();
    assert_eq!(causes, ["certificate-expired      3", "tcp-refused              1", "server-slow              1"]);
    for part in [
        "since    last     2 min        what changed",
        "09:00:12 09:03:41            █ the certificate's end of validity passed at 2026-11-20 23:59:5",
    ] {
        assert!(screen[17..20].iter().any(|line| line.contains(part)), "{part}\n{}", screen.join("\n"));
    }
    assert!(
        screen.iter().any(
            |line| line.contains("</dev/null 2>/dev/null | openssl x509 -noout -subject -dates") && line.contains("$ openssl s_client")
        )
    );
}

#[test]
fn what_is_opened_begins_with_the_verdict_and_scrolls() {
    let mut state = state();
    state.open();
    let screen = drawn(&mut state, 80, 24).join("\n");
    for part in
        ["Incidents › certificate-expired at www.example.test", "What changed:", "$ openssl s_client", "Clients: 10.0.0.1, 10.0.0.7"]
    {
        assert!(screen.contains(part), "{part}\n{screen}");
    }
    state.open();
    assert!(drawn(&mut state, 80, 24)[2].ends_with("› handshakes (2)"));
    state.open();
    let screen = drawn(&mut state, 80, 60);
    let line = |part: &str| screen.iter().position(|line| line.contains(part)).unwrap_or_else(|| panic!("{part}\n{}", screen.join("\n")));
    assert!(line("Diagnosis") < line("Fix") && line("Fix") < line("Offered and chosen"));
    let Some(Opened::Handshake { scroll, .. }) = state.opened.last_mut() else { panic!("{:?}", state.opened) };
    *scroll = u16::MAX;
    drawn(&mut state, 80, 24);
    assert!(matches!(state.opened.last(), Some(Opened::Handshake { scroll: 1..100, .. })), "no further than its end");
}

#[test]
fn only_the_cause_has_a_colour_and_names_do_nothing() {
    let mut state = state();
    state.tab = Tab::All;
    state.go(5);
    let mut terminal = Terminal::new(TestBackend::new(120, 20)).unwrap();
    terminal.draw(|frame| draw(frame, &mut state)).unwrap();
    let buffer = terminal.backend().buffer();
    let mut colours = std::collections::BTreeSet::new();
    for y in 4..10 {
        for x in 0..120 {
            let cell = &buffer[(x, y)];
            if cell.fg != ratatui::style::Color::Reset {
                colours.insert((cell.fg.to_string(), x / 41));
            }
        }
    }
    let expected = ["Green", "LightRed", "Yellow"].map(|colour| (colour.to_owned(), 0));
    assert_eq!(colours.into_iter().collect::<Vec<_>>(), expected);
    let screen = terminal.backend().to_string();
    assert!(!screen.contains('\x1b') && !screen.contains('\u{202e}'), "{screen}");
}

#[test]
fn every_size_can_be_drawn() {
    let mut state = state();
    let open = |handshake: Handshake<'static>| Opened::Handshake { report: Arc::new(Report::Handshake(Box::new(handshake))), scroll: 3 };
    for (width, height) in [(1, 1), (5, 3), (20, 8), (60, 15), (79, 19), (200, 60), (240, 70)] {
        for tab in Tab::ALL {
            state.tab = tab;
            for column in 0..10 {
                state.place_mut().sort = Sort { column, down: column % 2 == 0 };
                drawn(&mut state, width, height);
            }
        }
        for asking in
            [Asking::Help(0), Asking::Help(9), Asking::Form, Asking::Words, Asking::Condition { text: "x".into(), wrong: "no".into() }]
        {
            state.asking = asking;
            drawn(&mut state, width, height);
        }
        state.asking = Asking::Nothing;
        state.tab = Tab::Incidents;
        state.open();
        drawn(&mut state, width, height);
        state.opened.push(open(samples::expired(0)));
        drawn(&mut state, width, height);
        state.opened.clear();
    }
}

#[test]
fn an_empty_list_says_why() {
    let mut state = State::new(Timestamp::from_parts(1, 0), false);
    let said = |state: &mut State| drawn(state, 80, 20)[4].clone();
    assert_eq!(said(&mut state), "No packets yet. Is it the right interface? (handshark interfaces)");
    state.tick(Timestamp::from_parts(2, 0), Gauges { frames: 1, ..Gauges::default() });
    assert_eq!(said(&mut state), "No handshake yet.");
    state.take(&Arc::new(Report::Handshake(Box::new(samples::completed()))));
    assert_eq!(said(&mut state), "Nothing failed.");
    state.take(&Arc::new(Report::Handshake(Box::new(samples::expired(0)))));
    assert!(said(&mut state).starts_with("No incident: 1 failure stands alone"), "{}", said(&mut state));
    "nowhere".clone_into(&mut state.filter.words);
    state.refilter();
    assert_eq!(said(&mut state), "Nothing matches the filter. Esc drops it.");
}

#[test]
fn processes_have_a_list_where_they_are_looked_up() {
    let mut state = state();
    keys::press(&mut state, KeyCode::Char('7').into());
    assert_eq!(state.tab, Tab::Incidents);
    assert!(!drawn(&mut state, 80, 24).iter().any(|line| line.contains("Processes")));
    state.tabs = Tab::WITH_PROCESSES;
    let mut owned = samples::expired(2);
    owned.handshake.id = samples::id(11);
    owned.owners.client = Some(Arc::new(samples::owner()));
    state.take(&Arc::new(Report::Handshake(Box::new(owned))));
    keys::press(&mut state, KeyCode::Char('7').into());
    let lines = drawn(&mut state, 80, 24);
    assert!(lines.iter().any(|line| line.contains("6 Clients  7 Processes (1)")), "{lines:#?}");
    assert!(lines.iter().any(|line| line.starts_with("process")), "{lines:#?}");
    assert!(lines.iter().any(|line| line.starts_with("curl (pod shop/web-0)")), "{lines:#?}");
}
