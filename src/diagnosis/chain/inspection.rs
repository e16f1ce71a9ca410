//! Authorities of inspection products.

/// The issuer has the name of an authority under which an inspection product signs certificates of its own.
pub fn is_product(issuer: &str) -> bool {
    let issuer = issuer.to_ascii_lowercase();
    PRODUCTS.iter().any(|word| issuer.contains(word))
}

/// The name is under a domain of the maker of such a product: its own servers have certificates of its own.
pub fn is_vendors_own(name: &str) -> bool {
    let labels = |name: &str| name.trim_end_matches('.').rsplit('.').nth(1).map(str::to_ascii_lowercase);
    labels(name).is_some_and(|label| {
        PRODUCTS.iter().any(|word| word.split(' ').next().is_some_and(|first| first.len() > 4 && label.starts_with(first)))
    })
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
