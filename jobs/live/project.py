"""`/ws/projects/<slug>/`: a snapshot of the newest jobs, then each changed job.

Only the latest state is sent: intermediate states are skipped.
"""

import asyncio
from typing import TypedDict
from uuid import UUID

from jobs.admission.shapes import WaitingBody
from jobs.contract import JobStatus
from jobs.live.consumers import PROJECT_GROUP, Follower, in_database
from jobs.queries.jobs import job_counts, job_list, jobs_as_dicts, jobs_by_id, recent_positions
from jobs.queries.shapes import JobBody
from jobs.reconcile.silence import AwayBody
from projects.core.access import project_for
from projects.models import Project

SNAPSHOT_JOBS = 100
WAITING_COMPARED = 100  # queued jobs whose position is sent again at each comparison
GATHER_SECONDS = 0.2  # changes within this time are sent together


class SnapshotMessage(TypedDict):
    """First message: the newest jobs, and the number of jobs by status."""

    kind: str
    jobs: list[JobBody]
    counts: dict[str, int]


class ProjectFollower(Follower):
    """Consumer that follows the jobs of one project."""

    async def open(self) -> None:
        self.slug = str(self.scope["url_route"]["kwargs"]["slug"])
        self.positions: dict[UUID, int] = {}
        self.waiting: dict[UUID, WaitingBody | None] = {}
        self.away: dict[UUID, AwayBody] = {}
        self.counts: dict[str, int] = {}
        self.snapshot_sent = False
        project = await in_database(self._project)()
        self.project_id = project.id
        self.join(PROJECT_GROUP(project.id))

    def _project(self) -> Project:
        return project_for(self.user(), self.slug)

    async def check_right(self) -> None:
        await in_database(self._project)()

    async def round(self, *, compare: bool) -> bool:
        if not self.snapshot_sent:
            await self.send_json(await in_database(self._snapshot)())
            self.snapshot_sent = True
            return False
        if not compare:
            await asyncio.sleep(GATHER_SECONDS)
        hinted, self.hinted = self.hinted, set()
        jobs = await in_database(self._changed)(hinted, compare)
        for job in jobs:
            await self.send_json({"kind": "job", "job": job})
        if jobs:
            await self._send_counts()
        return False

    async def _send_counts(self) -> None:
        counts = await in_database(self._counts)()
        if counts != self.counts:
            self.counts = counts
            await self.send_json({"kind": "counts", "counts": counts})

    def _counts(self) -> dict[str, int]:
        return job_counts(project=project_for(self.user(), self.slug))

    def _snapshot(self) -> SnapshotMessage:
        project = project_for(self.user(), self.slug)
        self.positions = recent_positions(project_id=project.id, limit=SNAPSHOT_JOBS)
        self.counts = job_counts(project=project)
        jobs = list(job_list(project=project).order_by("-created_at", "-id")[:SNAPSHOT_JOBS])
        bodies = jobs_as_dicts(jobs)
        self.waiting = {
            UUID(job["id"]): job["waiting"] for job in bodies if job["status"] == JobStatus.QUEUED
        }
        self.away = {UUID(job["id"]): job["away"] for job in bodies if job["away"]}
        return {"kind": "snapshot", "jobs": bodies, "counts": self.counts}

    def _changed(self, hinted: set[str], compare: bool) -> list[JobBody]:
        """Return the jobs to send: hinted ones, and at a comparison the changed ones."""
        ids = {UUID(text) for text in hinted if text}
        if compare:
            now = recent_positions(project_id=self.project_id, limit=SNAPSHOT_JOBS)
            ids |= {job_id for job_id, seq in now.items() if self.positions.get(job_id) != seq}
            ids |= set(list(self.waiting)[:WAITING_COMPARED]) | set(
                list(self.away)[:WAITING_COMPARED]
            )
        if not ids:
            return []
        jobs = jobs_by_id(project_id=self.project_id, ids=list(ids))
        moved = {job.id for job in jobs if self.positions.get(job.id) != job.event_seq}
        self.positions.update({job.id: job.event_seq for job in jobs})
        bodies = jobs_as_dicts(jobs)
        to_send = [
            job for job in bodies if UUID(job["id"]) in moved or self._differs_from_sent(job)
        ]
        for job in bodies:
            if job["away"]:
                self.away[UUID(job["id"])] = job["away"]
            else:
                self.away.pop(UUID(job["id"]), None)
            if job["status"] == JobStatus.QUEUED:
                self.waiting[UUID(job["id"])] = job["waiting"]
            else:
                self.waiting.pop(UUID(job["id"]), None)
        return to_send

    def _differs_from_sent(self, job: JobBody) -> bool:
        """Return whether queue position or reachability differ from the last message."""
        job_id = UUID(job["id"])
        return bool(
            job["waiting"] != self.waiting.get(job_id) or job["away"] != self.away.get(job_id)
        )
