//! Names in certificates: distinguished names as text, and host names against patterns (RFC 9525).

use std::fmt::Write as _;
use std::net::IpAddr;

use x509_parser::der_parser::asn1_rs::{Any, Tag};
use x509_parser::x509::X509Name;

/// A distinguished name as an operator writes it: most specific part first, parts separated by `, `, multi-valued parts joined by `+`.
pub(super) fn readable(name: &X509Name<'_>) -> String {
    let mut parts: Vec<(bool, String)> = Vec::new();
    for relative in name.iter_rdn() {
        let mut text = String::new();
        let mut has_common_name = false;
        for attribute in relative.iter() {
            if !text.is_empty() {
                text.push('+');
            }
            let oid = attribute.attr_type().to_id_string();
            has_common_name |= oid == COMMON_NAME;
            let short = short_name(&oid);
            text.push_str(short.unwrap_or(&oid));
            text.push('=');
            escape_into(&mut text, &value_text(attribute.attr_value()));
        }
        parts.push((has_common_name, text));
    }
    // DER goes from the most general to the most specific part, but many tools write the common name first: leave those as they are.
    if !parts.first().is_some_and(|(has_common_name, _)| *has_common_name) {
        parts.reverse();
    }
    let mut out = String::new();
    for (_, text) in parts {
        if !out.is_empty() {
            out.push_str(", ");
        }
        out.push_str(&text);
    }
    out
}

/// The last common name of a name: the most specific one.
pub(super) fn common_name(name: &X509Name<'_>) -> Option<String> {
    name.iter_attributes()
        .filter(|attribute| attribute.attr_type().to_id_string() == COMMON_NAME)
        .last()
        .map(|attribute| value_text(attribute.attr_value()))
}

/// An IP literal, with or without the brackets of a URI.
pub(super) fn literal(name: &str) -> Option<IpAddr> {
    let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    bare.parse().ok()
}

/// Whether a presented identifier matches a host name (RFC 9525 section 6.3).
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() || pattern.is_empty() {
        return false;
    }
    if let Some(parent) = pattern.strip_prefix("*.") {
        return !parent.is_empty()
            && !parent.contains('*')
            && name.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(parent));
    }
    !pattern.contains('*') && pattern.eq_ignore_ascii_case(name)
}

/// The text of a directory string, whatever its encoding.
fn value_text(value: &Any<'_>) -> String {
    let bytes = value.data;
    match value.tag() {
        Tag::BmpString => {
            let units = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes(pair.try_into().unwrap_or_default()));
            char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
        Tag::UniversalString => bytes
            .chunks_exact(4)
            .map(|quad| char::from_u32(u32::from_be_bytes(quad.try_into().unwrap_or_default())).unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect(),
        Tag::Utf8String
        | Tag::PrintableString
        | Tag::Ia5String
        | Tag::NumericString
        | Tag::VisibleString
        | Tag::T61String
        | Tag::GeneralString => {
            // T61 and careless tools put Latin-1 here.
            std::str::from_utf8(bytes).map_or_else(|_| bytes.iter().copied().map(char::from).collect(), str::to_owned)
        }
        _ => {
            let mut text = String::from("#");
            for byte in bytes {
                let _ = write!(text, "{byte:02x}");
            }
            text
        }
    }
}

/// RFC 4514 section 2.4, without the escapes that only make plain names harder to read.
fn escape_into(out: &mut String, value: &str) {
    for character in value.chars() {
        if matches!(character, ',' | '+' | '"' | '\\' | '<' | '>' | ';') {
            out.push('\\');
        }
        out.push(character);
    }
}

fn short_name(oid: &str) -> Option<&'static str> {
    Some(match oid {
        COMMON_NAME => "CN",
        "2.5.4.4" => "SN",
        "2.5.4.5" => "serialNumber",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "street",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.12" => "title",
        "2.5.4.15" => "businessCategory",
        "2.5.4.17" => "postalCode",
        "2.5.4.42" => "GN",
        "2.5.4.46" => "dnQualifier",
        "2.5.4.97" => "organizationIdentifier",
        "0.9.2342.19200300.100.1.1" => "UID",
        "0.9.2342.19200300.100.1.25" => "DC",
        "1.2.840.113549.1.9.1" => "emailAddress",
        "1.2.840.113549.1.9.2" => "unstructuredName",
        _ => return None,
    })
}

const COMMON_NAME: &str = "2.5.4.3";

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn wildcards_stand_for_one_whole_leftmost_label() {
        assert!(matches("*.example.test", "www.example.test"));
        assert!(matches("*.EXAMPLE.test", "WWW.example.TEST."));
        assert!(!matches("*.example.test", "example.test"));
        assert!(!matches("*.example.test", "a.b.example.test"));
        assert!(!matches("*.example.test", ".example.test"));
        assert!(!matches("w*.example.test", "www.example.test"));
        assert!(!matches("www.*.test", "www.example.test"));
        assert!(!matches("*.*.test", "www.example.test"));
        assert!(!matches("*", "localhost"));
    }

    #[test]
    fn plain_names_are_compared_whole_and_without_case() {
        assert!(matches("xn--bcher-kva.example", "XN--BCHER-KVA.example"));
        assert!(!matches("example.test", "www.example.test"));
        assert!(!matches("www.example.test", "example.test"));
        assert!(!matches("", ""));
        assert!(!matches("a\0.example.test", "a"));
    }
}
