use super::*;
use proptest::prelude::*;

/// A record, with its body copied, as tests compare them.
type Owned = (u8, u16, u16, Option<Vec<u8>>, u64, u64, bool);

fn own(item: &Item<'_>) -> Result<Owned, RecordError> {
    match item {
        Item::Record(r) => Ok((r.content_type.0, r.version.0, r.len, r.body.map(<[u8]>::to_vec), r.start, r.end, r.damaged)),
        Item::Error(error) => Err(*error),
    }
}

fn feed(reader: &mut RecordReader, mut bytes: &[u8]) -> Vec<Result<Owned, RecordError>> {
    let mut items = Vec::new();
    while !bytes.is_empty() {
        let (used, item) = reader.read(bytes);
        assert!(used > 0, "every step uses bytes");
        items.extend(item.as_ref().map(own));
        bytes = &bytes[used..];
    }
    items
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, 3, 3];
    bytes.extend((body.len() as u16).to_be_bytes());
    bytes.extend(body);
    bytes
}

#[test]
fn lends_whole_records() {
    let stream = [record(22, b"hello"), record(20, &[1]), record(23, b"secret")].concat();
    let items = feed(&mut RecordReader::new(100), &stream);
    assert_eq!(
        items,
        [
            Ok((22, 0x0303, 5, Some(b"hello".to_vec()), 100, 110, false)),
            Ok((20, 0x0303, 1, Some(vec![1]), 110, 116, false)),
            Ok((23, 0x0303, 6, None, 116, 127, false)),
        ]
    );
}

#[test]
fn keeps_encrypted_bodies_when_told() {
    let stream = record(23, b"secret");
    let mut reader = RecordReader::new(0);
    reader.keep_encrypted(true);
    assert_eq!(feed(&mut reader, &stream), [Ok((23, 0x0303, 6, Some(b"secret".to_vec()), 0, 11, false))]);
}

#[test]
fn a_gap_within_a_body_costs_one_record() {
    let stream = [record(22, &[7; 100]), record(21, &[2, 40])].concat();
    let mut reader = RecordReader::new(0);
    assert!(feed(&mut reader, &stream[..20]).is_empty());
    assert_eq!(reader.gap(30), None);
    let items = feed(&mut reader, &stream[50..]);
    assert_eq!(items, [Ok((22, 0x0303, 100, None, 0, 105, true)), Ok((21, 0x0303, 2, Some(vec![2, 40]), 105, 112, false))]);
    // to the very end of the body
    let mut reader = RecordReader::new(0);
    feed(&mut reader, &stream[..20]);
    assert_eq!(reader.gap(85).as_ref().map(own), Some(Ok((22, 0x0303, 100, None, 0, 105, true))));
    assert_eq!(feed(&mut reader, &stream[105..]).len(), 1);
}

#[test]
fn a_gap_over_a_header_loses_framing_until_a_plausible_one() {
    let stream = [record(22, &[7; 100]), record(21, &[2, 40])].concat();
    let mut reader = RecordReader::new(0);
    feed(&mut reader, &stream[..20]);
    assert_eq!(reader.gap(87).as_ref().map(own), Some(Ok((22, 0x0303, 100, None, 0, 105, true))));
    assert!(!reader.in_sync());
    assert!(feed(&mut reader, &stream[107..]).is_empty());
    assert_eq!(feed(&mut reader, &record(21, &[2, 40])), [Ok((21, 0x0303, 2, Some(vec![2, 40]), 112, 119, false))]);
}

#[test]
fn says_what_is_wrong_with_a_header() {
    let error = |bytes: &[u8]| feed(&mut RecordReader::new(0), bytes).into_iter().find_map(Result::err).map(|error| error.kind);
    assert_eq!(error(b"HTTP/1.1 400"), Some(RecordErrorKind::NotARecord(*b"HTTP/")));
    assert_eq!(error(&[22, 3, 3, 0x48, 1, 0]), Some(RecordErrorKind::TooLong(0x4801)));
    assert_eq!(error(&[99, 3, 3, 0, 1, 0]), Some(RecordErrorKind::UnknownType(ContentType(99))));
    assert_eq!(error(&[22, 3, 9, 0, 1, 0]), Some(RecordErrorKind::BadVersion(ProtocolVersion(0x0309))));
    assert_eq!(error(&[22, 3, 3, 0x48, 0, 0]), None);
}

#[test]
fn reads_sslv2_hellos() {
    let body = [1, 3, 1, 0, 3, 0, 0, 0, 16, 0, 0, 5, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9];
    let mut two = vec![0x80, body.len() as u8];
    two.extend(body);
    let mut three = vec![0x00, body.len() as u8 + 4, 4];
    three.extend(body);
    three.extend([0; 4]);
    for stream in [&two, &three] {
        let items = feed(&mut RecordReader::new(0), stream);
        let (kind, version, _, read, start, end, _) = items[0].clone().unwrap();
        assert_eq!((kind, version, read, start, end), (22, 2, Some(body.to_vec()), 0, stream.len() as u64));
        assert_eq!(looks_like_tls(stream), Recognition::Yes);
        assert!((0..5).all(|len| looks_like_tls(&stream[..len]) == Recognition::NeedMore));
    }
}

