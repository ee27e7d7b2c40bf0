"""Kills, stops and forced interleavings on a real installation.

Each job must end once, no attempt may run twice, and nothing may be left behind.

`PROMISES` names the test for each promised point and interleaving: (what, file, test, parameter or
""). A test checks that each named test and crash point exists.
"""

PROMISES = (
    (
        "before attempt commit",
        "test_kills",
        "test_a_process_of_ours_dies_at",
        "admit.before_commit",
    ),
    ("after attempt commit", "test_kills", "test_a_process_of_ours_dies_at", "admit.after_commit"),
    (
        "after spawn before the worker's lock: the starter",
        "test_kills",
        "test_a_process_of_ours_dies_at",
        "launch.after_spawn",
    ),
    (
        "after spawn before the worker's lock: the worker's first stage",
        "test_kills",
        "test_a_process_of_ours_dies_at",
        "worker.before_fork",
    ),
    (
        "after spawn before the worker's pid is known",
        "test_kills",
        "test_a_process_of_ours_dies_at",
        "worker.after_fork",
    ),
    (
        "between lock and fork",
        "test_kills",
        "test_a_process_of_ours_dies_at",
        "launch.between_lock_and_fork",
    ),
    (
        "after claim commit before its answer: worker repeats",
        "test_kills",
        "test_a_process_of_ours_dies_at",
        "claim.after_commit_before_answer",
    ),
    (
        "after claim commit before its answer: worker dead",
        "test_kills",
        "test_a_claim_whose_worker_died_before_the_answer_is_tried_again",
        "",
    ),
    (
        "after claim commit before its answer: attempt fenced",
        "test_kills",
        "test_an_attempt_fenced_while_its_claim_is_answered_does_nothing",
        "",
    ),
    (
        "after chunk append before its answer",
        "test_kills",
        "test_a_process_of_ours_dies_at",
        "log.after_append_before_answer",
    ),
    (
        "after chunk append, two copies in flight",
        "test_copies",
        "test_two_copies_of_a_chunk_in_flight_are_stored_once",
        "",
    ),
    (
        "between finish commit and its answer",
        "test_outcome",
        "test_web_dies_and_one_version_is_written",
        "finish.after_commit_before_answer",
    ),
    (
        "finish in flight: worker dead",
        "test_outcome",
        "test_a_finish_in_flight_meets",
        "worker dies",
    ),
    ("finish in flight: fenced", "test_outcome", "test_a_finish_in_flight_meets", "fence"),
    ("finish in flight: cancelling", "test_outcome", "test_a_finish_in_flight_meets", "cancel"),
    (
        "inside the outcome",
        "test_outcome",
        "test_web_dies_and_one_version_is_written",
        "outcome.inside",
    ),
    (
        "inside the outcome of the other types",
        "test_outcome",
        "test_web_dies_and_another_types_outcome_is_applied_once",
        "",
    ),
    (
        "finish of the other types in flight",
        "test_outcome",
        "test_a_finish_of_another_type_in_flight_meets",
        "",
    ),
    (
        "between close and seal",
        "test_kills",
        "test_a_process_of_ours_dies_at",
        "log.after_close_before_seal",
    ),
    (
        "after the object before the pointer",
        "test_kills",
        "test_a_process_of_ours_dies_at",
        "log.after_object_before_pointer",
    ),
    (
        "a second sealer after the first",
        "test_copies",
        "test_a_second_sealer_leaves_one_object",
        "",
    ),
    ("before clean-up", "test_kills", "test_a_process_of_ours_dies_at", "clean_up.before"),
    (
        "supervisor only while its workload lives",
        "test_kills",
        "test_the_supervisor_alone_is_killed_while_its_workload_lives",
        "",
    ),
    (
        "one reconciler held for a claim",
        "test_interleavings",
        "test_a_claim_lands_while_reconcilers_hold_older_lists",
        "one",
    ),
    (
        "two reconcilers held for a claim",
        "test_interleavings",
        "test_a_claim_lands_while_reconcilers_hold_older_lists",
        "two",
    ),
    (
        "decision, then claim, then commit",
        "test_interleavings",
        "test_a_claim_between_the_decision_to_end_and_its_commit_wins",
        "",
    ),
    (
        "launch message dropped, then cancel",
        "test_messages",
        "test_a_dropped_launch_message_and_a_cancel_start_nothing",
        "",
    ),
    (
        "job ended with its worker alive while room is asked",
        "test_interleavings",
        "test_a_worker_that_outlives_its_job_holds_its_capacity",
        "",
    ),
    (
        "an append between a sealer's read and its pointer",
        "test_copies",
        "test_an_append_between_a_sealers_read_and_its_pointer_is_refused",
        "",
    ),
    (
        "SIGSTOP of the lease holder for longer than the lease",
        "test_stops",
        "test_the_leader_is_stopped_for_longer_than_its_lease",
        "",
    ),
    (
        "SIGSTOP of the dispatcher inside the admission",
        "test_stops",
        "test_a_dispatcher_stopped_inside_the_admission_stops_it_for_seconds_only",
        "",
    ),
    ("PostgreSQL killed", "test_kills", "test_a_process_is_killed_while_jobs_run", "postgres"),
    ("Valkey killed", "test_kills", "test_a_process_is_killed_while_jobs_run", "valkey"),
    ("web killed", "test_kills", "test_a_process_is_killed_while_jobs_run", "web"),
    ("frontend killed", "test_kills", "test_a_process_is_killed_while_jobs_run", "frontend"),
    ("workers killed", "test_kills", "test_workers_are_killed_at_random_moments", ""),
    (
        "Valkey away for 30 s",
        "test_stops",
        "test_valkey_down_for_half_a_minute_only_delays_jobs",
        "",
    ),
    ("Valkey emptied", "test_messages", "test_an_emptied_valkey_only_delays_jobs", ""),
    (
        "every RQ message dropped",
        "test_messages",
        "test_with_every_message_dropped_jobs_start_in_the_same_order",
        "",
    ),
    (
        "crash points are refused in production",
        "test_refused",
        "test_production_refuses_crash_points",
        "",
    ),
)
