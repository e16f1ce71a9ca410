//! How clients take a server's certificate, and what their ways can mean.

use std::time::Duration;

use crate::anomaly::{Anomaly, AnomalyKind};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::checkers;
use crate::diagnosis::clock;
use crate::diagnosis::knowledge::{Related, hello_shape};
use crate::diagnosis::manners::{self, Checks};
use crate::diagnosis::view::View;
use crate::flow::Side;
use crate::handshake::Handshake;
use crate::handshake::facts::{AlertSeen, Outcome, StoppedBy};
use crate::handshake::stack::{self, Program, Stack};
use crate::preamble::services::{Service, Use};
use crate::preamble::{Dialect, Upgrade};
use crate::time::Mark;
use crate::tls::client_hello::ClientHello;
use crate::tls::message::Alert;
use crate::tls::registry::{AlertDescription, ExtensionType};

/// How the client took the server's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reaction {
    /// It sent a fatal alert that can be read.
    Alert { alert: AlertDescription, mark: Mark },
    /// It sent an alert that cannot be read.
    HiddenAlert { mark: Mark },
    /// It closed or reset in the middle of the handshake, right after the server's flight; `prompt`: with its own RST, as soon as it had read
    /// the whole of it; `late`: after a moment that may have another reason.
    Left { mark: Mark, reset: bool, prompt: bool, late: bool },
    /// It completed the handshake and closed at once without a byte of application data; `orderly`: with an alert; `meant`: it had come for
    /// something; `quit`: with a QUIT inside TLS.
    LeftAfter { mark: Mark, orderly: bool, meant: bool, quit: bool },
    /// It kept silent for a while and closed TLS in order, as a library does that hides when it found an error.
    Waited { mark: Mark, pause: Duration },
    /// It went on, or the capture does not show how it took it.
    WentOn,
}

/// How the client of this handshake took the certificate.
pub(super) fn reaction(case: &Case<'_>) -> Reaction {
    let handshake = case.handshake;
    let answered = handshake.server_hello.is_some() || handshake.server_chain.is_some();
    let warned = handshake.alerts.iter().any(|seen| seen.from == Side::Server && !seen.consequence);
    if let Some(seen) = handshake.deciding_alert() {
        if seen.from != Side::Client {
            return Reaction::WentOn;
        }
        return match seen.alert {
            // Nor does its place say what it answers, where the clocks of the two directions differ.
            None if handshake.flow.out_of_step > 0 => Reaction::WentOn,
            // A certificate code speaks for itself even where the capture lacks the server's answer.
            Some(alert) if speaks_of_certificates(alert.description) || answered => match alert.description {
                // An answer to the server's own warning is not about the certificate.
                AlertDescription::HANDSHAKE_FAILURE if warned => Reaction::WentOn,
                AlertDescription::CLOSE_NOTIFY | AlertDescription::USER_CANCELED => {
                    Reaction::Left { mark: seen.mark, reset: false, prompt: false, late: false }
                }
                alert => Reaction::Alert { alert, mark: seen.mark },
            },
            None if answered && handshake.hidden.client_alert_instead_of_finished => Reaction::HiddenAlert { mark: seen.mark },
            // TLS 1.2: the type of the record says that it is one.
            None if handshake.server_chain.is_some() && !handshake.is_tls13() => Reaction::HiddenAlert { mark: seen.mark },
            _ => Reaction::WentOn,
        };
    }
    // Whatever its level, it closes TLS.
    let says_goodbye = |alert: Alert| alert.description == AlertDescription::CLOSE_NOTIFY;
    let closed = |seen: &&AlertSeen| seen.from == Side::Client && !seen.consequence && seen.alert.is_some_and(says_goodbye);
    if let Some(seen) = handshake.alerts.iter().find(closed).filter(|_| answered && handshake.outcome.failed())
        && let Some(pause) = blinded(case, seen.mark)
    {
        return Reaction::Waited { mark: seen.mark, pause };
    }
    if let Some(mark) = case.left_over_quic() {
        return Reaction::HiddenAlert { mark };
    }
    // Who says that it only looks refuses nothing.
    if checkers::named(handshake).is_some() {
        return Reaction::WentOn;
    }
    match handshake.outcome {
        Outcome::Closed | Outcome::Reset
            if handshake.stopped_by == StoppedBy::Client
                && answered
                && !View::new(handshake).ended_by_icmp()
                && !said_more(handshake)
                && !left_unknowing(handshake)
                && had_certificate(handshake) =>
        {
            let took = |flight: Mark, end: Mark| handshake.flow.reaction_time(Side::Client, flight, end);
            match (handshake.end, flight_end(case)) {
                // A client that waits is not one that refuses, and one that left before the certificate came has not seen it.
                (Some(end), Some(flight)) if !took_it_often(case) && end.frame > flight.frame && is_soon(handshake, took(flight, end)) => {
                    let after = took(flight, end);
                    let late = after > AT_ONCE || !clock::runs(handshake);
                    let prompt = after <= READ && !late && took_flight(handshake) && reset_itself(handshake);
                    Reaction::Left { mark: end, reset: handshake.outcome == Outcome::Reset, prompt, late }
                }
                _ => Reaction::WentOn,
            }
        }
        Outcome::Completed => left_after(case).unwrap_or(Reaction::WentOn),
        _ => Reaction::WentOn,
    }
}

