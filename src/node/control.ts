/**
 * The control endpoint of a running node: HTTP over a unix-domain socket inside its data directory, which only the
 * user that runs the node can open. It is how the other commands talk to a node on the same machine.
 *
 *   GET  /status    NodeStatus
 *   GET  /health    {healthy, components}; status 503 when a component is not healthy
 *   GET  /commits   one CommitNotice a line, from now on, until the client hangs up
 *   POST /read      {peerId, maxAgeMs?, from?} -> ReadReport, or 422 with the refusal
 *   POST /snapshot  {} -> the snapshot that was made, or 422 with the refusal
 *   POST /stop      202, and the node stops
 *   /raft/...       of a node that runs Raft (`control-raft.ts`)
 *   /ledger...      the blocks and the state, for a replay (`control-replay.ts`)
 *   POST /history, /statistics, /at, /export, /rebuild   about its own ledger (`control-ledger.ts`)
 */
import { chmod, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { z } from 'zod';
import { CodedError, codedError, ok, refuse, type Result } from '../base/result.ts';
import { stringifyWithDigits } from '../ledger/record-view.ts';
import { addLedgerRoutes } from './control-ledger.ts';
import { addRaftRoutes } from './control-raft.ts';
import { crashOnly } from './snapshot/stopped-ledger.ts';
import { addReplayRoutes } from './control-replay.ts';
import { socketPath } from './socket-path.ts';
import type { ReadOptions, RunningNode } from './status.ts';

/** A watcher that has this much unread is cut off. */
const MAX_WATCHER_BACKLOG_BYTES = 4 * 1024 * 1024;
const MAX_BODY_BYTES = 16 * 1024;

const readRequest = z.strictObject({
  peerId: z.string().max(128),
  maxAgeMs: z.number().positive().optional(),
  from: z.string().max(256).optional(),
});

/** Of the body of POST /read, parsed from JSON. Refusal: `request-invalid`. */
export function parseReadRequest(body: unknown): Result<{ readonly peerId: string; readonly options: ReadOptions }> {
  const parsed = readRequest.safeParse(body);
  if (!parsed.success) return refuse('request-invalid', parsed.error.message);
  const { peerId, maxAgeMs, from } = parsed.data;
  const options = { ...(maxAgeMs === undefined ? {} : { maxAgeMs }), ...(from === undefined ? {} : { from }) };
  return ok({ peerId, options });
}

export interface ControlOptions {
  readonly socket: string;
  readonly node: RunningNode;
  /** Called once, after the answer to POST /stop went out. */
  readonly stop: () => void;
}

/**
 * @returns a function that closes the endpoint
 * @throws CodedError `node-already-running`, `control-path-too-long`
 */
export async function startControl(options: ControlOptions): Promise<() => Promise<void>> {
  const path = socketPath(options.socket);
  await clearStaleSocket(options.socket, path);
  const server = fastify({ logger: false, bodyLimit: MAX_BODY_BYTES, forceCloseConnections: true });
  addRoutes(server, options);
  await server.listen({ path });
  await chmod(options.socket, 0o600);
  return async () => {
    await server.close();
    await rm(options.socket, { force: true });
  };
}

function addRoutes(server: FastifyInstance, { node, stop }: ControlOptions): void {
  server.get('/status', (_request, reply) => send(reply, 200, node.status()));
  server.get('/health', (_request, reply) => {
    const { components } = node.status();
    const healthy = components.every((component) => component.healthy);
    return send(reply, healthy ? 200 : 503, { healthy, components });
  });
  server.get('/commits', (_request, reply) => {
    streamCommits(node, reply);
  });
  server.post('/read', async (request, reply) => {
    const parsed = parseReadRequest(request.body);
    if (!parsed.ok) return send(reply, 400, parsed.refusal);
    const read = await node.read(parsed.value.peerId, parsed.value.options);
    return read.ok ? send(reply, 200, read.value) : send(reply, 422, read.refusal);
  });
  server.post('/snapshot', async (_request, reply) => {
    try {
      if (node.snapshots === null) throw crashOnly();
      return await send(reply, 200, await node.snapshots.create());
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      const { code, details, message } = error;
      return send(reply, 422, { code, details, message });
    }
  });
  addRaftRoutes(server, node.raft, send);
  addLedgerRoutes(server, node.ledger, send);
  addReplayRoutes(server, node.views, send);
  server.post('/stop', (_request, reply) => {
    reply.raw.once('finish', stop);
    return send(reply, 202, { stopping: true });
  });
}

function send(reply: FastifyReply, status: number, body: unknown): FastifyReply {
  return reply.code(status).type('application/json').send(stringifyWithDigits(body));
}

function streamCommits(node: RunningNode, reply: FastifyReply): void {
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, { 'content-type': 'application/x-ndjson' });
  raw.flushHeaders();
  const end = node.onCommit((notice) => {
    if (raw.writableLength > MAX_WATCHER_BACKLOG_BYTES) raw.destroy();
    else raw.write(`${stringifyWithDigits(notice)}\n`);
  });
  raw.once('close', end);
}

/** A socket that nobody answers on was left by a killed process. */
async function clearStaleSocket(socket: string, path: string): Promise<void> {
  const answered = await new Promise<boolean>((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => {
      resolve(false);
    });
  });
  if (answered) {
    throw codedError('node-already-running', `a node answers on ${socket}; stop it first`, { socket });
  }
  await rm(socket, { force: true });
}
