//! Authorities of inspection products.

/// The issuer has the name of an authority under which an inspection product signs certificates of its own.
pub fn is_product(issuer: &str) -> bool {
    let issuer = issuer.to_ascii_lowercase();
    PRODUCTS.iter().any(|word| issuer.contains(word))
}

/// Parts of the names of inspection authorities, lower case: products' defaults, and the words that administrators use for their own.
const PRODUCTS: [&str; 47] = [
    "zscaler",
    "netskope",
    "fortigate",
    "fortinet ca",
    "palo alto",
    "decryption ca",
    "blue coat",
    "bluecoat",
    "proxysg",
    "cisco umbrella",
    "cisco secure web",
    "opendns",
    "sophos",
    "check point",
    "forcepoint",
    "websense",
    "mcafee web gateway",
    "skyhigh",
    "barracuda",
    "watchguard",
    "sonicwall",
    "untangle",
    "squid",
    "smoothwall",
    "contentkeeper",
    "lightspeed",
    "securly",
    "goguardian",
    "iboss",
    "menlo security",
    "cato networks",
    "gateway ca - cloudflare",
    "kaspersky",
    "eset ssl filter",
    "avast",
    "avg web",
    "bitdefender",
    "dr.web",
    "adguard",
    "mitmproxy",
    "fiddler",
    "charles proxy",
    "portswigger",
    "inspection",
    "interception",
    "ssl proxy",
    "tls proxy",
];
