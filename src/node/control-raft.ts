/**
 * What the control endpoint of a node that runs Raft takes beside:
 *
 *   GET  /raft/status    RaftReport
 *   POST /raft/change    RaftChange -> {index}
 *   POST /raft/transfer  {to: id or null} -> {leader}
 *   POST /raft/snapshot  {lastIndex, isNew}
 *   POST /raft/base      {index}
 *   POST /raft/name      {servers: [{id, address}]} -> {named}
 *   POST /raft/list      the operator's signed list of the cluster -> the same, when it is taken
 *
 * 422 with the refusal of the engine or the shell; 409 `not-a-raft-node` on a node that runs none.
 */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import { CodedError, ok, refuse, type Result } from '../base/result.ts';
import type { RaftChange, RaftOperations } from './raft/operations.ts';

const name = z.string().min(1).max(512);
const changeRequest = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.enum(['add-voter', 'add-nonvoter']), id: name, address: name }),
  z.strictObject({ kind: z.enum(['demote', 'remove']), id: name }),
]);
const nameRequest = z.strictObject({
  servers: z
    .array(z.strictObject({ id: name, address: name }))
    .min(1)
    .max(1024),
});
const transferRequest = z.strictObject({ to: name.nullable() });

/** Refusal: `request-invalid`. */
export function parseRaftChange(body: unknown): Result<RaftChange> {
  return parsed<RaftChange>(changeRequest, body);
}

/** Names of a thousand servers. */
const LARGE = { bodyLimit: 1 << 20 };

type Send = (reply: FastifyReply, status: number, body: unknown) => FastifyReply;

export function addRaftRoutes(server: FastifyInstance, raft: RaftOperations | null, send: Send): void {
  const answer = async (
    reply: FastifyReply,
    work: (operations: RaftOperations) => Promise<Result<unknown>>,
  ): Promise<FastifyReply> => {
    if (raft === null) return send(reply, 409, refuse('not-a-raft-node', 'this node runs no Raft').refusal);
    const outcome = await work(raft).catch(refusalOf);
    return outcome.ok ? send(reply, 200, outcome.value) : send(reply, 422, outcome.refusal);
  };
  server.get('/raft/status', (_, reply) => answer(reply, async (operations) => ok(operations.report())));
  server.post('/raft/change', (request, reply) =>
    answer(reply, async (operations) => {
      const change = parseRaftChange(request.body);
      return change.ok ? operations.change(change.value) : change;
    }),
  );
  server.post('/raft/transfer', (request, reply) =>
    answer(reply, async (operations) => {
      const transfer = parsed(transferRequest, request.body);
      return transfer.ok ? operations.transfer(transfer.value.to) : transfer;
    }),
  );
  server.post('/raft/snapshot', (_, reply) => answer(reply, (operations) => operations.snapshot()));
  server.post('/raft/base', (_, reply) => answer(reply, (operations) => operations.base()));
  server.post('/raft/name', LARGE, (request, reply) =>
    answer(reply, async (operations) => {
      const named = parsed(nameRequest, request.body);
      return named.ok ? operations.name(named.value.servers) : named;
    }),
  );
  server.post('/raft/list', LARGE, (request, reply) =>
    answer(reply, (operations) => operations.replaceList(request.body)),
  );
}

function parsed<T>(schema: z.ZodType<T>, body: unknown): Result<T> {
  const result = schema.safeParse(body);
  return result.success ? ok(result.data) : refuse('request-invalid', result.error.message);
}

/** What the shell throws with a code is an answer; anything else is our own bug, and the server says 500. */
function refusalOf(error: unknown): Result<never> {
  if (error instanceof CodedError) return { ok: false, refusal: error };
  throw error;
}