/// curl compares names itself when the handshake is done, and insists on a staple only when told to.
pub(super) fn is_curl(case: &Case<'_>) -> bool {
    stack::of_client(case.handshake).is_some_and(|speaker| speaker.program == Some(Program::Curl))
}

/// The same client completed handshakes with a like hello several times within seconds: the end of a program interrupts the last of many.
fn took_it_often(case: &Case<'_>) -> bool {
    like_it(case) >= BURST
}

/// When the server's flight was complete; `None` when it was not, or the client answered it.
fn flight_end(case: &Case<'_>) -> Option<Mark> {
    let handshake = case.handshake;
    if handshake.client_key_exchange.is_some() || handshake.finished.client.is_some() {
        return None;
    }
    let chain = || handshake.server_chain.as_ref().map(|seen| seen.mark);
    if handshake.is_tls13() {
        if let Some(finished) = handshake.finished.server {
            return Some(finished);
        }
        if !handshake.server_flight_is_over() && handshake.server_chain.is_none() {
            return None;
        }
        return handshake.encrypted.server.last().map(|record| record.mark).or_else(chain);
    }
    handshake.server_hello_done.or_else(chain)
}

/// Whether a client that left so long after the server's flight may have left because of it. One that has all of it waits for nothing, but may be
/// slow to judge it where it is no library in machine code that asks nobody; who leaves after a whole second has a time limit.
fn is_soon(handshake: &Handshake, after: Duration) -> bool {
    let fraction = Duration::from_nanos(u64::from(after.subsec_nanos()));
    let by_timer = fraction <= TIMER_SLACK || fraction >= Duration::from_secs(1).saturating_sub(TIMER_SLACK);
    let slow = stack::of_client(handshake)
        .is_none_or(|speaker| matches!(speaker.stack, Stack::Jsse | Stack::Schannel | Stack::Apple | Stack::Erlang | Stack::TlsLite));
    after <= AT_ONCE || after <= PROMPT && slow && !by_timer && took_flight(handshake)
}

/// The client acknowledged all that the server sent.
fn took_flight(handshake: &Handshake) -> bool {
    let server = handshake.flow.side(Side::Server);
    server.highest > 0 && server.acked >= server.highest
}

/// The RST has the hop counter of the client's packets.
fn reset_itself(handshake: &Handshake) -> bool {
    let view = View::new(handshake);
    let reset = handshake.flow.side(Side::Client).resets.first();
    reset.is_some_and(|reset| view.ttl(Side::Client) == Some(reset.ttl))
}

/// The end is the RST of a system that does not know the connection, and no program's decision.
fn left_unknowing(handshake: &Handshake) -> bool {
    let view = View::new(handshake);
    view.first_end().is_some_and(|ending| ending.side == Side::Client && view.disowns(&ending))
}

/// What the client acknowledged by the time it left reaches to the end of the certificate, or into the records that hide it: nobody refuses what he has not
/// received.
fn had_certificate(handshake: &Handshake) -> bool {
    let view = View::new(handshake);
    let seen = handshake.server_chain.as_ref().map(|chain| chain.span.1);
    let hidden = || handshake.server_hello.as_ref().map(|hello| hello.span.1.saturating_add(1));
    let least = seen.or_else(hidden).filter(|_| view.is_tcp());
    let heard = view.first_end().filter(|ending| ending.side == Side::Client).and_then(|ending| view.heard_by(&ending));
    least.zip(heard).is_none_or(|(least, heard)| heard >= least)
}

