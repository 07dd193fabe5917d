/**
 * What the control endpoint takes about the node's own ledger:
 *
 *   POST /history   {peerId, limit, before: {height, index} or null} -> HistoryReport
 *   POST /statistics   {days, epochs}: how many of the newest -> StatisticsReport
 *   POST /at        {peerId, height} -> {answer}: what proves the record at that height, in base64
 *   POST /export    ExportQuery -> lines, as fast as they are read; the header `hotledger-height` names their height
 *   POST /rebuild   {projections: names, none for all} -> {projections}
 *
 * 422 with the refusal.
 */
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import { CodedError, ok, refuse, type Result } from '../base/result.ts';
import { MAX_HISTORY_PAGE } from '../projections/node-history.ts';
import { EXPORT_FORMATS, type ExportQuery } from './projections/export.ts';
import type { HistoryQuery } from './projections/history-report.ts';
import type { LedgerOperations } from './projections/ledger-reads.ts';
import { MAX_PERIODS, type StatisticsQuery } from './projections/statistics-report.ts';

/** An export that nobody has read from for so long is ended: the store keeps for it what it held when it began. */
const EXPORT_STALL_MS = 120_000;

const peerId = z.string().max(128);
const height = z.int().nonnegative();
const format = z.enum(EXPORT_FORMATS);

const historyRequest = z.strictObject({
  peerId,
  limit: z.int().min(1).max(MAX_HISTORY_PAGE),
  before: z.strictObject({ height, index: z.int().nonnegative() }).nullable(),
});
const periods = z.int().nonnegative().max(MAX_PERIODS);
const statisticsRequest = z.strictObject({ days: periods, epochs: periods });
const atRequest = z.strictObject({ peerId, height });
const exportRequest = z.discriminatedUnion('what', [
  z.strictObject({ what: z.literal('state'), format }),
  z.strictObject({ what: z.literal('events'), format, from: height.nullable(), to: height.nullable() }),
]);
const rebuildRequest = z.strictObject({ projections: z.array(z.string().max(64)).max(64) });

/** Refusal: `request-invalid`. */
export function parseHistoryRequest(body: unknown): Result<HistoryQuery> {
  return parsed(historyRequest, body);
}

/** Refusal: `request-invalid`. */
export function parseStatisticsRequest(body: unknown): Result<StatisticsQuery> {
  return parsed(statisticsRequest, body);
}

/** Refusal: `request-invalid`. */
export function parseAtRequest(body: unknown): Result<{ readonly peerId: string; readonly height: number }> {
  return parsed(atRequest, body);
}

/** Refusal: `request-invalid`. */
export function parseExportRequest(body: unknown): Result<ExportQuery> {
  return parsed(exportRequest, body);
}

/** Refusal: `request-invalid`. */
export function parseRebuildRequest(body: unknown): Result<{ readonly projections: readonly string[] }> {
  return parsed(rebuildRequest, body);
}

type Send = (reply: FastifyReply, status: number, body: unknown) => FastifyReply;

export function addLedgerRoutes(server: FastifyInstance, ledger: LedgerOperations, send: Send): void {
  const answer = async <T>(
    reply: FastifyReply,
    request: Result<T>,
    work: (request: T) => Promise<Result<unknown>> | Result<unknown>,
  ): Promise<FastifyReply> => {
    if (!request.ok) return send(reply, 400, request.refusal);
    const outcome = await attempt(() => work(request.value));
    return outcome.ok ? send(reply, 200, outcome.value) : send(reply, 422, outcome.refusal);
  };
  server.post('/history', ({ body }, reply) =>
    answer(reply, parseHistoryRequest(body), (query) => ledger.history(query)),
  );
  server.post('/statistics', ({ body }, reply) =>
    answer(reply, parseStatisticsRequest(body), (query) => ledger.statistics(query)),
  );
  server.post('/at', ({ body }, reply) =>
    answer(reply, parseAtRequest(body), (asked) => ledger.at(asked.peerId, asked.height)),
  );
  server.post('/rebuild', ({ body }, reply) =>
    answer(reply, parseRebuildRequest(body), ({ projections }) => ledger.rebuild(projections)),
  );
  server.post('/export', async ({ body }, reply) => {
    const query = parseExportRequest(body);
    if (!query.ok) return send(reply, 400, query.refusal);
    const outcome = await attempt(() => ledger.export(query.value));
    if (!outcome.ok) return send(reply, 422, outcome.refusal);
    const { close, height: at, lines } = outcome.value;
    const { raw } = reply;
    raw.once('close', () => void close());
    raw.setTimeout(EXPORT_STALL_MS, () => raw.destroy());
    return reply
      .code(200)
      .type('text/plain')
      .header('hotledger-height', at)
      .send(Readable.from(lines, { highWaterMark: 2 }));
  });
}

async function attempt<T>(work: () => Promise<Result<T>> | Result<T>): Promise<Result<T>> {
  try {
    return await work();
  } catch (error) {
    // What is thrown with a code is an answer; anything else is our own bug, and the server says 500.
    if (error instanceof CodedError) return refuse(error.code, error.message, error.details);
    throw error;
  }
}

function parsed<T>(schema: z.ZodType<T>, body: unknown): Result<T> {
  const result = schema.safeParse(body);
  return result.success ? ok(result.data) : refuse('request-invalid', result.error.message);
}
