use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::diagnosis::cause::Cause;
use crate::handshake::facts::Outcome;
use crate::output::format::Verbosity;
use crate::output::layout::Layout;
use crate::output::style::{Color, Palette};
use crate::output::{csv, ndjson};
use crate::report::samples;

fn parsed(arguments: &[&str]) -> Result<Command, clap::Error> {
    parse(std::iter::once("handshark").chain(arguments.iter().copied()).map(OsString::from), &[])
}

fn read(arguments: &[&str]) -> ReadOptions {
    match parsed(arguments) {
        Ok(Command::Read(options)) => *options,
        other => panic!("{arguments:?}: {other:?}"),
    }
}

fn error(arguments: &[&str]) -> String {
    let error = parsed(arguments).unwrap_err();
    assert_eq!(error.exit_code(), i32::from(EXIT_FAILED), "{error}");
    error.to_string()
}

#[test]
fn the_definition_is_sound() {
    command().debug_assert();
}

#[test]
fn read_is_the_default() {
    assert_eq!(read(&["a.pcap"]), read(&["read", "a.pcap"]));
    for (arguments, inputs) in [
        (&["a.pcap", "explain"] as &[&str], &["a.pcap", "explain"] as &[&str]),
        (&["--json", "a.pcap"], &["a.pcap"]),
        (&["--filter", "explain", "a.pcap"], &["a.pcap"]),
        (&["-af", "read", "a.pcap"], &["a.pcap"]),
        (&["-fudp", "a.pcap"], &["a.pcap"]),
        (&["--stall-after=3s", "a.pcap"], &["a.pcap"]),
        (&["--", "read"], &["read"]),
        (&["--json", "--", "explain"], &["explain"]),
        (&["./explain"], &["./explain"]),
        (&["-"], &["-"]),
        (&["read", "read"], &["read"]),
        (&["read", "--", "--odd.pcap"], &["--odd.pcap"]),
    ] {
        assert_eq!(read(arguments).inputs, inputs.iter().map(PathBuf::from).collect::<Vec<_>>(), "{arguments:?}");
    }
}

#[test]
fn options_may_stand_before_the_subcommand() {
    for (before, behind) in [
        (&["--paging", "never", "show", "a.pcap"] as &[&str], &["show", "--paging", "never", "a.pcap"] as &[&str]),
        (&["--color=never", "--json", "explain", "certificate-expired"], &["explain", "--color=never", "--json", "certificate-expired"]),
        (&["-i", "lo", "--user", "nobody", "live"], &["live", "-i", "lo", "--user", "nobody"]),
        (&["--json", "read", "a.pcap"], &["read", "--json", "a.pcap"]),
    ] {
        assert_eq!(parsed(before).unwrap(), parsed(behind).unwrap(), "{before:?}");
    }
    // A misspelt one is a file's name there, and so is a second word.
    assert_eq!(read(&["--json", "explan"]).inputs, [PathBuf::from("explan")]);
    assert_eq!(read(&["--json", "a.pcap", "show"]).inputs, ["a.pcap", "show"].map(PathBuf::from));
}

#[test]
fn other_subcommands_need_no_capture() {
    assert_eq!(parsed(&["explain"]).unwrap(), Command::Explain { about: String::new(), json: false, screen: Screen::default() });
    let expected = Command::Explain {
        about: "certificate-expired".to_owned(),
        json: false,
        screen: Screen { color: Color::Never, ..Screen::default() },
    };
    assert_eq!(parsed(&["explain", "certificate-expired", "--color", "never"]).unwrap(), expected);
    assert_eq!(parsed(&["completions", "zsh"]).unwrap(), Command::Completions(Shell::Zsh));
    assert_eq!(parsed(&["man"]).unwrap(), Command::Man);
}

#[test]
fn mistakes_are_answered_with_what_would_be_right() {
    assert!(error(&["explian", "certificate-expired"]).contains("explain"));
    assert!(error(&["--fail-on", "certificate-expird", "a"]).contains("did you mean certificate-expired"));
    assert!(error(&["--fail-on", "cert-expired", "a"]).contains("did you mean certificate-expired"));
    assert!(error(&["--fail-on", "faild", "a"]).contains("did you mean failed"));
    assert!(error(&["--stall-after", "10", "a"]).contains("10s"));
    assert!(error(&["--jsn", "a"]).contains("--json"));
    assert!(error(&["--json"]).contains("FILE"));
    assert!(error(&["--json", "--format", "csv", "a"]).contains("cannot be used with"));
}

