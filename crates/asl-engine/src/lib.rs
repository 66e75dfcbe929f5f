//! asl-engine
