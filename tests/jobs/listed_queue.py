"""In-memory source of waiting jobs, with the same groups and heads as the database."""

from collections.abc import Mapping, Sequence
from functools import partial
from uuid import UUID

from jobs.admission.candidates import NEVER_MAX, CandidateGroup, Depths, Exclusion, Line, turn
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
        for job in sorted(view.waiting, key=lambda each: (each.queued_at, each.job_id)):
            self._jobs.setdefault(group_of(job), []).append(job)
        self.rows_read = 0

    def groups(self, most: int) -> Sequence[CandidateGroup] | None:
        return None if len(self._jobs) > most else list(self._jobs)

    def oldest(self, depth: int, exclude: Exclusion) -> Mapping[str, Sequence[Candidate]]:
        lines: dict[str, list[Candidate]] = {}
        for job in sorted(self._view.waiting, key=partial(turn, view=self._view)):
            blocked = job.project in exclude.projects or job.type in exclude.types or job.archived
            if blocked or not self._is_due(job) or job.exclusive_key in self._held:
                continue
            line = lines.setdefault(job.project, [])
            if len(line) < depth:
                line.append(job)
        self.rows_read += sum(map(len, lines.values()))
        return lines

    def all(self) -> tuple[Candidate, ...]:
        return self._view.waiting

    def heads(self, depths: Depths) -> Mapping[Line, Sequence[Candidate]]:
        lines: dict[Line, list[Candidate]] = {}
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
