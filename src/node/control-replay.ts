/**
 * What the control endpoint gives to a process that replays the ledger while the node runs (`ledger-views.ts`):
 *
 *   GET    /ledger                          LedgerFacts
 *   GET    /ledger/blocks?from=&to=         a page of encoded sealed blocks (`ledger-pages.ts`)
 *   POST   /ledger/views                    {view, facts, signs: [[key, value]]}, in hex
 *   GET    /ledger/views/ID/rows?gte=&lt=   a page of keys and values by turns; the bounds of the range in hex
 *   DELETE /ledger/views/ID
 *
 * 422 with the refusal.
 */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import { fromHex, toHex } from '../base/bytes.ts';
import { CodedError, ok, refuse, type Result } from '../base/result.ts';
import type { KeyRange } from '../store/store.ts';
import { pageOf } from './ledger-pages.ts';
import type { LedgerAccess } from './ledger-views.ts';

type Send = (reply: FastifyReply, status: number, body: unknown) => FastifyReply;

const height = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const blocksRequest = z.strictObject({ from: height, to: height });
const MAX_KEY_DIGITS = 8192;
const key = z.string().max(MAX_KEY_DIGITS).optional();
const rowsRequest = z.strictObject({ gte: key, gt: key, lt: key, lte: key });
const viewRequest = z.strictObject({ view: height });

/** Refusal: `request-invalid`. */
export function parseBlocksRequest(query: unknown): Result<z.infer<typeof blocksRequest>> {
  return parsed(blocksRequest, query);
}

/** Refusal: `request-invalid`. */
export function parseRowsRequest(query: unknown): Result<KeyRange> {
  const request = parsed(rowsRequest, query);
  if (!request.ok) return request;
  const range: Record<string, Uint8Array> = {};
  for (const [bound, digits] of Object.entries(request.value)) {
    if (digits === undefined) continue;
    const bytes = fromHex(digits);
    if (bytes === undefined) return refuse('request-invalid', `${bound} is not in lowercase hex digits`);
    range[bound] = bytes;
  }
  return ok(range);
}

export function addReplayRoutes(server: FastifyInstance, views: LedgerAccess, send: Send): void {
  const answer = async (
    reply: FastifyReply,
    work: () => Promise<Result<unknown>>,
    form: 'json' | 'page' = 'json',
  ): Promise<FastifyReply> => {
    const outcome = await work().catch(refusalOf);
    if (!outcome.ok) return send(reply, 422, outcome.refusal);
    if (form === 'json') return send(reply, 200, outcome.value);
    return reply.code(200).type('application/octet-stream').send(outcome.value);
  };
  server.get('/ledger', (_, reply) => answer(reply, async () => ok(await views.facts())));
  server.get('/ledger/blocks', (request, reply) => answer(reply, () => blocksPage(views, request.query), 'page'));
  server.post('/ledger/views', (_, reply) =>
    answer(reply, async () => {
      const { signs, ...opened } = await views.open();
      return ok({ ...opened, signs: signs.map((entry) => entry.map(toHex)) });
    }),
  );
  server.get('/ledger/views/:view/rows', (request, reply) =>
    answer(reply, () => rowsPage(views, request.params, request.query), 'page'),
  );
  server.delete('/ledger/views/:view', (request, reply) =>
    answer(reply, async () => {
      const view = parsed(viewRequest, request.params);
      if (!view.ok) return view;
      await views.close(view.value.view);
      return ok({ closed: true });
    }),
  );
}

async function blocksPage(views: LedgerAccess, query: unknown): Promise<Result<Buffer>> {
  const request = parseBlocksRequest(query);
  if (!request.ok) return request;
  return ok(pageOf(await views.blocks(request.value.from, request.value.to)));
}

async function rowsPage(views: LedgerAccess, params: unknown, query: unknown): Promise<Result<Buffer>> {
  const view = parsed(viewRequest, params);
  if (!view.ok) return view;
  const range = parseRowsRequest(query);
  if (!range.ok) return range;
  return ok(pageOf((await views.rows(view.value.view, range.value)).flat()));
}

function parsed<T>(schema: z.ZodType<T>, value: unknown): Result<T> {
  const result = schema.safeParse(value);
  return result.success ? ok(result.data) : refuse('request-invalid', result.error.message);
}

function refusalOf(error: unknown): Result<never> {
  if (error instanceof CodedError) return refuse(error.code, error.message, error.details);
  throw error;
}
