/** The history of a node as it is asked for, printed, and carried over the control socket. */
import { refuse, ok, unwrap, type Result } from '../../base/result.ts';
import { parsePeerId } from '../../ledger/identity.ts';
import type { HistoryFact, HistoryPosition } from '../../projections/history-entry.ts';
import { historyOf, MAX_HISTORY_PAGE } from '../../projections/node-history.ts';
import type { ProjectionReader } from '../../projections/projection.ts';

export interface HistoryQuery {
  /** In any form that `parsePeerId` takes. */
  readonly peerId: string;
  readonly limit: number;
  /** Entries before it; null: from the newest on. */
  readonly before: HistoryPosition | null;
}

/** An entry with its fact's fields beside its position and time. */
export type ReportedEntry = HistoryPosition & { readonly time: number } & HistoryFact;

export interface HistoryReport {
  /** Canonical. */
  readonly peerId: string;
  /** The last height that the history knows. */
  readonly height: number;
  /** Newest first. */
  readonly entries: readonly ReportedEntry[];
  /** Text of the position to ask for the next page with; null: there is none. */
  readonly next: string | null;
}

/** Reads rows of one generation to the end, of a running node or of a directory. */
export type ReadProjection = <T>(
  name: string,
  use: (reader: ProjectionReader, height: number) => Promise<T>,
) => Promise<T>;

export const DEFAULT_HISTORY_LIMIT = 50;

/**
 * Refusals: those of `parsePeerId`.
 *
 * @throws CodedError `projection-not-built`
 */
export async function historyReport(
  read: ReadProjection,
  { before, limit, peerId: text }: HistoryQuery,
): Promise<Result<HistoryReport>> {
  const identity = parsePeerId(text);
  if (!identity.ok) return identity;
  const { peerId } = identity.value;
  return read('node-history', async (reader, height) => {
    const page = await historyOf(reader, peerId, { limit, ...(before === null ? {} : { before }) });
    const entries = page.entries.map(({ fact, ...position }) => ({ ...position, ...fact }));
    return ok({ peerId, height, entries, next: page.next === null ? null : positionText(page.next) });
  });
}

/** `HEIGHT`, or `HEIGHT.INDEX` among the entries of that height. */
export function positionText({ height, index }: HistoryPosition): string {
  return `${height}.${index}`;
}

/** Of `positionText`, or a height alone: everything of that height is after it. Refusal: `request-invalid`. */
export function parsePosition(text: string): Result<HistoryPosition> {
  const match = /^(\d{1,15})(?:\.(\d{1,9}))?$/.exec(text);
  if (match === null)
    return refuse('request-invalid', 'a position is HEIGHT or HEIGHT.INDEX', { position: text.slice(0, 64) });
  return ok({ height: Number(match[1]), index: Number(match[2] ?? 0) });
}

/** @throws CodedError `request-invalid` */
export function historyQuery(peerId: string, limit: number, before: string | undefined): HistoryQuery {
  return {
    peerId,
    limit: Math.min(limit, MAX_HISTORY_PAGE),
    before: before === undefined ? null : unwrap(parsePosition(before)),
  };
}