#[test]
fn help_and_version_are_not_errors() {
    for arguments in
        [&["--help"] as &[&str], &["-h"], &["--version"], &["-V"], &["help"], &["help", "read"], &["read", "--help"], &["--json", "--help"]]
    {
        assert_eq!(parsed(arguments).unwrap_err().exit_code(), i32::from(EXIT_DONE), "{arguments:?}");
    }
    assert_eq!(parsed(&["--version"]).unwrap_err().to_string().trim(), concat!("handshark ", env!("CARGO_PKG_VERSION")));
    // Nothing asked for is help, but nothing was done either.
    assert!(error(&[]).contains("Examples:"));
}

#[test]
fn help_teaches() {
    let help = parsed(&["--help"]).unwrap_err().to_string();
    for part in ["Examples:", "Exit codes:", "explain", "handshark [read] [OPTIONS] FILE...", "tcpdump"] {
        assert!(help.contains(part), "{part}\n{help}");
    }
    assert!(!help.contains("man "), "{help}");
    let help = parsed(&["read", "--help"]).unwrap_err().to_string();
    for part in ["Analysis:", "Output:", "For scripts:", "pcap-filter", "Exit codes:", "default: 10s"] {
        assert!(help.contains(part), "{part}\n{help}");
    }
}

#[test]
fn tips_tell_what_was_meant() {
    for (arguments, tip) in [
        (&["live", "eth0"][..], "named with -i"),
        (&["live", "Cargo.toml"], "a capture is read by"),
        (&["-i", "eth0"], "handshark live -i"),
        (&["lvie"], "'live'"),
        (&["repotr", "a.pcap"], "'report'"),
        (&["a.pcap", "--no-pager"], "--paging never"),
        (&["a.pcap", "--jsn"], "'--json'"),
    ] {
        let said = error(arguments);
        assert!(said.contains("tip: ") && said.contains(tip), "{arguments:?}: {said}");
    }
    for (arguments, misleading) in
        [(&["lvie"][..], "'slice'"), (&["a.pcap", "--pager"], "--parquet"), (&["a.pcap", "--parade"], "--parquet")]
    {
        let said = error(arguments);
        assert!(!said.contains(misleading), "{arguments:?}: {said}");
    }
}

#[test]
fn no_example_is_broken_in_a_terminal_of_80_columns() {
    let mut command = command();
    command.build();
    for sub in std::iter::once(&command).chain(command.get_subcommands()) {
        for text in [sub.get_after_help(), sub.get_after_long_help()].into_iter().flatten() {
            for line in text.to_string().lines().filter(|line| line.starts_with("  ")) {
                assert!(line.chars().count() <= 80, "{}: {line}", sub.get_name());
            }
        }
    }
}

#[test]
fn captures_are_named_with_and_without_an_option() {
    assert_eq!(read(&["-r", "a.pcap"]), read(&["a.pcap"]));
    assert_eq!(read(&["-r", "a.pcap", "-r", "b.pcap", "c.pcap"]), read(&["a.pcap", "b.pcap", "c.pcap"]));
    assert_eq!(show(&["-r", "a.pcap", "9557caf6"]).id.as_deref(), Some("9557caf6"));
}

#[test]
fn durations_have_units_and_bounds() {
    for (text, expected) in [("500ms", 500), ("10s", 10_000), ("1m", 60_000), ("24h", 86_400_000)] {
        assert_eq!(values::stall_after(text), Ok(Duration::from_millis(expected)));
    }
    for text in ["", "s", "10", "-1s", "1.5s", "10 parsecs", "0s", "25h", "99999999999999999999s", "18446744073709551615h", "é"] {
        assert!(values::stall_after(text).is_err(), "{text}");
    }
    assert_eq!(read(&["a"]).query.analysis.stall_after, crate::diagnosis::policy::Policy::default().stall_after);
}

#[test]
fn fail_on_matches_what_it_names() {
    let (failed, completed) = (samples::expired(0), samples::completed());
    let mut undecided = samples::expired(0);
    undecided.handshake.outcome = Outcome::Incomplete;
    let mut slow = samples::completed();
    slow.diagnosis.cause = Some(Cause::ServerSlow);

    let none = read(&["a"]).fail_on;
    assert!(none.is_empty() && !none.matches(&failed));
    let any = read(&["--fail-on", "failed", "a"]).fail_on;
    assert_eq!([&failed, &completed, &undecided, &slow].map(|report| any.matches(report)), [true, false, false, false]);
    let classes = read(&["--fail-on", "undecided,completed-with-trouble", "a"]).fail_on;
    assert_eq!([&failed, &completed, &undecided, &slow].map(|report| classes.matches(report)), [false, false, true, true]);
    let causes = read(&["--fail-on", "server-slow,tcp-refused", "--fail-on=capture-ended", "a"]).fail_on;
    assert_eq!([&failed, &completed, &undecided, &slow].map(|report| causes.matches(report)), [false, false, false, true]);
}