/// After its hello the client sent more than a change of cipher and an alert: it did not leave over what it had read.
fn said_more(handshake: &Handshake) -> bool {
    let end = handshake.last_hello().map(|hello| hello.span.1);
    end.is_some_and(|end| handshake.flow.side(Side::Client).highest.saturating_sub(end) > LAST_WORDS)
}

/// How long the client kept silent behind the server's flight, when that is as long as a library does that hides its errors.
fn blinded(case: &Case<'_>, mark: Mark) -> Option<Duration> {
    let speaker = stack::of_client(case.handshake);
    let (shortest, longest) = manners::blinding(speaker).or_else(|| speaker.is_none().then_some(manners::BLINDING))?;
    let flight = flight_end(case).filter(|flight| flight.frame < mark.frame)?;
    let pause = mark.time.since(flight.time);
    (shortest..=longest).contains(&pause).then_some(pause)
}

/// The client completed the handshake and left at once, without having used it.
///
/// Many programs verify only then. But a monitor that looks at a server and leaves does the same, and a browser's spare connection: with
/// a hidden certificate it takes more than leaving to tell a refusal.
fn left_after(case: &Case<'_>) -> Option<Reaction> {
    let handshake = case.handshake;
    if let Some(mark) = handshake.quits_at_once().filter(|_| !greets_as_s_client(handshake)) {
        return Some(Reaction::LeftAfter { mark, orderly: false, meant: true, quit: true });
    }
    let unused = handshake.application_data.client.is_none() && handshake.application_records.client == 0;
    // Its request came before TLS, so that it has nothing to say inside.
    let requested = handshake.preamble.as_ref().is_some_and(|facts| facts.dialect == Dialect::HttpUpgrade);
    // Nor is it known how soon it left where the capture has no times.
    if !unused || requested || handshake.resumption.is_some() || handshake.flow.is_udp() || !clock::runs(handshake) {
        return None;
    }
    let finished = handshake.finished.client?.max(handshake.finished.server?);
    let (client, server) = (handshake.flow.side(Side::Client), handshake.flow.side(Side::Server));
    let fin = client.fin.map(|(mark, _)| mark);
    let reset = client.resets.first().map(|reset| reset.mark);
    let said = handshake.alerts.iter().find(|seen| seen.from == Side::Client && !seen.consequence);
    let alert = said.map(|seen| seen.mark);
    let mark = [fin, reset, alert].into_iter().flatten().min()?;
    // Who stays to read them has taken the certificate.
    let soon = View::new(handshake).rtt().saturating_add(FORTHWITH);
    let unasked = |data: Mark| sends_settings(handshake) && mark.time.since(data.time) <= soon;
    let spoke = handshake.application_data.server.is_some_and(|data| data < mark && !unasked(data));
    // A goodbye in a record of TLS goes before the FIN behind it, which may come last of all.
    let goodbye = handshake.alerts.iter().any(|seen| seen.from == Side::Server && seen.mark < mark);
    let server_first = server.fin.is_some_and(|(end, _)| end < mark) || goodbye || spoke;
    if server_first || mark.frame < finished.frame && alert.is_none() || mark.time.since(finished.time) > PROMPT {
        return None;
    }
    // What it said can be read with keys.
    if let Some((said, alert)) = said.and_then(|seen| Some((seen, seen.alert?.description)))
        && (speaks_of_certificates(alert) || may_mean_one(alert))
    {
        return Some(Reaction::Alert { alert, mark: said.mark });
    }
    let speaker = stack::of_client(handshake);
    let checks = manners::checks(speaker, handshake.is_tls13());
    let browser = speaker.and_then(|speaker| speaker.program).is_some_and(Program::is_browser);
    // The names in it some compare only then (NSS, hostname verifiers on top of JSSE).
    let other_name = case.chain.is_some_and(|chain| chain.covers_name == Some(false));
    if checks == Checks::Within && !browser && !other_name {
        return None;
    }
    // More used this server under this name than refused it: then it is sound, and this client only looked.
    let refusals = case.knowledge.causes.iter().filter(|(cause, _)| *cause == Cause::ServerCertificateRejected);
    let sound = case.knowledge.used_same_name > refusals.fold(0, |sum: u32, (_, count)| sum.saturating_add(*count));
    // Who opened a database's connection came for something, and so did a mail server that asked for TLS. Others leave like this when they do not
    // take the certificate, and where nothing is known of their ways it is the usual way to look at a server, `openssl s_client` and nothing to
    // say, with an offer of protocols or without. Who compares names himself does so at once, and says goodbye.
    let spoke_of_protocols = handshake.hello().is_some_and(|hello| hello.alpn().next().is_some());
    let database =
        handshake.preamble.as_ref().is_some_and(|facts| matches!(facts.dialect, Dialect::Mysql | Dialect::Postgres | Dialect::Tds));
    let at_once = mark.time.since(finished.time);
    let business = alert.is_none() && (came_to_speak(handshake) || never_asks(case))
        || checks == Checks::Unknown && alert.is_none() && fin == Some(mark) && keeps_leaving(case, at_once)
        || at_once <= COMPARES && shows_itself_in_vain(case);
    let meant = database
        || business
        || drops_tls(handshake).is_some()
        || match checks {
            // Of those that say goodbye, who named the protocols of HTTP and comes again had a request to make.
            Checks::Afterwards => {
                let by_mail = handshake.preamble.as_ref().is_some_and(|facts| facts.dialect == Dialect::Smtp);
                let to_ask = at_once <= COMPARES && handshake.hello().is_some_and(offers_http) && like_it(case) > 0;
                alert.is_none() || by_mail || to_ask
            }
            // Of late curl verifies all of it then, and leaves without a goodbye; it has nothing else to do before its request.
            Checks::NamesAfterwards => {
                let ways = if alert.is_some() { spoke_of_protocols } else { of_late(handshake) };
                ways && mark.time.since(finished.time) <= COMPARES
            }
            Checks::Unknown | Checks::Within => false,
        };
    // Of several servers behind a name one may have another certificate: who is known to refuse in this way is believed all the same.
    let sound = sound && !(checks == Checks::NamesAfterwards && alert.is_none());
    if handshake.server_chain.is_none() && (browser || sound || !meant) {
        return None;
    }
    // Monitors that look when a certificate expires do not verify it, and are the commonest to complete under a bad one. They go to the server itself.
    let direct = handshake.preamble.is_none() && !handshake.flow.path.is_inside_another();
    if checks == Checks::Unknown && !meant && !other_name && direct && manners::verifies_chains_within(speaker) {
        return None;
    }
    Some(Reaction::LeftAfter { mark, orderly: alert.is_some(), meant: meant && !browser, quit: false })
}

