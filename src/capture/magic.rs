//! What a file is that is no capture, in words a user understands.

use super::compress::Compression;

/// Says what the first bytes look like: `empty`, `text`…
pub(super) fn describe(head: &[u8], compression: Option<Compression>) -> String {
    let what = kind(head);
    match compression {
        Some(compression) => format!("inside its {} compression it is {what}", compression.name()),
        None => format!("it is {what}"),
    }
}

fn kind(head: &[u8]) -> &'static str {
    if head.is_empty() {
        return "empty";
    }
    if let Some((_, what)) = KNOWN.iter().find(|(magic, _)| head.starts_with(magic)) {
        return what;
    }
    if head.get(257..262) == Some(b"ustar") {
        return "a tar archive (extract it first)";
    }
    if head.iter().all(|&byte| byte == 0) {
        return "filled with zero bytes";
    }
    // a character may be cut at the end
    let text = match std::str::from_utf8(head) {
        Ok(_) => head,
        Err(error) if error.error_len().is_none() => head.get(..error.valid_up_to()).unwrap_or_default(),
        Err(_) => &[],
    };
    match text {
        [_, ..] if text.iter().all(|&byte| byte >= 0x20 || matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c)) => "text",
        _ if head.len() < 4 => "too short to be a capture",
        _ => "binary data of an unknown format",
    }
}

const KNOWN: &[(&[u8], &str)] = &[
    (b"\x7fELF", "a program (ELF)"),
    (b"PK\x03\x04", "a zip archive (extract it first)"),
    (b"BZh", "compressed with bzip2 (decompress it first)"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive (extract it first)"),
    (b"Rar!", "a RAR archive (extract it first)"),
    (b"\x1f\x9d", "compressed with compress (decompress it first)"),
    (b"-----BEGIN ", "a PEM file (certificates or keys)"),
    (b"snoop\0\0\0", "a Solaris snoop capture (convert it with `editcap in out.pcapng`)"),
    (b"GMBU", "a Microsoft Network Monitor capture (convert it with `editcap in out.pcapng`)"),
    (b"RTSS", "a Microsoft Network Monitor capture (convert it with `editcap in out.pcapng`)"),
    (b"TRSNIFF data    \x1a", "a Sniffer capture (convert it with `editcap in out.pcapng`)"),
    (b"PAR1", "a Parquet file"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"%PDF-", "a PDF document"),
    (b"\x89PNG", "a PNG picture"),
    (b"CLIENT_RANDOM ", "a TLS key log"),
];

#[cfg(test)]
mod tests {
    use super::describe;
    use crate::capture::compress::Compression;

    #[test]
    fn names_what_people_pass_by_mistake() {
        assert_eq!(describe(b"", None), "it is empty");
        assert_eq!(describe(b"\x7fELF\x02\x01", None), "it is a program (ELF)");
        assert_eq!(describe(b"hi\n", None), "it is text");
        assert_eq!(describe(&[0xd4, 0xc3], None), "it is too short to be a capture");
        assert_eq!(describe(b"hello, world\n", None), "it is text");
        assert_eq!(describe("gr\u{fc}n".as_bytes().split_last().unwrap().1, None), "it is text");
        assert_eq!(describe(b"\x01\x02\xff\xfe\x00", None), "it is binary data of an unknown format");
        assert_eq!(describe(b"{\"a\":1}", Some(Compression::Gzip)), "inside its gzip compression it is text");
        let mut tar = [b'a'; 512];
        tar[257..262].copy_from_slice(b"ustar");
        assert!(describe(&tar, Some(Compression::Zstd)).contains("tar archive"));
    }
}
