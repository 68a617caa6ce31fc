"""The runbook of one run: a bit of everything that a maintenance can do, on things of its own."""

RUNBOOK = """\
name: work-{run}
title: Work {run}
window: {{duration: 1h}}
steps:
  - id: banner
    uses: banner.on
    needs: []
    approval: {{count: {banner}}}
    retry: &soon {{attempts: 8, wait: 1s, longest_wait: 4s}}
    with: {{repository: {theme}, text: Maintenance {run} tonight, url: "https://example.com/"}}
  - id: page
    uses: statuspage.schedule
    needs: []
    approval: false
    retry: *soon
    with: {{page: {page}, components: [App {run}], public: "{public}"}}
  - id: tell
    uses: intercom.message
    needs: [banner]
    approval: {{count: 1}}
    retry: *soon
    with: {{body: "Work {run}: we will be down tonight.", read_back_after_s: 2}}
  - id: page-begin
    uses: statuspage.begin
    needs: [page, tell]
    when: start
    retry: *soon
    with: &shown {{page: {page}, public: "{public}"}}
  - id: off
    uses: app.off
    needs: [page-begin]
    approval: {{count: {off}}}
    retry: *soon
    with: &app
      turn_off: {{url: "{app}/admin/maintenance", method: PUT, body: {{enabled: true}}}}
      turn_on: {{url: "{app}/admin/maintenance", method: PUT, body: {{enabled: false}}}}
      read: {{url: "{app}/admin/maintenance", field: maintenance}}
  - id: baseline
    uses: postgres.baseline
    retry: *soon
    with: {{dbname: {database}, probes: {{count: SELECT count(*) FROM orders}}, runs: 1, busiest: 0}}
  - id: work
    uses: command
    approval: false
    with: {{argv: [sh, -c, "set -e; echo begun >> {effect}; sleep 0.3; echo done >> {effect}"]}}
  - {{id: vacuum, uses: postgres.vacuum, needs: [baseline], retry: *soon, with: {{databases: [{database}]}}}}
  - id: gate
    uses: postgres.gate
    needs: [vacuum, work]
    retry: *soon
    with: {{dbname: {database}, baseline: baseline, factor: 1000, grace_ms: 20000, runs: 1}}
  - {{id: back, uses: app.on, approval: {{count: 1}}, retry: *soon, with: *app}}
  - {{id: page-verify, uses: statuspage.verify, needs: [gate], retry: *soon, with: *shown}}
  - {{id: page-done, uses: statuspage.complete, needs: [back, page-verify], retry: *soon, with: *shown}}
  - {{id: down, uses: banner.off, needs: [back, banner], approval: false, retry: *soon, with: {{repository: {theme}}}}}
  - {{id: report, uses: report, needs: [page-done, down]}}
"""