/// Where the client went on in clear behind its Finished: it has thrown TLS away, as OpenLDAP's library does before it says goodbye.
pub(super) fn drops_tls(handshake: &Handshake) -> Option<Mark> {
    let client = handshake.flow.side(Side::Client);
    let finished = handshake.finished.client.filter(|_| client.gap_bytes == 0 && client.snaplen_cut == 0)?;
    let in_clear = |anomaly: &&Anomaly| anomaly.side == Side::Client && matches!(anomaly.kind, AnomalyKind::NotARecord { .. });
    handshake.anomalies.iter().filter(in_clear).map(|anomaly| anomaly.mark).find(|mark| *mark >= finished)
}

/// A server of HTTP/2 sends its settings unasked, mostly together with its Finished: they answer nothing (RFC 9113 section 3.4).
fn sends_settings(handshake: &Handshake) -> bool {
    handshake.server_hello.as_ref().is_some_and(|hello| hello.what.alpn() == Some(b"h2"))
}

/// It asked for TLS in a dialogue, to go on with that inside, where it is the client's turn.
fn came_to_speak(handshake: &Handshake) -> bool {
    use Dialect as D;
    let first = |dialect| matches!(dialect, D::Smtp | D::Imap | D::Pop3 | D::Ldap | D::Xmpp | D::Ftp | D::Nntp | D::Irc);
    handshake.preamble.as_ref().is_some_and(|facts| facts.upgrade == Upgrade::Granted && first(facts.dialect))
}

/// An OpenSSL of late: it takes compressed certificates. Programs that were built with earlier ones verify within the handshake, and who leaves then (curl's
/// `CONNECT_ONLY`) had what he wanted.
fn of_late(handshake: &Handshake) -> bool {
    handshake.hello().is_some_and(|hello| hello.has(ExtensionType::COMPRESS_CERTIFICATE))
}

