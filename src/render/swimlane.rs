use crate::plan::Plan;

/// x
pub fn swimlane_svg(_plan: &Plan) -> String {
    String::new()
}
