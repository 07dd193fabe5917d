import { describe, expect, it } from 'vitest';
import { refuse, type Result } from '../../src/base/result.ts';
import type { Host } from '../../src/net/host.ts';
import { MAX_READ_PEERS, read, readServer, type ReadRequest } from '../../src/net/read.ts';
import { filled, startHosts, targetOf } from './network.ts';

const OPEN = { deadlineMs: 5_000 };

async function serve(answer: (request: ReadRequest) => Result<readonly Uint8Array[]>) {
  const [serving, asking] = (await startHosts(2)) as [Host, Host];
  const requests: { readonly peer: string; readonly request: ReadRequest }[] = [];
  const server = readServer({
    host: serving,
    handler: async (peer, request) => {
      requests.push({ peer, request });
      return answer(request);
    },
  });
  await server.start();
  return { requests, asking, ask: (request: ReadRequest) => read(asking, targetOf(serving), request, OPEN) };
}

describe('read protocol', () => {
  it('hands each kind of request to the handler and gives back the parts of its answer', async () => {
    const parts = [filled(3), new Uint8Array(0), filled(100_000)];
    const { ask, asking, requests } = await serve(() => ({ ok: true, value: parts }));
    const asked: ReadRequest[] = [
      { kind: 'records', peerIds: ['a', 'b', 'c'], withAge: true },
      { kind: 'headStatements' },
      { kind: 'epochProofs', fromEpoch: 2 },
      { kind: 'linearizable', peerIds: ['a'] },
      { kind: 'readIndex' },
    ];
    for (const request of asked) expect(await ask(request)).toEqual({ ok: true, value: parts });
    expect(requests).toEqual(asked.map((request) => ({ peer: asking.peerId, request })));
  });

  it('gives back the refusal of the handler by its code', async () => {
    const { ask } = await serve(() => refuse('height-not-held', 'pruned', { retryAfterMs: 10, height: 3 }));
    expect(await ask({ kind: 'headStatements' })).toEqual(refuse('height-not-held', 'pruned', { retryAfterMs: 10 }));
  });

  it('refuses more peer ids than it serves at once, and over-long ones', async () => {
    const { ask, requests } = await serve(() => ({ ok: true, value: [] }));
    const many = Array.from({ length: MAX_READ_PEERS + 1 }, () => 'x');
    const undecodable = { refusal: { code: 'undecodable' } };
    expect(await ask({ kind: 'records', peerIds: many, withAge: true })).toMatchObject(undecodable);
    expect(await ask({ kind: 'records', peerIds: ['x'.repeat(65)], withAge: true })).toMatchObject(undecodable);
    expect(requests).toEqual([]);
  });
});
