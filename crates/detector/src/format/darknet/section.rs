//! Which sections a `.cfg` may have.

/// What a section is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Net,
    Convolutional,
    MaxPool,
    Route,
    Shortcut,
    Upsample,
    Dropout,
    Empty,
    Yolo,
}

impl Kind {
    #[cfg(test)]
    pub(super) const ALL: &[Self] = &[
        Self::Net,
        Self::Convolutional,
        Self::MaxPool,
        Self::Route,
        Self::Shortcut,
        Self::Upsample,
        Self::Dropout,
        Self::Empty,
        Self::Yolo,
    ];

    /// By the name between the brackets.
    pub(super) fn of(name: &str) -> Option<Self> {
        match name {
            "net" | "network" => Some(Self::Net),
            "convolutional" | "conv" => Some(Self::Convolutional),
            "maxpool" | "max" => Some(Self::MaxPool),
            "route" => Some(Self::Route),
            "shortcut" => Some(Self::Shortcut),
            "upsample" => Some(Self::Upsample),
            "dropout" => Some(Self::Dropout),
            "empty" | "silence" => Some(Self::Empty),
            "yolo" => Some(Self::Yolo),
            _ => None,
        }
    }
}
