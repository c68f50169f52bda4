//! To come. Nothing is here yet.
