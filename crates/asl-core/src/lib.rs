//! asl-core
