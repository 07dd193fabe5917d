import { createHash } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { kinds } from '../../net/byte-streams.ts';
import { CLIENT, snapshotOf, transport, yes } from './transport-fixture.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const SIZE = 64 << 20;
const PIECE = 64 << 10;

/** What is held: a thread of V8 still frees buffers when a collection is over, and the next collection waits for it. */
function heldBytes(): number {
  collectGarbage();
  collectGarbage();
  const { arrayBuffers, heapUsed } = process.memoryUsage();
  return arrayBuffers + heapUsed;
}

it.each(kinds)(
  'a snapshot of 64 MiB goes from one server to another over %s in little memory',
  async (_name, pairOf) => {
    const pair = await pairOf();
    const received = createHash('sha256');
    let [bytes, sinceLook, most] = [0, 0, 0];
    const server = transport(pair.server, async (incoming) => {
      for await (const piece of incoming.snapshot ?? []) {
        received.update(piece);
        bytes += piece.length;
        sinceLook += piece.length;
        if (sinceLook < 10 << 20) continue;
        sinceLook = 0;
        most = Math.max(most, heldBytes());
      }
      return yes(incoming);
    });
    await server.start();
    const client = transport(pair.client, async () => ({ kind: 'close' }), { self: CLIENT });
    const sent = createHash('sha256');
    const source = (async function* () {
      for (let at = 0; at < SIZE; at += PIECE) {
        const piece = new Uint8Array(PIECE).fill(at / PIECE);
        sent.update(piece);
        yield piece;
      }
    })();
    const before = heldBytes();
    const call = { address: pair.address(), channel: 'snapshot', request: snapshotOf(SIZE), snapshot: source } as const;
    expect(await client.call(call)).toMatchObject({ ok: true, response: { success: true } });
    expect([bytes, received.digest('hex')]).toEqual([SIZE, sent.digest('hex')]);
    expect(most - before).toBeLessThan(8 << 20);
  },
  60_000,
);
