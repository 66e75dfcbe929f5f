//! asl-syntax
