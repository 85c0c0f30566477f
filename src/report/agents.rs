//! Where the time went: each agent's work, its waiting, and the queue before it.

use super::bars::bar;
use super::markup::escape;
use super::model::{AgentReport, Report};
use super::number::{count, duration};

/// The agents of all inputs together.
pub fn agents(report: &Report) -> String {
    let all = summed(report);
    if all.is_empty() {
        return "<p class=\"quiet\">The run has left no times: it did not come to its end, or had \
                nothing to do.</p>"
            .into();
    }
    let most = all.iter().map(|agent| agent.busy_ms + agent.waiting_ms).max().unwrap_or(0) as f64;
    let row = |agent: &AgentReport| {
        let parts = [("work", agent.busy_ms as f64), ("wait", agent.waiting_ms as f64)];
        format!(
            "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td class=\"wide\">{}</td></tr>",
            escape(&agent.agent),
            duration(agent.busy_ms as f64 / 1e3),
            duration(agent.waiting_ms as f64 / 1e3),
            count(agent.longest_queue),
            bar(&parts, most)
        )
    };
    format!(
        "<div class=\"scroll\"><table><thead><tr><th>agent</th><th class=\"n\">at work</th>\
         <th class=\"n\">waiting</th><th class=\"n\">longest queue</th>\
         <th class=\"wide\"><span class=\"key work\"></span> at work \
         <span class=\"key wait\"></span> waiting</th></tr></thead><tbody>{}</tbody></table></div>\
         <p class=\"quiet\">Times of all threads of an agent together; waiting is for memory or for \
         room in the next queue. The longest queue is the most chunks that ever waited.</p>",
        all.iter().map(row).collect::<String>()
    )
}

fn summed(report: &Report) -> Vec<AgentReport> {
    let mut all: Vec<AgentReport> = Vec::new();
    for agent in report.inputs.iter().flat_map(|input| &input.agents) {
        match all.iter_mut().find(|known| known.agent == agent.agent) {
            None => all.push(agent.clone()),
            Some(known) => {
                known.rows += agent.rows;
                known.busy_ms += agent.busy_ms;
                known.waiting_ms += agent.waiting_ms;
                known.longest_queue = known.longest_queue.max(agent.longest_queue);
            }
        }
    }
    all
}
