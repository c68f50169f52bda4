//! Traces: reading them and replaying them (skeleton).
