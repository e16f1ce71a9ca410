//! Authorities of inspection products.

/// The issuer has the name of an authority under which an inspection product signs certificates of its own.
pub fn is_product(issuer: &str) -> bool {
    let issuer = issuer.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| issuer.contains(word));
    has(&PRODUCTS) || has(&ORDINARY) && has(&BESIDE)
}

/// The name is under a domain of the maker of such a product: its own servers have certificates of its own.
pub fn is_vendors_own(name: &str) -> bool {
    let labels = |name: &str| name.trim_end_matches('.').rsplit('.').nth(1).map(str::to_ascii_lowercase);
    labels(name).is_some_and(|label| {
        PRODUCTS.iter().chain(&ORDINARY).any(|word| word.split(' ').next().is_some_and(|first| first.len() > 4 && label.starts_with(first)))
    })
}

/// Parts of the names of inspection authorities, lower case: products' defaults, and the words that administrators use for their own.
const PRODUCTS: [&str; 42] = [
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
    "forcepoint",
    "websense",
    "mcafee web gateway",
    "skyhigh",
    "watchguard",
    "sonicwall",
    "untangle",
    "squid",
    "smoothwall",
    "contentkeeper",
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
    "ssl proxy",
    "tls proxy",
];

/// Names of products that are those of companies and offices of other trades, too, and words for what others do as well.
const ORDINARY: [&str; 5] = ["check point", "barracuda", "lightspeed", "inspection", "interception"];

/// What stands beside these where they mean such a product.
const BESIDE: [&str; 12] =
    ["ssl", "tls", "https", "proxy", "gateway", "firewall", "decrypt", "filter", "utm", "corporate", "web security", "next generation"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_office_that_inspects_other_things_is_no_product() {
        assert!(is_product("CN=Corp TLS Inspection CA, O=Corp Security Appliance"));
        assert!(is_product("CN=Zscaler Root CA, O=Zscaler Inc."));
        assert!(is_product("O=Barracuda Networks, CN=Barracuda Web Filter"));
        assert!(!is_product("CN=Food Inspection Agency Issuing CA 2, O=Food Inspection Agency"));
        assert!(!is_product("O=Check Point Charlie Museum, CN=Internal CA") && !is_product("CN=Lightspeed Tills Root"));
        assert!(is_vendors_own("www.barracuda.com") && is_vendors_own("zscaler.net") && !is_vendors_own("www.lab.test"));
    }
}
