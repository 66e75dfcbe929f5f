//! Leases on machines whose clocks are set and that are paused.

use asl_sim::Dice;
use asl_sim::leases::{Judge, watch};

#[test]
fn nobody_at_work_is_taken_for_gone_and_the_dead_are_noticed() {
    for seed in 0..300 {
        let went = watch(&mut Dice::seeded(seed), Judge::Watching);
        assert_eq!(went, Ok(()), "seed {seed}");
    }
}

#[test]
fn judges_that_read_clocks_are_found_out() {
    for judge in [Judge::WallClock, Judge::AllTime] {
        let found = (0..60).find_map(|seed| watch(&mut Dice::seeded(seed), judge).err());
        assert!(found.is_some_and(|what| what.contains("is at work, and was taken for gone")), "{judge:?}");
    }
}