#[test]
fn options_are_converted() {
    let options = read(&["--threads", "4", "--no-trust", "--ca-file", "x.pem", "--ca-dir", "d", "-q", "--color=always", "a"]);
    assert_eq!(options.query.analysis.threads.map(std::num::NonZero::get), Some(4));
    assert_eq!(options.query.analysis.trust, Trust { system: false, files: vec!["x.pem".into()], directories: vec!["d".into()] });
    assert_eq!((options.verbosity, options.screen.color, options.progress), (Verbosity::Quiet, Color::Always, false));
    let options = read(&["a", "b", "--json"]);
    assert_eq!((options.query.analysis.threads, options.format, options.query.analysis.trust.system), (None, &ndjson::FORMAT, true));
    assert_eq!(read(&["--format", "csv", "a"]).format, &csv::FORMAT);
    assert_eq!(read(&["-v", "a"]).verbosity, Verbosity::Verbose);
    assert!(error(&["--threads", "5000", "a"]).contains("1024"));
}

#[test]
fn every_format_has_its_sink() {
    for (arguments, begin, streams) in [
        (&["a"] as &[&str], "14 of 18 handshakes failed: 12 of 13 with www.example.test", false),
        (&["a", "--all"], "2026-11-21 UTC\n09:00:12.031", true),
        (&["a", "-q"], "2026-11-21 09:00:12.031  10.0.0.1:40112", true),
        (&["a", "--json"], "{\"schema\":\"handshark/2\"", true),
        (&["a", "--format", "csv"], "start,end,", true),
        (&["a", "--format", "md"], "# 14 of 18 handshakes failed: ", false),
    ] {
        let options = read(arguments);
        let mut out = Vec::new();
        let look = options.look(Layout::new(None, Palette::PLAIN), false);
        let mut sink = (options.format.sink)(Box::new(&mut out), &look);
        for report in samples::run() {
            report.give(sink.as_mut()).unwrap();
        }
        sink.finish().unwrap();
        drop(sink);
        assert!(String::from_utf8(out).unwrap().starts_with(begin), "{arguments:?}");
        assert_eq!((options.format.streams)(&look), streams, "{arguments:?}");
    }
}

#[test]
fn completions_and_manual_know_the_options() {
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell, Shell::Elvish] {
        let mut script = Vec::new();
        completions(shell, &mut script).unwrap();
        let script = String::from_utf8(script).unwrap();
        assert!(["stall-after", "explain"].iter().all(|word| script.contains(word)), "{shell}");
        // The others do not complete values.
        if matches!(shell, Shell::Bash | Shell::Zsh | Shell::Fish) {
            assert!(script.contains("certificate-expired"), "{shell}");
        }
    }
    let mut page = Vec::new();
    man(&mut page).unwrap();
    let page = String::from_utf8(page).unwrap();
    for part in ["handshark\\-read", "stall\\-after", ".SH EXAMPLES", "\n  handshark \\-\\-all \\-v night.pcapng   "] {
        assert!(page.contains(part), "{part}");
    }
}

fn show(arguments: &[&str]) -> ShowOptions {
    let all = ["handshark", "show"].iter().chain(arguments).map(OsString::from);
    match parse(all, &[]).unwrap() {
        Command::Show(options) => *options,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_id_behind_the_files_is_no_file() {
    let options = show(&["a.pcap", "b.pcap", "7d0f9a52c1e4b386"]);
    assert_eq!((options.inputs.len(), options.id.as_deref()), (2, Some("7d0f9a52c1e4b386")));
    let options = show(&["a.pcap", "7d0f9a"]);
    assert_eq!((options.inputs.len(), options.id.as_deref()), (1, Some("7d0f9a")));
    // A file alone is a file, and so is what is no ID.
    assert_eq!(show(&["7d0f9a52c1e4b386"]).id, None);
    assert_eq!(show(&["a.pcap", "cafe.pcap"]).inputs.len(), 2);
    assert_eq!(show(&["a.pcap", "7d0f9a", "--id", "00"]).inputs.len(), 2);
}

#[test]
fn show_and_report_take_what_read_takes() {
    let selection =
        ["--name", "*.test", "--server", "10.0.0.0/8:443", "--client", "10.0.0.1", "--outcome", "failed", "--cause", "server-slow"];
    let more = ["--since", "09:00", "--until", "+10m", "--where", "size(tls.alerts) > 0", "--anonymize", "correct horse battery"];
    let all = |command: &'static str| -> Vec<&str> { [command, "a.pcap"].into_iter().chain(selection).chain(more).collect() };
    let (Ok(Command::Read(read)), Ok(Command::Show(show)), Ok(Command::Report(report))) =
        (parsed(&all("read")), parsed(&all("show")), parsed(&all("report")))
    else {
        panic!("not what was asked for");
    };
    assert!(!read.query.criteria.is_empty() && read.query.anonymize.is_some());
    assert_eq!((&show.query, &report.query), (&read.query, &read.query));
}
