//! What someone may have meant.

/// The candidates that look like `word`, the nearest first, at most three.
pub fn near<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let word = word.to_lowercase().replace(['_', ' '], "-");
    // The measure is quadratic in the length.
    if word.len() > 64 {
        return Vec::new();
    }
    let mut found: Vec<(f64, &str)> = candidates
        .into_iter()
        .filter_map(|candidate| {
            let likeness =
                if !word.is_empty() && candidate.contains(word.as_str()) { 0.95 } else { strsim::jaro_winkler(&word, candidate) };
            let typos = strsim::damerau_levenshtein(&word, candidate);
            (likeness > 0.88 || typos <= 2).then_some((likeness, candidate))
        })
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found.truncate(3);
    found.into_iter().map(|(_, candidate)| candidate).collect()
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
    use crate::diagnosis::cause::Cause;

    fn near_slugs(word: &str) -> Vec<&'static str> {
        near(word, Cause::ALL.iter().map(|cause| cause.slug()))
    }

    #[test]
    fn typos_find_the_slug() {
        assert_eq!(near_slugs("certificate-expird").first(), Some(&"certificate-expired"));
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
