use release::word;

word!(
    /// An AWS account: twelve digits.
    AccountId,
    "an AWS account",
    "write its twelve digits, in quotes where it stands in YAML",
    is_account
);

word!(
    /// A region, such as `ap-southeast-2`: words of lower-case letters and a number of one or two digits, joined by
    /// dashes. It becomes a part of host names, so nothing else is let through.
    Region,
    "an AWS region",
    "write it as AWS does, such as ap-southeast-2",
    is_region
);

word!(
    /// An IAM role: `arn:PARTITION:iam::ACCOUNT:role/[PATH/]NAME`, with the partition `aws`, `aws-cn` or `aws-us-gov`.
    ///
    /// IAM allows any visible ASCII in a path; here a path has the characters of a name.
    RoleArn,
    "an IAM role",
    "write arn:aws:iam::ACCOUNT:role/NAME",
    |text| role(text).is_some()
);

impl Region {
    /// The part of AWS that the region belongs to, as ARNs name it (AWS General Reference, "Amazon Resource Names").
    #[must_use]
    pub fn partition(&self) -> &'static str {
        if self.0.starts_with("cn-") {
            "aws-cn"
        } else if self.0.starts_with("us-gov-") {
            "aws-us-gov"
        } else {
            "aws"
        }
    }
}

impl RoleArn {
    /// The account that the role belongs to.
    #[must_use]
    pub fn account(&self) -> AccountId {
        AccountId(role(&self.0).map_or("", |(account, _)| account).into())
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_region(text: &str) -> bool {
    let Some((words, number)) = text.rsplit_once('-') else { return false };
    let word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    text.len() <= 32
        && words.contains('-')
        && words.split('-').all(word)
        && (1..=2).contains(&number.len())
        && number.bytes().all(|b| b.is_ascii_digit())
}

/// The account and the name, with its path.
fn role(text: &str) -> Option<(&str, &str)> {
    let rest = ["arn:aws:iam::", "arn:aws-cn:iam::", "arn:aws-us-gov:iam::"]
        .iter()
        .find_map(|prefix| text.strip_prefix(prefix))?;
    let (account, name) = rest.split_once(":role/")?;
    let segment = |segment: &str| {
        (1..=64).contains(&segment.len())
            && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b))
    };
    (is_account(account) && name.len() <= 576 && name.split('/').all(segment)).then_some((account, name))
}
