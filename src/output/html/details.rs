//! Every handshake in full, in compressed pieces.
//!
//! A piece holds [`PIECE`] handshakes as JSON, compressed by zlib, in base64. Texts, hellos and certificates that several of them share
//! stand in it once.

use std::io::{self, Write};
use std::sync::Arc;

use data_encoding::BASE64;
use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::rows::Texts;
use crate::flow::Side;
use crate::output::again::Again;
use crate::output::figures::us_between;
use crate::output::json::Json;
use crate::output::view;
use crate::report::{Advice, Certificate, Handshake, OcspStatus, Writer, key, word};

/// All pieces.
#[derive(Debug, Default)]
pub(super) struct Details {
    /// Base64, a piece a line.
    pub(super) pieces: String,
    /// Its memory serves one piece after the other.
    encoder: Option<ZlibEncoder<Vec<u8>>>,
    open: Piece,
}

#[derive(Debug, Default)]
struct Piece {
    texts: Texts,
    /// What clients offered, as JSON.
    hellos: Texts,
    /// As JSON.
    certificates: Texts,
    /// Certificates that were met, and their numbers: handshakes share them, and to write one only to see that it is known takes long.
    met: Vec<(Arc<Certificate>, u64)>,
    /// Objects with a comma between them.
    handshakes: Json,
    count: usize,
}

impl Details {
    pub(super) fn add(&mut self, report: &Handshake<'_>, again: Option<&Again>) -> io::Result<()> {
        self.open.add(report, again);
        if self.open.count >= PIECE { self.close() } else { Ok(()) }
    }

    /// Completes the piece at hand.
    pub(super) fn close(&mut self) -> io::Result<()> {
        let open = &mut self.open;
        if open.count == 0 {
            return Ok(());
        }
        let mut piece = Json::default();
        piece.whole(|w| {
            w.texts(key!("texts"), open.texts.list());
            w.texts(key!("hellos"), open.hellos.list());
            w.texts(key!("certificates"), open.certificates.list());
            w.key(key!("handshakes"));
            w.out.push(b'[');
            w.out.append(&mut open.handshakes.out);
            w.out.push(b']');
        });
        let encoder = self.encoder.get_or_insert_with(|| ZlibEncoder::new(Vec::new(), Compression::new(EFFORT)));
        encoder.write_all(&piece.out)?;
        BASE64.encode_append(&encoder.reset(Vec::new())?, &mut self.pieces);
        self.pieces.push('\n');
        open.texts.clear();
        open.hellos.clear();
        open.certificates.clear();
        open.met.clear();
        open.count = 0;
        Ok(())
    }
}

impl Piece {
    /// One handshake. `steps` are lists of frame (0: none), microseconds since the first, sender (0 client, 1 server, 2 network), kind, size
    /// (-1: none), text, whether it ended it, and, of several files, the frame's (-1: none).
    fn add(&mut self, report: &Handshake<'_>, again: Option<&Again>) {
        let Self { texts, hellos, certificates, met, handshakes: w, count } = self;
        let tls = report.tls.as_ref();
        let client = tls.and_then(|tls| tls.client.as_ref());
        let staple = tls.and_then(|tls| tls.server.as_ref()).and_then(|server| server.staple);
        let mut chain = |chain: &[Arc<Certificate>]| -> Vec<u64> {
            let number = |certificate: &Arc<Certificate>| {
                if let Some((_, number)) = met.iter().rfind(|(known, _)| Arc::ptr_eq(known, certificate)) {
                    return *number;
                }
                let number = number_of(certificates, |json| certificate.write(json));
                met.push((Arc::clone(certificate), number));
                number
            };
            chain.iter().take(CERTIFICATES).map(number).collect()
        };
        let (served, own) = (chain(report.server_certificates()), chain(report.client_certificates()));
        if *count > 0 {
            w.out.push(b',');
        }
        *count = count.saturating_add(1);
        w.whole(|w| {
            w.text(key!("ending"), &view::ending(report));
            w.text(key!("frames"), &view::frames(report));
            w.number(key!("source"), texts.number(&view::source(report)).into());
            w.text(key!("path"), &view::path(report));
            w.text(key!("quality"), &view::quality(report));
            w.texts_if_any(key!("owners"), view::owners(report).map(|(label, owner)| format!("{label} {owner}")));
            w.object(key!("timing"), |w| report.handshake.timing.write(w));
            w.object(key!("loss"), |w| report.handshake.loss.write(w));
            w.number_if_any(key!("hello"), client.map(|client| number_of(hellos, |json| client.offer.write(json))));
            w.text(key!("cipher"), &tls.and_then(|tls| tls.cipher).map(|cipher| word(cipher.name(), cipher)).unwrap_or_default());
            w.text(key!("curve"), &tls.and_then(|tls| tls.curve).map(|curve| word(curve.name(), curve)).unwrap_or_default());
            w.text(key!("alpn"), tls.and_then(|tls| tls.next_protocol.as_deref()).unwrap_or_default());
            w.flag(key!("requested"), client.is_some_and(|client| client.certificate_requested));
            w.word(key!("staple"), staple.map_or("", OcspStatus::name));
            w.numbers(key!("server_certificates"), served);
            w.numbers(key!("client_certificates"), own);
            w.object(key!("diagnosis"), |w| report.write_diagnosis(w));
            // Which lines of advice are commands: in the schema they are text like the others.
            let remedy = report.diagnosis.remedy.iter().zip(0..);
            w.numbers(key!("commands"), remedy.filter(|(line, _)| matches!(line, Advice::Command(_))).map(|(_, place)| place));
            // To type where the captures are.
            let next = again.map(|again| [again.show(report), again.reproduce(report)]);
            w.texts(key!("next"), next.into_iter().flatten().flatten().map(|command| command.to_string()));
            w.key(key!("steps"));
            let begin = report.timeline.first().map(|step| step.time.min(report.handshake.start)).unwrap_or_default();
            w.list(report.timeline.iter().take(STEPS), |w, step| {
                let place = step.frame.map(|frame| report.capture.place(frame));
                let from = match step.from {
                    Some(Side::Client) => 0,
                    Some(Side::Server) => 1,
                    None => 2,
                };
                let size = step.size.and_then(|size| i64::try_from(size).ok()).unwrap_or(-1);
                let unsigned = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
                let columns = [
                    unsigned(place.as_ref().map_or(0, |place| place.frame)),
                    unsigned(us_between(begin, step.time).unwrap_or_default()),
                    from,
                    texts.number(step.kind.name()).into(),
                    size,
                    texts.number(&step.text).into(),
                    step.ended.into(),
                    place.and_then(|place| place.file).map_or(-1, |file| texts.number(&file).into()),
                ];
                w.list(columns, Json::integer);
            });
        });
    }
}

/// The number of what is written so, as JSON of its own.
fn number_of(texts: &mut Texts, fields: impl FnOnce(&mut Json)) -> u64 {
    let mut json = Json::default();
    json.whole(fields);
    texts.number(std::str::from_utf8(&json.out).unwrap_or_default()).into()
}

/// Handshakes in one piece: the script counts on it.
pub(super) const PIECE: usize = 128;
/// Of zlib's nine grades. The usual one, 6, makes pieces that are a little smaller and takes longer, and to compress is most of what the page costs.
const EFFORT: u32 = 5;
/// Steps of one handshake's ladder.
const STEPS: usize = 300;
/// Certificates of one side.
const CERTIFICATES: usize = 12;
