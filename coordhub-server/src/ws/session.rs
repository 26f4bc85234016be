//! What a client's frames do to its stream: pure. The frames themselves are read at the wire.

pub use crate::wire::frame::*;

/// When the stream begins: at once, or when the client has said what it wants to hear.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Opening {
    /// The replay waits for the first frame that is no subscription, or for quiet.
    Waiting,
    /// It has begun.
    Begun,
}

impl Opening {
    /// What it is after a frame.
    #[must_use]
    pub fn after(self, ask: Option<&Ask<'_>>) -> Self {
        match ask {
            Some(Ask::Subscribe(_) | Ask::Unsubscribe(_)) => self,
            _ => Self::Begun,
        }
    }
}

#[cfg(test)]
mod tests {
    use coordhub_core::ids::ChannelName;

    use super::*;

    fn general() -> ChannelName {
        ChannelName::parse("general").expect("valid")
    }

    #[test]
    fn the_replay_waits_for_subscriptions_only() {
        let waiting = Opening::Waiting;
        assert_eq!(waiting.after(Some(&Ask::Subscribe(general()))), Opening::Waiting);
        assert_eq!(waiting.after(Some(&Ask::Ready)), Opening::Begun);
        assert_eq!(waiting.after(None), Opening::Begun);
        assert_eq!(Opening::Begun.after(Some(&Ask::Subscribe(general()))), Opening::Begun);
    }
}
