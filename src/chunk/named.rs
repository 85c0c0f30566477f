//! Enums that are stored and printed by name: each has one list of its names, made by [`named!`].

/// Defines an enum with a fixed name for each variant, used in the ledger, in JSON and in messages.
///
/// It gets `ALL`, `name()`, `parse()`, `Display`, and serde by the same names.
macro_rules! named {
    (
        $(#[$meta:meta])*
        pub enum $type:ident { $( $(#[$about:meta])* $variant:ident = $name:literal, )+ }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $type { $( $(#[$about])* $variant, )+ }

        impl $type {
            /// All values, in the order of their definition.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its name, as the ledger and scripts know it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The value of that name.
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.name() == name)
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.name())
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let name = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(from)?;
                let names = &[$($name),+];
                Self::parse(&name).ok_or_else(|| serde::de::Error::unknown_variant(&name, names))
            }
        }
    };
}

pub(crate) use named;

#[cfg(test)]
mod tests {
    use crate::chunk::{Fate, Severity};

    #[test]
    fn names_lead_back_to_their_values_in_text_and_json() {
        for fate in Fate::ALL {
            assert_eq!(Fate::parse(fate.name()), Some(*fate));
            let json = serde_json::to_string(fate).expect("serialises");
            assert_eq!(json, format!("\"{fate}\""));
            assert_eq!(serde_json::from_str::<Fate>(&json).expect("reads back"), *fate);
        }
        assert_eq!(Severity::parse("Critical"), None);
        assert!(serde_json::from_str::<Severity>("\"bad\"").is_err());
        assert!(Severity::Critical > Severity::Warning && Severity::Warning > Severity::Info);
    }
}
