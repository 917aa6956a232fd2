//! What someone may have meant.

/// The known word that is nearest, if any is near enough to be meant.
pub fn similar<'a>(word: &str, known: &mut dyn Iterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.len() / 4).max(2);
    // each letter is one distance at least, and comparing thousands of names letter by letter takes
    // seconds
    let long = |text: &str| text.chars().count();
    let length = long(word);
    let candidates = known.filter(|other| long(other).abs_diff(length) <= allowed);
    candidates
        .map(|other| (distance(word, other), other))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, other)| other)
}

/// How many letters must be put in, taken out, changed or swapped with their neighbour
/// (Damerau-Levenshtein, as "optimal string alignment").
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=other.len()).collect()];
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let change = rows[i][j] + usize::from(a != b);
            let mut best = change.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_meant_if_it_is_near() {
        let known = ["MLVI_BROKERS", "MLVI_GROUP", "MLVI_TOPIC_PREFIX"];
        assert_eq!(similar("MLVI_BROKER", &mut known.into_iter()), Some("MLVI_BROKERS"));
        assert_eq!(similar("MLVI_TOPIC_PERFIX", &mut known.into_iter()), Some("MLVI_TOPIC_PREFIX"));
        assert_eq!(similar("MLVI_SOMETHING", &mut known.into_iter()), None);
        assert_eq!(distance("ab", "ba"), 1);
    }
}