/// A client of HTTP closed without a word what nobody here ever used under this name: forthwith, or again and again; or any client did so again and again that
/// has its work under other names here. Who only looks at a certificate mostly says goodbye, names no protocol, and works nowhere.
fn keeps_leaving(case: &Case<'_>, after: Duration) -> bool {
    let handshake = case.handshake;
    if handshake.server_name().is_none() || case.knowledge.used_same_name > 0 {
        return false;
    }
    let again = like_it(case) > 0;
    let works = || alike(case).any(|other| other.used && !other.same_name);
    handshake.hello().is_some_and(offers_http) && (after <= FORTHWITH || again) || again && works()
}

/// It comes to speak HTTP.
fn offers_http(hello: &ClientHello) -> bool {
    hello.alpn().any(|protocol| matches!(protocol, b"h2" | b"http/1.1"))
}

/// A client that shows a certificate of its own comes to work, and this one never does, however often it comes.
fn shows_itself_in_vain(case: &Case<'_>) -> bool {
    let handshake = case.handshake;
    let shown = handshake.client_chain.as_ref().is_some_and(|seen| !seen.what.certificates.is_empty());
    let hidden = handshake.hidden.client_certificate_sent && !handshake.hidden.client_certificate_empty;
    (shown || hidden) && case.knowledge.used_same_name == 0 && like_it(case) > 0
}

/// Other handshakes of this client with a like hello that completed, within seconds.
fn like_it(case: &Case<'_>) -> usize {
    alike(case).filter(|other| other.same_endpoint && other.same_name && other.outcome == Outcome::Completed).count()
}

/// Other handshakes that were begun by a like hello.
fn alike<'a>(case: &Case<'a>) -> impl Iterator<Item = &'a Related> + use<'a> {
    let shape = case.handshake.last_hello().map(|hello| hello_shape(&hello.what));
    case.knowledge.related.iter().filter(move |other| Some(other.hello_shape) == shape)
}

/// A server of the DNS whose clients come again and again and never ask it anything: a look would be one, and who comes to ask does so at once.
fn never_asks(case: &Case<'_>) -> bool {
    let dns = matches!(Service::at(case.handshake.server.port), Some((service, Use::Tls)) if service.name == "DNS");
    dns && case.knowledge.completed_same_name >= OFTEN && case.knowledge.used_same_name == 0
}

/// OpenSSL's s_client names itself so to mail servers, and says nothing of its own inside TLS.
fn greets_as_s_client(handshake: &Handshake) -> bool {
    let lines = handshake.preamble.iter().flat_map(|facts| &facts.lines);
    lines.filter(|line| line.side == Side::Client).any(|line| line.text.ends_with(" mail.example.com"))
}

/// A code for certificates alone.
const fn speaks_of_certificates(alert: AlertDescription) -> bool {
    use AlertDescription as A;
    matches!(
        alert,
        A::BAD_CERTIFICATE
            | A::UNSUPPORTED_CERTIFICATE
            | A::CERTIFICATE_REVOKED
            | A::CERTIFICATE_EXPIRED
            | A::CERTIFICATE_UNKNOWN
            | A::UNKNOWN_CA
    )
}

/// A code that clients also say of a certificate.
const fn may_mean_one(alert: AlertDescription) -> bool {
    use AlertDescription as A;
    matches!(alert, A::HANDSHAKE_FAILURE | A::NO_CERTIFICATE | A::ACCESS_DENIED | A::INTERNAL_ERROR)
}

/// Bytes that a change of cipher and an encrypted alert take at most.
const LAST_WORDS: u64 = 64;
/// A client that verifies needs no longer than this, revocation look-ups included.
const PROMPT: Duration = Duration::from_secs(2);

/// To compare names takes no time, but tickets may be on their way meanwhile.
const COMPARES: Duration = Duration::from_millis(300);

/// In this time a program compares names, and nobody decides to go.
const FORTHWITH: Duration = Duration::from_millis(5);

/// Handshakes of one program in a burst.
const BURST: usize = 5;

/// Other handshakes that nobody used, from which on a look is unlikely.
const OFTEN: u32 = 2;

/// A client that leaves without an alert because of a certificate does so at once.
const AT_ONCE: Duration = Duration::from_millis(700);
/// How exact a time limit is.
const TIMER_SLACK: Duration = Duration::from_millis(15);
/// In this time a program reads a certificate and compares names.
const READ: Duration = Duration::from_millis(100);
