/**
 * Types of the API bodies and WebSocket messages that the scripts of the pages read. They list the
 * fields that are read, not all fields; docs/api.md and the OpenAPI document have the rest.
 */

type JobStatus =
  | "queued"
  | "launching"
  | "running"
  | "cancelling"
  | "succeeded"
  | "failed"
  | "cancelled";

/** A job as the API and both sockets summarise it. */
interface JobSummary {
  id: string;
  type: string;
  status: JobStatus;
  /** Texts for people. */
  status_label: string;
  status_text: string;
  attempt: number;
  message: string;
  progress: { fraction?: number | null; message?: string } | null;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
}

type JobCounts = Partial<Record<JobStatus, number>>;

interface LogMessage {
  kind: "log";
  attempt: number;
  /** Bytes of the log: where `text` begins and ends. */
  offset: number;
  end: number;
  text: string;
}

/** Messages of /ws/jobs/<id>/. */
type JobMessage =
  | { kind: "event"; seq: number }
  | LogMessage
  | { kind: "job"; job: JobSummary }
  | { kind: "end" };

/** Messages of /ws/projects/<slug>/. */
type ProjectMessage =
  | { kind: "snapshot"; jobs: JobSummary[]; counts: JobCounts | null }
  | { kind: "job"; job: JobSummary }
  | { kind: "counts"; counts: JobCounts }
  | { kind: "end" };

/** A page of GET /api/v1/jobs/<id>/logs/search/. */
interface LogSearchPage {
  results: { offset: number; line: number }[];
  searched_fraction: number;
  next: string | null;
}

/** Body of an error of the API. */
interface ApiErrorBody {
  code?: string;
  message?: string;
  detail?: unknown;
}

/** Body of GET and POST /session/ of the frontend. */
interface SessionState {
  username: string;
  csrf: string;
}

/** One stored line of a log, or a part of one. Offsets are bytes of the log. */
interface StoredLine {
  offset: number;
  end: number;
  number: number;
  at: string;
  stream: string;
  /** True if the line continues in the next stored line. */
  part: boolean;
  text: string;
}

/** One row of the log panel: one or more stored lines. */
interface LogRow {
  offset: number;
  end: number;
  number: number;
  /** Number of stored lines in the row. */
  count: number;
  at: string;
  stream: string;
  /** True if more parts of the line may follow. */
  open: boolean;
  /** True if the row continues the line of the row above. */
  more: boolean;
  text: string;
  element: HTMLElement | null;
  /** True if the reader asked for the whole text of a long row. */
  whole: boolean;
}

/** Settings for drawing rows: highlighted text, marked line and the "show all" handler. */
interface RowOptions {
  /** Lower-case text to highlight; empty for none. */
  query: string;
  /** Byte offset inside the marked line. */
  mark: number | null;
  onWhole: (row: LogRow) => void;
}

/** One error of a definition in the editor. */
interface DefinitionError {
  path: string;
  message: string;
  line: number;
  detail?: string;
}
