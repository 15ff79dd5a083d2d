/// Defines a word that is a text with a grammar: a type that [`FromStr`](std::str::FromStr) makes of an accepted text,
/// and [`Display`](std::fmt::Display) shows again.
///
/// What follows the name is what a [`ParseError`](crate::ParseError) says: what was expected, with its article, and
/// what the grammar asks for. Then comes the grammar, a `fn(&str) -> bool`.
///
/// ```
/// release::word!(
///     /// A floor of a building: one digit.
///     Floor,
///     "a floor",
///     "write one digit",
///     |text| text.len() == 1 && text.bytes().all(|b| b.is_ascii_digit())
/// );
///
/// let floor: Floor = "7".parse()?;
/// assert_eq!(floor.as_str(), "7");
/// let error = "roof".parse::<Floor>().map(drop).map_err(|error| error.to_string());
/// assert_eq!(error, Err("\"roof\" is not a floor: write one digit".to_owned()));
/// # Ok::<(), release::ParseError>(())
/// ```
#[macro_export]
macro_rules! word {
    ($(#[$doc:meta])* $word:ident, $what:literal, $rule:literal, $grammar:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $word(::std::sync::Arc<str>);

        impl $word {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl ::std::fmt::Display for $word {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl ::std::fmt::Debug for $word {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Debug::fmt(&self.0, f)
            }
        }

        impl ::std::str::FromStr for $word {
            type Err = $crate::ParseError;

            fn from_str(text: &str) -> Result<Self, $crate::ParseError> {
                let grammar: fn(&str) -> bool = $grammar;
                if grammar(text) {
                    Ok(Self(text.into()))
                } else {
                    Err($crate::ParseError { what: $what, text: text.to_owned(), rule: $rule })
                }
            }
        }
    };
}
