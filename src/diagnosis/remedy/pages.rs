//! The commands of the pages: fixed texts with names to fill in, which stand in angle brackets. A shell takes those for redirections, so they are
//! quoted where a page is shown.

/// A command of a page, with every word that holds a name to fill in quoted: `nc <host> 443` becomes `nc '<host>' 443`.
pub fn pasteable(command: &str) -> String {
    let mut out = String::with_capacity(command.len().saturating_add(8));
    let mut word = String::new();
    let mut open: Option<char> = None;
    let mut quoted = false;
    for c in command.chars() {
        match (open, c) {
            (Some(mark), _) => {
                word.push(c);
                open = Some(mark).filter(|mark| *mark != c);
            }
            (None, '\'' | '"') => {
                (open, quoted) = (Some(c), true);
                word.push(c);
            }
            // A name to fill in may hold spaces.
            (None, ' ' | '|' | ';' | '&') if !is_open(&word) => {
                push_word(&mut out, &word, quoted);
                (quoted, word) = (false, String::new());
                out.push(c);
            }
            (None, _) => word.push(c),
        }
    }
    push_word(&mut out, &word, quoted);
    out
}

/// Appends a word; one that is quoted in part is quoted around its names alone.
fn push_word(out: &mut String, word: &str, quoted: bool) {
    if placeholder(word).is_none() {
        out.push_str(word);
    } else if !quoted {
        out.extend(["'", word, "'"]);
    } else {
        let mut rest = word;
        let mut open: Option<char> = None;
        while let Some(c) = rest.chars().next() {
            let name = open.is_none().then(|| placeholder(rest)).flatten().filter(|(start, _)| *start == 0);
            let taken = name.map_or_else(|| c.len_utf8(), |(_, end)| end);
            let (head, tail) = rest.split_at_checked(taken).unwrap_or((rest, ""));
            match name {
                Some(_) => out.extend(["'", head, "'"]),
                None => out.push_str(head),
            }
            if name.is_none() && matches!(c, '\'' | '"') {
                open = match open {
                    None => Some(c),
                    Some(mark) if mark == c => None,
                    mark => mark,
                };
            }
            rest = tail;
        }
    }
}

/// A `<` that begins a name and is not closed yet.
fn is_open(word: &str) -> bool {
    word.rsplit_once('<').is_some_and(|(_, name)| name.starts_with(|c: char| c.is_ascii_alphabetic()) && !name.contains('>'))
}

/// Where the first name to fill in begins and ends.
fn placeholder(word: &str) -> Option<(usize, usize)> {
    word.match_indices('<').find_map(|(start, _)| {
        let rest = word.get(start.saturating_add(1)..)?;
        let end = rest.find('>')?;
        let name = rest.get(..end)?;
        let fits =
            name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(|c| c.is_ascii_alphanumeric() || " ._:-".contains(c));
        fits.then(|| (start, start.saturating_add(end).saturating_add(2)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_to_fill_in_are_quoted_and_redirections_kept() {
        for (page, pasted) in [
            ("nc -vz <host> <port>", "nc -vz '<host>' '<port>'"),
            ("openssl s_client -connect <name>:443 </dev/null | grep x", "openssl s_client -connect '<name>:443' </dev/null | grep x"),
            ("curl https://<name>/ >out", "curl 'https://<name>/' >out"),
            ("x -psk <key in hexadecimal>", "x -psk '<key in hexadecimal>'"),
            ("ss 'sport = :<port>'", "ss 'sport = :<port>'"),
            ("x --name='a b'<host>", "x --name='a b''<host>'"),
            ("nginx -t && nginx -s reload", "nginx -t && nginx -s reload"),
        ] {
            assert_eq!(pasteable(page), pasted);
        }
    }
}
