//! Pictures for a width: nothing is cut off where there is room, and what can fit does.

mod common;

use asl_render::{TextOptions, layout, layout_within, text};
use asl_syntax::model::FlowId;
use common::definition_file;

const FARE: &str = "../../definitions/fare.asl.json";

#[test]
fn pictures_use_the_room_there_is() {
    for file in [FARE, "tests/machines/order.asl.json", "tests/machines/poll.asl.json", "tests/machines/names.asl.json"]
    {
        let definition = definition_file(file);
        let usual = layout(&definition).width;
        let (mut narrowest, mut before) = (i32::MAX, 0);
        for columns in (20..240).step_by(10) {
            let graph = layout_within(&definition, FlowId::TOP, columns);
            let fits = graph.width <= columns as i32;
            assert!(fits || columns < usual as usize, "{file}: what fits usually fits into {columns}");
            if fits {
                narrowest = narrowest.min(columns as i32);
                assert!(graph.width >= before, "{file}: more room never gives a narrower picture");
                before = graph.width;
            }
        }
        assert!(narrowest <= usual + 10, "{file}");
        // With room for everything no label is cut.
        let whole = layout_within(&definition, FlowId::TOP, usize::MAX);
        let cut = whole.edges.iter().filter_map(|edge| edge.label.as_ref()).find(|label| label.text.contains('…'));
        assert_eq!(cut, None, "{file}");
    }
}

#[test]
fn the_example_fits_into_eighty_columns() {
    let definition = definition_file(FARE);
    let picture =
        text(&layout_within(&definition, FlowId::TOP, 80), None, &TextOptions { width: 80, ..TextOptions::default() });
    assert!(picture.contains('┌') && picture.lines().all(|line| line.chars().count() <= 80), "{picture}");
    assert!(picture.contains("┌ lambda ${Payme"), "the function is named:\n{picture}");
}
