use guarded_http::shown;
use release::Tag;
use serde::Deserialize;

use super::wildcard;

/// The rules of a lifecycle policy; what is not known is left out, so that a new kind of rule is still told of.
///
/// Source: ECR User Guide, "Lifecycle policy properties".
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Policy {
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    rule_priority: Option<i64>,
    #[serde(default)]
    selection: Selection,
    #[serde(default)]
    action: Action,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Selection {
    tag_status: String,
    tag_prefix_list: Vec<String>,
    tag_pattern_list: Vec<String>,
    storage_class: String,
    count_type: String,
    count_unit: String,
    count_number: Option<i64>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Action {
    r#type: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Selected {
    Yes,
    /// Only together with other tags on the same image.
    Perhaps,
    No,
}

/// What the policy may do to an image that `tag` names, in sentences; an error where the text is no policy.
///
/// An image is acted upon by the first rule that selects its tags and by no other (ECR User Guide, "How lifecycle
/// policies work").
pub(crate) fn expiries(policy: &str, tag: &Tag) -> Result<Vec<String>, serde_json::Error> {
    let Policy { mut rules } = serde_json::from_str(policy)?;
    rules.sort_by_key(|rule| rule.rule_priority.unwrap_or(i64::MAX));
    let mut sentences = Vec::new();
    for rule in &rules {
        let selected = rule.selection.selects(tag);
        if selected != Selected::No {
            sentences.push(rule.sentence(tag, selected));
        }
        if selected == Selected::Yes {
            break;
        }
    }
    Ok(sentences)
}

impl Selection {
    fn selects(&self, tag: &Tag) -> Selected {
        let tag = tag.as_str();
        let prefixes = self.tag_prefix_list.iter().map(|prefix| tag.starts_with(prefix.as_str()));
        let patterns = self.tag_pattern_list.iter().map(|pattern| wildcard::matches(pattern, tag));
        let mut wanted = prefixes.chain(patterns).peekable();
        if self.tag_status == "untagged" || self.storage_class.eq_ignore_ascii_case("archive") {
            return Selected::No;
        }
        // An image is selected whose tags match all that is listed.
        if self.tag_status == "any" || wanted.peek().is_none() {
            return Selected::Yes;
        }
        let (matched, unmatched): (Vec<bool>, Vec<bool>) = wanted.partition(|matched| *matched);
        match (matched.is_empty(), unmatched.is_empty()) {
            (true, _) => Selected::No,
            (false, true) => Selected::Yes,
            (false, false) => Selected::Perhaps,
        }
    }
}

impl Rule {
    fn sentence(&self, tag: &Tag, selected: Selected) -> String {
        let priority = self.rule_priority.map_or("without a priority".to_owned(), |number| number.to_string());
        let does = match self.action.r#type.as_str() {
            "expire" | "" => "deletes".to_owned(),
            "transition" => "archives".to_owned(),
            other => format!("does what is not known here ({}) with", shown(other.as_bytes())),
        };
        let Selection { count_type, count_unit, count_number, .. } = &self.selection;
        let count = count_number.map_or("a number of".to_owned(), |number| number.to_string());
        let unit = if count_unit.is_empty() { "days" } else { count_unit };
        let when = match count_type.as_str() {
            "imageCountMoreThan" => format!("once {count} newer images are there"),
            "sinceImagePushed" => format!("{count} {} after it was pushed", shown(unit.as_bytes())),
            "sinceImagePulled" => format!("{count} {} after it was last pulled", shown(unit.as_bytes())),
            other => format!("by {} {count}", shown(other.as_bytes())),
        };
        let which = if selected == Selected::Perhaps { " if the image has its other tags as well" } else { "" };
        format!("rule {priority} of the repository's lifecycle policy {does} {tag} {when}{which}, even while it runs")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(rules: &str) -> Vec<String> {
        expiries(&format!(r#"{{"rules":[{rules}]}}"#), &"48213".parse().unwrap()).unwrap()
    }

    fn rule(priority: i64, selection: &str) -> String {
        format!(r#"{{"rulePriority":{priority},"selection":{{{selection}}},"action":{{"type":"expire"}}}}"#)
    }

    const COUNT: &str = r#""countType":"imageCountMoreThan","countNumber":100"#;

    #[test]
    fn a_sentence_names_the_rule_and_its_count() {
        assert_eq!(
            told(&rule(3, &format!(r#""tagStatus":"any",{COUNT}"#))),
            [
                "rule 3 of the repository's lifecycle policy deletes 48213 once 100 newer images are there, even while it runs"
            ]
        );
        assert_eq!(
            told(&rule(
                1,
                r#""tagStatus":"tagged","tagPrefixList":["482"],"countType":"sinceImagePushed","countUnit":"days","countNumber":14"#
            )),
            [
                "rule 1 of the repository's lifecycle policy deletes 48213 14 days after it was pushed, even while it runs"
            ]
        );
    }

    #[test]
    fn what_does_not_select_the_tag_is_not_told() {
        for selection in [
            r#""tagStatus":"untagged""#,
            r#""tagStatus":"tagged","tagPrefixList":["dev-"]"#,
            r#""tagStatus":"tagged","tagPatternList":["*-rc","dev*"]"#,
            r#""tagStatus":"any","storageClass":"archive""#,
        ] {
            assert_eq!(told(&rule(1, &format!("{selection},{COUNT}"))), [""; 0], "{selection}");
        }
    }

    #[test]
    fn only_the_first_rule_that_selects_an_image_acts_on_it() {
        let first = rule(1, &format!(r#""tagStatus":"tagged","tagPatternList":["48*"],{COUNT}"#));
        let last = rule(9, r#""tagStatus":"any","countType":"sinceImagePushed","countUnit":"days","countNumber":1"#);
        let sentences = told(&format!("{last},{first}"));
        assert_eq!(sentences.len(), 1);
        assert!(sentences[0].starts_with("rule 1 "), "{sentences:?}");
    }

    #[test]
    fn a_rule_for_several_tags_together_may_select() {
        let both = rule(1, &format!(r#""tagStatus":"tagged","tagPrefixList":["48","prod"],{COUNT}"#));
        let any = rule(2, &format!(r#""tagStatus":"any",{COUNT}"#));
        let sentences = told(&format!("{both},{any}"));
        assert_eq!(sentences.len(), 2, "{sentences:?}");
        assert!(sentences[0].contains("if the image has its other tags as well"), "{sentences:?}");
    }

    #[test]
    fn what_is_not_known_is_told_too() {
        let archived = r#"{"rulePriority":2,"selection":{"tagStatus":"any","countType":"sinceImagePulled","countNumber":90,"new":1},"action":{"type":"transition","targetStorageClass":"archive"}}"#;
        assert!(told(archived)[0].contains("archives 48213 90 days after it was last pulled"), "{:?}", told(archived));
        let odd = r#"{"selection":{"tagStatus":"any","countType":"\u001bmoon"},"action":{"type":"melt"}}"#;
        let sentence = &told(odd)[0];
        assert!(sentence.contains("does what is not known here (melt) with 48213 by \\u{1b}moon"), "{sentence}");
    }

    #[test]
    fn what_is_no_policy_is_an_error() {
        for text in ["", "[]x", r#"{"rules":3}"#, r#"{"rules":[{"selection":{"tagPrefixList":"a"}}]}"#] {
            assert!(expiries(text, &"48213".parse().unwrap()).is_err(), "{text}");
        }
        assert!(expiries("{}", &"48213".parse().unwrap()).unwrap().is_empty());
    }
}
