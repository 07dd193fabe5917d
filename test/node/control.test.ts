import { once } from 'node:events';
import { stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { ZERO_HASH } from '../../src/base/hash.ts';
import { refuse } from '../../src/base/result.ts';
import { startControl } from '../../src/node/control.ts';
import { ControlClient } from '../../src/node/control-client.ts';
import type { CommitNotice, NodeStatus, RunningNode } from '../../src/node/status.ts';
import { NO_VIEWS } from './no-views.ts';
import { temporaryDirectory } from './directory.ts';
import { NO_LEDGER } from '../cli/no-ledger.ts';

const STATUS = {
  chainId: 'test-00',
  role: 'observer',
  height: 7,
  components: [
    { name: 'store', healthy: true, detail: 'open' },
    { name: 'network', healthy: false, detail: 'no peer is connected' },
  ],
} as unknown as NodeStatus;

const NOTICE: CommitNotice = {
  height: 8,
  blockId: ZERO_HASH,
  stateRoot: ZERO_HASH,
  timestamp: 1,
  events: [{ id: ZERO_HASH, type: 'joined', peerId: 'p', seq: 1 }],
};

async function running(overrides: Partial<RunningNode> = {}) {
  const socket = join(await temporaryDirectory(), 'control.sock');
  const listeners = new Set<(notice: CommitNotice) => void>();
  const node: RunningNode = {
    ledger: NO_LEDGER,
    raft: null,
    snapshots: null,
    views: NO_VIEWS,
    listenAddrs: [],
    status: () => STATUS,
    read: () => Promise.resolve(refuse('quorum-missing', 'fewer validators signed than a quorum', { signers: 2 })),
    onCommit: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    stop: () => Promise.resolve(),
    failed: new Promise<never>(() => undefined),
    ...overrides,
  };
  const stop = vi.fn();
  const close = await startControl({ socket, node, stop });
  onTestFinished(close);
  return { socket, client: new ControlClient(socket), stop, close, listeners, node };
}

describe('the control endpoint', () => {
  test('is a socket that only its owner can open', async () => {
    const { socket } = await running();
    const { mode } = await stat(socket);
    expect(mode & 0o777).toBe(0o600);
  });

  test('tells status and health, and which component is not well', async () => {
    const { client } = await running();
    expect(await client.status()).toEqual(STATUS);
    expect(await client.health()).toEqual({ healthy: false, components: STATUS.components });
  });

  test('passes a refused read on with its code and numbers', async () => {
    const { client } = await running();
    await expect(client.read('p', { maxAgeMs: 5 })).rejects.toMatchObject({
      code: 'quorum-missing',
      details: { signers: 2 },
    });
  });

  test('refuses a request with another form, or to nowhere', async () => {
    const { client } = await running();
    await expect(client.read('p', { maxAgeMs: -1 })).rejects.toMatchObject({ code: 'request-invalid' });
  });

  test('streams commits until the reader goes, and then forgets it', async () => {
    const { client, listeners } = await running();
    const reader = new AbortController();
    const commits = client.commits(reader.signal);
    const first = commits.next();
    await vi.waitFor(() => expect(listeners.size).toBe(1));
    for (const listener of listeners) listener(NOTICE);
    expect(await first).toEqual({ done: false, value: NOTICE });
    const rest = commits.next();
    reader.abort();
    expect((await rest).done).toBe(true);
    await vi.waitFor(() => expect(listeners.size).toBe(0));
  });

  test('asks for the stop once the answer is out', async () => {
    const { client, stop } = await running();
    await client.stop();
    await vi.waitFor(() => expect(stop).toHaveBeenCalledOnce());
  });

  test('refuses a second node on the same data directory', async () => {
    const { socket, node } = await running();
    await expect(startControl({ socket, node, stop: () => undefined })).rejects.toMatchObject({
      code: 'node-already-running',
    });
  });

  test('takes the place of a socket that a killed process left', async () => {
    const { node } = await running();
    const socket = join(await temporaryDirectory(), 'control.sock');
    await writeFile(socket, '');
    const close = await startControl({ socket, node, stop: () => undefined });
    expect((await new ControlClient(socket).status()).height).toBe(7);
    await close();
    await expect(new ControlClient(socket).status()).rejects.toMatchObject({ code: 'node-not-running' });
  });

  test('an answer that is an error without a code is told apart from silence', async () => {
    const socket = join(await temporaryDirectory(), 'control.sock');
    const server = createServer((_request, response) => response.writeHead(500).end('{}'));
    server.listen(socket);
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    await expect(new ControlClient(socket).status()).rejects.toMatchObject({ code: 'control-failed' });
  });

  test('says that a data directory is too deep for a socket', async () => {
    const { node } = await running();
    const socket = join('/', 'd'.repeat(120), 'control.sock');
    await expect(startControl({ socket, node, stop: () => undefined })).rejects.toMatchObject({
      code: 'control-path-too-long',
    });
  });
});
