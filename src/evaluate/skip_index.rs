//! Skip indexes that are worth a trial, by what queries compare.

use std::collections::BTreeMap;

use super::search::Need;

/// A skip index that some queries may profit from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkipIndex {
    /// What it is over.
    pub expression: String,
    /// Its type, as it stands behind TYPE.
    pub kind: &'static str,
}

/// For values that lie anywhere: whether a granule may have one.
const BLOOM: &str = "bloom_filter(0.01)";
/// For values that lie together although the key does not begin with them: the least and the most of a granule.
const MINMAX: &str = "minmax";

impl SkipIndex {
    /// As it stands in a table's definition, or behind ADD.
    pub fn sql(&self) -> String {
        format!("INDEX {} {} TYPE {} GRANULARITY 1", self.name(), self.expression, self.kind)
    }

    /// A name without anything to quote.
    pub fn name(&self) -> String {
        let letters = |text: &str| text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let (expression, kind): (String, String) = (letters(&self.expression), letters(self.kind));
        format!("idx_{}_{}", expression.trim_matches('_'), kind.split('_').next().unwrap_or_default())
    }

    /// The needs that it may serve.
    pub fn serves(&self, need: &Need) -> bool {
        need.conditions.equal.contains(&self.expression)
            || self.kind == MINMAX && need.conditions.ranges.contains(&self.expression)
    }
}

/// As many as `most`, those first for whose queries most rows are read. What the key begins with needs none.
pub fn skip_indexes(needs: &[Need], key: &[String], most: usize) -> Vec<SkipIndex> {
    let mut weights: BTreeMap<(&String, &'static str), f64> = BTreeMap::new();
    for need in needs {
        for expression in need.conditions.all() {
            *weights.entry((expression, MINMAX)).or_default() += need.weight;
        }
        for expression in &need.conditions.equal {
            *weights.entry((expression, BLOOM)).or_default() += need.weight;
        }
    }
    let mut ranked: Vec<_> =
        weights.into_iter().filter(|((expression, _), _)| key.first() != Some(*expression)).collect();
    ranked.sort_by(|(a, left), (b, right)| right.total_cmp(left).then(a.cmp(b)));
    let index =
        |((expression, kind), _): ((&String, &'static str), f64)| SkipIndex { expression: expression.clone(), kind };
    ranked.into_iter().take(most).map(index).collect()
}

#[cfg(test)]
mod tests {
    use super::super::predicate::Conditions;
    use super::*;

    fn need(weight: f64, equal: &str, range: &str) -> Need {
        let one = |name: &str| Some(name.to_owned()).filter(|name| !name.is_empty()).into_iter().collect();
        Need { weight, conditions: Conditions { equal: one(equal), ranges: one(range) } }
    }

    #[test]
    fn what_most_rows_are_read_for_comes_first_and_what_the_key_begins_with_not_at_all() {
        let needs = [need(9.0, "tenant", "ts"), need(5.0, "lower(`a b`)", ""), need(1.0, "event", "")];
        let found: Vec<String> = skip_indexes(&needs, &["tenant".to_owned()], 4).iter().map(SkipIndex::sql).collect();
        assert_eq!(
            found,
            [
                "INDEX idx_ts_minmax ts TYPE minmax GRANULARITY 1",
                "INDEX idx_lower__a_b_bloom lower(`a b`) TYPE bloom_filter(0.01) GRANULARITY 1",
                "INDEX idx_lower__a_b_minmax lower(`a b`) TYPE minmax GRANULARITY 1",
                "INDEX idx_event_bloom event TYPE bloom_filter(0.01) GRANULARITY 1",
            ]
        );
    }

    #[test]
    fn a_bound_is_nothing_for_a_bloom_filter() {
        let index = |kind| SkipIndex { expression: "ts".to_owned(), kind };
        assert!(index(MINMAX).serves(&need(1.0, "", "ts")) && !index(BLOOM).serves(&need(1.0, "", "ts")));
        assert!(index(BLOOM).serves(&need(1.0, "ts", "")) && !index(MINMAX).serves(&need(1.0, "id", "")));
    }
}
