import { describe, expect, it } from 'vitest';
import { sha256Hex } from '../../src/base/hash.ts';
import { ok, refuse } from '../../src/base/result.ts';
import type { ExchangeLimits } from '../../src/net/exchange.ts';
import { FrameStream } from '../../src/net/frames.ts';
import type { Host } from '../../src/net/host.ts';
import { SNAPSHOT_PROTOCOL, SnapshotClient, snapshotServer, type SnapshotSource } from '../../src/net/snapshot-sync.ts';
import { MAX_CHUNK_BYTES } from '../../src/ledger/snapshot-chunk.ts';
import type { SnapshotName, SnapshotOffer } from '../../src/ledger/snapshot-offer.ts';
import { codeOf, filled, rawStream, startHosts, targetOf, until } from './network.ts';

const OPEN = { deadlineMs: 5_000 };
const OF: SnapshotName = { height: 40, stateRoot: sha256Hex(filled(1)), depth: 1 };
const OFFER: SnapshotOffer = { headHeight: 44, oldestBlock: 30, snapshots: [{ ...OF, bytes: 300 }] };

/** Two chunks; gone once it is told so. */
class Files implements SnapshotSource {
  isGone = false;

  offer() {
    return Promise.resolve(this.isGone ? { ...OFFER, snapshots: [] } : OFFER);
  }

  manifest(of: SnapshotName) {
    return Promise.resolve(this.#has(of) ? ok(filled(20, 9)) : gone(of));
  }

  chunk(of: SnapshotName, index: number) {
    if (!this.#has(of)) return Promise.resolve(gone(of));
    if (index >= 2 ** of.depth) return Promise.resolve(refuse('chunk-out-of-range', 'no such chunk', { index }));
    return Promise.resolve(ok(filled(150, index)));
  }

  #has({ height, stateRoot, depth }: SnapshotName): boolean {
    return !this.isGone && height === OF.height && stateRoot === OF.stateRoot && depth === OF.depth;
  }
}

const gone = ({ height }: SnapshotName) => refuse('snapshot-gone', 'not here', { height });

async function serve(limits: Partial<ExchangeLimits> = {}, source: SnapshotSource = new Files()) {
  const [serving, asking] = (await startHosts(2)) as [Host, Host];
  const refusals: string[] = [];
  const onRefused = (_protocol: string, _peer: string, { code }: { readonly code: string }) => refusals.push(code);
  const server = snapshotServer({ host: serving, source, limits, onRefused });
  await server.start();
  return { serving, asking, refusals, client: SnapshotClient.over(asking), from: targetOf(serving) };
}

describe('the snapshot protocol', () => {
  it('says what is served, and gives manifest and chunks as they are', async () => {
    const { client, from } = await serve();
    expect(await client.offer(from, OPEN)).toEqual(ok(OFFER));
    expect(await client.manifest(from, OF, OPEN)).toEqual(ok(filled(20, 9)));
    expect(await client.chunk(from, OF, 1, OPEN)).toEqual(ok(filled(150, 1)));
  });

  it('refuses by code what it does not hold, what it holds no more, and an index that is none', async () => {
    const files = new Files();
    const { client, from, refusals } = await serve({}, files);
    const other = { ...OF, stateRoot: sha256Hex(filled(2)) };
    expect(await client.chunk(from, other, 0, OPEN)).toMatchObject({ refusal: { code: 'snapshot-gone' } });
    expect(await client.chunk(from, OF, 2, OPEN)).toMatchObject({ refusal: { code: 'chunk-out-of-range' } });
    files.isGone = true;
    expect(await client.chunk(from, OF, 0, OPEN)).toMatchObject({ refusal: { code: 'snapshot-gone' } });
    expect(await client.manifest(from, OF, OPEN)).toMatchObject({ refusal: { code: 'snapshot-gone' } });
    expect(refusals).toEqual(['snapshot-gone', 'chunk-out-of-range', 'snapshot-gone', 'snapshot-gone']);
  });

  it('refuses bytes that are no request', async () => {
    const { asking, serving, refusals } = await serve();
    for (const bytes of [filled(5, 0xc1), filled(200, 0x91)]) {
      const frames = new FrameStream(await rawStream(asking, serving, SNAPSHOT_PROTOCOL), '', { maxFrameBytes: 1024 });
      await frames.write(bytes);
      expect((await frames.next())?.[0]).toBe(1);
      await frames.finish();
    }
    expect(refusals).toEqual(['undecodable', 'undecodable']);
  });

  it('bounds how often and how much at once a peer asks, by code', async () => {
    const limits = { requests: { perPeerPerSecond: 2, inAllPerSecond: 100 }, maxStreamsPerPeer: 1 };
    const { asking, client, from, serving } = await serve(limits);
    const held = new FrameStream(await rawStream(asking, serving, SNAPSHOT_PROTOCOL), '', { maxFrameBytes: 1024 });
    await until(() => serving.connections().some(({ streams }) => streams > 0), 'the stream is open');
    expect(await client.offer(from, OPEN)).toMatchObject({ refusal: { code: 'too-many-streams' } });
    held.abort({ code: 'stream-closed', message: 'done', details: {} });
    const answers = await collected(4, () => client.offer(from, OPEN));
    expect(answers.map((answer) => (answer.ok ? 'ok' : answer.refusal.code))).toContain('busy');
  });

  it('takes no more of an answer than its bound, and waits no longer than its deadline', async () => {
    const [serving, asking] = (await startHosts(2)) as [Host, Host];
    const client = SnapshotClient.over(asking);
    let answer = MAX_CHUNK_BYTES + 2;
    await serving.handle(SNAPSHOT_PROTOCOL, (stream, peer) => {
      const frames = new FrameStream(stream, peer, { maxFrameBytes: 1024 });
      void frames.closed.catch(() => undefined);
      void frames.next().then(
        () => (answer > 0 ? frames.write(filled(answer, 0)).catch(() => undefined) : undefined),
        () => undefined,
      );
    });
    expect(await codeOf(client.chunk(targetOf(serving), OF, 0, OPEN))).toBe('frame-too-large');
    answer = 0;
    expect(await codeOf(client.chunk(targetOf(serving), OF, 0, { deadlineMs: 100 }))).toBe('deadline-passed');
    answer = 9;
    expect(await codeOf(client.offer(targetOf(serving), OPEN))).toBe('answer-invalid');
  });
});

/** One after another. */
async function collected<T>(count: number, ask: () => Promise<T>): Promise<T[]> {
  const answers: T[] = [];
  for (let i = 0; i < count; i++) answers.push(await ask());
  return answers;
}
