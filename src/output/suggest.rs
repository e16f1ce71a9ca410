//! What someone may have meant.

/// The candidates that look like `word`, the nearest first, at most three: those with a typo or two; else those that hold it, or
/// words that begin with each of its words (`cert-exp`); else those that sound alike.
pub fn near<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let word = word.to_lowercase().replace(['_', ' '], "-");
    // The measures are quadratic in the length.
    if word.is_empty() || word.len() > 64 {
        return Vec::new();
    }
    let mut found: Vec<(u8, f64, &str)> = candidates
        .into_iter()
        .filter_map(|candidate| {
            let likeness = strsim::jaro_winkler(&word, candidate);
            let tier = if strsim::damerau_levenshtein(&word, candidate) <= 2 {
                0
            } else if candidate.contains(&word) || word.split('-').all(|part| candidate.split('-').any(|whole| whole.starts_with(part))) {
                1
            } else if likeness > 0.9 {
                2
            } else {
                return None;
            };
            Some((tier, likeness, candidate))
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
    let best = found.first().map(|(tier, ..)| *tier);
    found.dedup_by_key(|(.., candidate)| *candidate);
    found.into_iter().filter(|(tier, ..)| Some(*tier) == best).take(3).map(|(.., candidate)| candidate).collect()
}

/// `; did you mean a, b or c?`, or nothing.
pub fn did_you_mean(suggestions: &[&str]) -> String {
    match suggestions {
        [] => String::new(),
        [one] => format!("; did you mean {one}?"),
        [most @ .., last] => format!("; did you mean {} or {last}?", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Cause;

    fn near_slugs(word: &str) -> Vec<&'static str> {
        near(word, Cause::ALL.iter().map(|cause| cause.slug()))
    }

    #[test]
    fn typos_find_the_slug() {
        assert_eq!(near_slugs("certificate-expird"), ["certificate-expired"]);
        assert_eq!(near_slugs("cert-exp"), ["certificate-expired", "client-certificate-expired"]);
        assert_eq!(near_slugs("Certificate_Expired").first(), Some(&"certificate-expired"));
        assert_eq!(near_slugs("tcp-refusd").first(), Some(&"tcp-refused"));
        assert!(near_slugs("mtu").contains(&"quic-mtu"));
        assert_eq!(near_slugs("xyzzy"), Vec::<&str>::new());
        assert_eq!(near_slugs(&"a".repeat(100_000)), Vec::<&str>::new());
    }

    #[test]
    fn the_question_reads_well() {
        assert_eq!(did_you_mean(&[]), "");
        assert_eq!(did_you_mean(&["a"]), "; did you mean a?");
        assert_eq!(did_you_mean(&["a", "b", "c"]), "; did you mean a, b or c?");
    }
}