#[test]
fn tells_tls_from_other_beginnings() {
    assert_eq!(looks_like_tls(&[22, 3, 1, 2, 0, 1, 0]), Recognition::Yes);
    assert_eq!(looks_like_tls(&[22, 3, 1, 2, 0, 2, 0]), Recognition::Yes);
    assert_eq!(looks_like_tls(&[22, 3, 1, 0, 1, 1]), Recognition::Yes);
    assert_eq!(looks_like_tls(&[22, 3, 1, 2, 0, 11]), Recognition::No);
    assert_eq!(looks_like_tls(&[22, 3, 1, 0, 0]), Recognition::No);
    assert_eq!(looks_like_tls(&[21, 3, 3, 0, 2, 2, 70]), Recognition::Yes);
    assert_eq!(looks_like_tls(&[21, 3, 3, 0, 26]), Recognition::No);
    assert_eq!(looks_like_tls(&[23, 3, 3, 0, 26, 0]), Recognition::No);
    for (len, verdict) in [(0, Recognition::NeedMore), (1, Recognition::NeedMore), (5, Recognition::NeedMore)] {
        assert_eq!(looks_like_tls(&[22, 3, 1, 2, 0, 1][..len]), verdict);
    }
    for other in [&b"GET / HTTP/1.1\r\n"[..], b"SSH-2.0-x", b"220 mail", b"\x00\x00\x00\x08\x04\xd2\x16\x2f", b"PROXY TCP4", b"* OK"] {
        assert_eq!(looks_like_tls(other), Recognition::No, "{other:?}");
    }
}

#[test]
fn a_record_from_the_middle_must_fit_the_next() {
    let pair = [record(23, &[0; 40]), record(23, &[0; 9])].concat();
    assert!(looks_like_record(&pair));
    assert!(looks_like_record(&pair[..30]));
    assert!(!looks_like_record(&[&pair[..45], b"xyz"].concat()));
    assert!(!looks_like_record(&record(20, &[1, 1])));
}

fn streams() -> impl Strategy<Value = Vec<u8>> {
    let records = proptest::collection::vec((20u8..=24, proptest::collection::vec(any::<u8>(), 0..60)), 0..6);
    records.prop_map(|records| records.iter().flat_map(|(kind, body)| record(*kind, body)).collect())
}

proptest! {
    #[test]
    fn the_cutting_does_not_matter(stream in streams(), cuts in proptest::collection::vec(1usize..40, 0..40), keep: bool) {
        let mut whole = RecordReader::new(0);
        whole.keep_encrypted(keep);
        let expected = feed(&mut whole, &stream);
        let mut bytewise = RecordReader::new(0);
        bytewise.keep_encrypted(keep);
        let single: Vec<_> = stream.iter().flat_map(|byte| feed(&mut bytewise, std::slice::from_ref(byte))).collect();
        prop_assert_eq!(&single, &expected);
        let mut pieces = RecordReader::new(0);
        pieces.keep_encrypted(keep);
        let (mut rest, mut got) = (&stream[..], Vec::new());
        for cut in cuts.into_iter().chain([usize::MAX]) {
            let (piece, behind) = rest.split_at(cut.min(rest.len()));
            got.extend(feed(&mut pieces, piece));
            rest = behind;
        }
        prop_assert_eq!(got, expected);
    }

    #[test]
    fn arbitrary_bytes_and_gaps_do_no_harm(pieces in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..80), 0u64..200), 0..12)) {
        let mut reader = RecordReader::new(0);
        for (bytes, gap) in pieces {
            feed(&mut reader, &bytes);
            let _ = reader.gap(gap);
            let _ = reader.pending();
            let _ = looks_like_tls(&bytes);
        }
    }
}

#[test]
fn buffers_are_used_again_and_no_more_are_kept_than_the_bound() {
    let mut spare = Vec::new();
    let mut readers: Vec<_> = (0..2 * limits::SPARE_BUFFERS).map(|_| RecordReader::new(0)).collect();
    // In two rounds: in the second there are buffers with what others left in them.
    for (round, body) in [&b"a long body to begin with"[..], b"and a short one"].into_iter().enumerate() {
        let bytes = record(22, body);
        let (early, late) = bytes.split_at(9);
        for reader in &mut readers {
            assert_eq!(reader.part(early, &mut spare), (early.len(), None), "round {round}");
        }
        for reader in &mut readers {
            let (used, item) = reader.part(late, &mut spare);
            assert_eq!((used, item.as_ref().map(own).unwrap().unwrap().3), (late.len(), Some(body.to_vec())), "round {round}");
            reader.release_buffer(&mut spare);
            assert!(spare.len() <= limits::SPARE_BUFFERS);
        }
        assert_eq!(spare.len(), limits::SPARE_BUFFERS);
    }
}
