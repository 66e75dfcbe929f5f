//! asl-journal
