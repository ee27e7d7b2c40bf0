"""In-memory source of waiting jobs, with the same groups and heads as the database."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from jobs.admission.candidates import CandidateGroup, Depths, GroupLine
from jobs.admission.decide import admit
from jobs.admission.lines import NEVER_MAX, Line, Relevant
from jobs.admission.snapshot_types import Candidate, Snapshot


def group_of(job: Candidate) -> CandidateGroup:
    """Return the group of equal requests that a waiting job belongs to."""
    return CandidateGroup(
        project=job.project,
        type=job.type,
        priority=job.priority,
        cluster=job.cluster,
        region=job.region,
        cpu_millicores=job.cpu_millicores,
        memory_bytes=job.memory_bytes,
        gpus=job.gpus,
        keyed=job.exclusive_key != "",
        retried=job.not_before > 0,
        archived=job.archived,
    )


class ListedQueue:
    """The waiting jobs of a complete snapshot. `rows_read` counts the candidates of all heads."""

    def __init__(self, view: Snapshot) -> None:
        self._view = view
        self._held = {each.exclusive_key for each in view.allocations if each.exclusive_key}
        self._jobs: dict[CandidateGroup, list[Candidate]] = {}
        self._by_age = sorted(view.waiting, key=lambda each: (each.queued_at, each.job_id))
        for job in self._by_age:
            self._jobs.setdefault(group_of(job), []).append(job)
        self.rows_read = 0

    def groups(self, most: int) -> Sequence[CandidateGroup] | None:
        return None if len(self._jobs) > most else list(self._jobs)

    def first(self, depth: int, relevant: Relevant) -> Mapping[Line, Sequence[Candidate]]:
        lines: dict[Line, list[Candidate]] = {}
        for job in self._by_age:
            line = lines.setdefault((job.project, job.priority), [])
            if len(line) < depth and relevant.includes(job):
                line.append(job)
        self.rows_read += sum(map(len, lines.values()))
        return {line: jobs for line, jobs in lines.items() if jobs}

    def following(self, after: Candidate, depth: int, relevant: Relevant) -> Sequence[Candidate]:
        line = [
            job
            for job in self._by_age
            if (job.project, job.priority) == (after.project, after.priority)
            and (job.queued_at, job.job_id) > (after.queued_at, after.job_id)
            and relevant.includes(job)
        ]
        self.rows_read += len(line[:depth])
        return line[:depth]

    def never_fit(self, queued_since: float) -> tuple[Sequence[UUID], bool]:
        never = set(admit(self._view).never)
        ids = [
            job.job_id
            for job in self._by_age
            if job.job_id in never and job.queued_at >= queued_since
        ]
        return ids[:NEVER_MAX], len(ids) >= NEVER_MAX

    def heads(self, depths: Depths) -> Mapping[GroupLine, Sequence[Candidate]]:
        lines: dict[GroupLine, list[Candidate]] = {}
        for group, depth in depths.items():
            for reserves, job in self._able(group):
                line = lines.setdefault((group, reserves), [])
                if len(line) < depth:
                    line.append(job)
        self.rows_read += sum(map(len, lines.values()))
        return lines

    def unplaceable(self, groups: Sequence[CandidateGroup]) -> tuple[Sequence[UUID], bool]:
        ids = [job.job_id for group in groups for job in self._jobs[group] if self._is_due(job)]
        return ids[:NEVER_MAX], len(ids) >= NEVER_MAX

    def _able(self, group: CandidateGroup) -> list[tuple[bool, Candidate]]:
        """Return the jobs to consider, each with whether it is a retry that may reserve."""
        if not (group.keyed or group.retried):
            return [(False, job) for job in self._jobs[group]]
        able: list[tuple[bool, Candidate]] = []
        keys: set[tuple[str, bool]] = set()
        for job in self._jobs[group]:
            waited = self._view.now - max(job.queued_at, job.not_before)
            reserves = group.retried and waited >= self._view.reserve_after_seconds
            key = job.exclusive_key, reserves
            if self._is_due(job) and job.exclusive_key not in self._held and key not in keys:
                able.append((reserves, job))
                keys |= {key} if job.exclusive_key else set()
        return able

    def _is_due(self, job: Candidate) -> bool:
        return job.not_before <= self._view.now and not job.previous_alive
