import { describe, expect, it } from 'vitest';
import { sha256Hex } from '../../src/base/hash.ts';
import { BLOCK_SYNC_PROTOCOL, BlockSyncClient, blockSyncServer, type BlockSource } from '../../src/net/block-sync.ts';
import type { ExchangeLimits } from '../../src/net/exchange.ts';
import { FrameStream } from '../../src/net/frames.ts';
import type { Host } from '../../src/net/host.ts';
import { codeOf, filled, rawStream, secret, startHost, startHosts, targetOf, until } from './network.ts';

const OPEN = { deadlineMs: 5_000 };
const ID = sha256Hex(filled(1));
const HEAD = { epoch: 1, height: 20, blockId: ID };

function source(blockBytes = 100): BlockSource {
  return {
    head: () => HEAD,
    oldest: () => 0,
    sealedAt: (height) => (height <= 20 ? filled(blockBytes, height) : undefined),
    blocks: (ids) => (ids.includes(ID) ? [filled(10, 99)] : []),
  };
}

async function serve(blocks = source(), limits: Partial<ExchangeLimits> = {}) {
  const [serving, asking] = (await startHosts(2)) as [Host, Host];
  const refusals: string[] = [];
  const server = blockSyncServer({
    host: serving,
    source: blocks,
    limits,
    onRefused: (protocol, peer, { code }) => {
      expect([protocol, peer]).toEqual([BLOCK_SYNC_PROTOCOL, asking.peerId]);
      refusals.push(code);
    },
  });
  await server.start();
  return { serving, asking, refusals, client: BlockSyncClient.over(asking), from: targetOf(serving) };
}

/** The first of nine bytes that were announced. */
async function beginsFrame(asking: Host, serving: Host) {
  const stream = await rawStream(asking, serving, BLOCK_SYNC_PROTOCOL);
  stream.send(Uint8Array.of(0, 0, 0, 9, 1));
  return stream;
}

const closedBy = (stream: Awaited<ReturnType<typeof rawStream>>) =>
  new FrameStream(stream, '', { maxFrameBytes: 10 }).closed;

async function rawFrames(asking: Host, serving: Host): Promise<FrameStream> {
  return new FrameStream(await rawStream(asking, serving, BLOCK_SYNC_PROTOCOL), '', { maxFrameBytes: 1 << 20 });
}

const firstBytes = (blocks: readonly Uint8Array[]): (number | undefined)[] => blocks.map(([first]) => first);

describe('block sync', () => {
  it('tells its head, gives a range of sealed blocks up to its own end, and blocks by id', async () => {
    const { client, from } = await serve();
    expect(await client.head(from, OPEN)).toEqual({ ok: true, value: HEAD });
    const range = await client.sealed(from, 18, OPEN);
    expect(range.ok && firstBytes(range.value)).toEqual([18, 19, 20]);
    const bounded = await client.sealed(from, 3, { ...OPEN, maxBlocks: 2 });
    expect(bounded.ok && firstBytes(bounded.value)).toEqual([3, 4]);
    expect(await client.sealed(from, 21, OPEN)).toEqual({ ok: true, value: [] });
    const byId = await client.blocks(from, [sha256Hex(filled(2)), ID], OPEN);
    expect(byId.ok && firstBytes(byId.value)).toEqual([99]);
  });

  it('says from which height on it has blocks, where those that are asked for are pruned', async () => {
    const { client, from } = await serve({ ...source(), oldest: () => 12 });
    expect(await client.sealed(from, 11, OPEN)).toMatchObject({
      refusal: { code: 'blocks-pruned' },
    });
    const range = await client.sealed(from, 12, { ...OPEN, maxBlocks: 1 });
    expect(range.ok && firstBytes(range.value)).toEqual([12]);
  });

  it('bounds a range by bytes, and gives at least one block', async () => {
    const { client, from } = await serve(source(1_500_000));
    const range = await client.sealed(from, 1, OPEN);
    expect(range.ok && firstBytes(range.value)).toEqual([1, 2]);
  });

  it('refuses bytes that are no request, by code', async () => {
    const { asking, serving, client, from, refusals } = await serve();
    for (const bytes of [filled(5, 0xc1), filled(8000, 0x91), Uint8Array.of(0x92, 0x07, 0x90)]) {
      const frames = await rawFrames(asking, serving);
      await frames.write(bytes);
      expect((await frames.next())?.[0]).toBe(1);
      await frames.finish();
    }
    expect(refusals).toEqual(['undecodable', 'undecodable', 'undecodable']);
    expect(await client.head(from, OPEN)).toMatchObject({ ok: true });
  });

  it('refuses too many ids or blocks, by code, to the one who asked', async () => {
    const { client, from } = await serve();
    const many = Array.from({ length: 65 }, (_, i) => sha256Hex(filled(3, i)));
    expect(await client.blocks(from, many, OPEN)).toMatchObject({ refusal: { code: 'undecodable' } });
  });

  it('resets a request that is too large or cut short', async () => {
    const { asking, serving, refusals } = await serve(source(), { receiveDeadlineMs: 30_000 });
    const large = await rawFrames(asking, serving);
    await large.write(filled(10_000));
    expect((await large.closed)?.code).toBe('stream-closed');
    const cut = await beginsFrame(asking, serving);
    void cut.close();
    expect((await closedBy(cut))?.code).toBe('stream-closed');
    expect(refusals).toEqual(['frame-too-large', 'frame-truncated']);
  });

  it('resets a request that is slow', async () => {
    const { asking, serving, refusals } = await serve(source(), { receiveDeadlineMs: 60 });
    expect((await closedBy(await beginsFrame(asking, serving)))?.code).toBe('stream-closed');
    expect(refusals).toEqual(['deadline-passed']);
  });

  it('ends a peer that does not take its answer', async () => {
    const { asking, serving, refusals } = await serve(source(2_000_000), { answerDeadlineMs: 80 });
    const stream = await rawStream(asking, serving, BLOCK_SYNC_PROTOCOL);
    stream.pause();
    // The range from height 1: [1, [1, 2]].
    stream.send(Uint8Array.of(0, 0, 0, 5, 0x92, 0x01, 0x92, 0x01, 0x02));
    await until(() => refusals.length === 1, 'the answer is given up');
    expect(refusals).toEqual(['deadline-passed']);
  });

  it('bounds the streams and the rate of a peer, by code', async () => {
    const { asking, serving, client, from, refusals } = await serve(source(), {
      maxStreamsPerPeer: 2,
      requests: { perPeerPerSecond: 3, inAllPerSecond: 100 },
      receiveDeadlineMs: 400,
    });
    const held = await Promise.all([rawFrames(asking, serving), rawFrames(asking, serving)]);
    expect(await client.head(from, OPEN)).toMatchObject({ refusal: { code: 'too-many-streams' } });
    await Promise.all(held.map((frames) => frames.finish()));
    await until(() => refusals.length === 3, 'the silent streams are ended');
    const answers = [];
    for (let i = 0; i < 4; i++) answers.push(await client.head(from, OPEN));
    expect(answers.map(({ ok }) => ok)).toEqual([true, true, true, false]);
    expect(answers[3]).toMatchObject({ refusal: { code: 'busy' } });
  });

  it('tells why a peer cannot be asked', async () => {
    const { client, from, asking } = await serve();
    const other = await startHost();
    const gone = await startHost({ identity: secret(77) });
    const goneTarget = targetOf(gone);
    await gone.stop();
    expect(await codeOf(client.head(targetOf(other), OPEN))).toBe('protocol-unsupported');
    expect(await codeOf(client.head(goneTarget, OPEN))).toBe('dial-failed');
    expect(await codeOf(client.head({ peerId: gone.peerId, multiaddrs: ['nonsense'] }, OPEN))).toBe('address-invalid');
    const imposter = { peerId: gone.peerId, multiaddrs: from.multiaddrs?.map((a) => a.replace(/\/p2p\/.*/, '')) ?? [] };
    const fresh = BlockSyncClient.over(await startHost());
    expect(await codeOf(fresh.head(imposter, OPEN))).toBe('wrong-peer');
    expect(asking.isConnected(other.peerId)).toBe(true);
  });

  it('refuses answers of a server that lies about their form', async () => {
    const [serving, asking] = (await startHosts(2)) as [Host, Host];
    const answers = [filled(9, 0), filled(9, 1), filled(9, 5)];
    let next = 0;
    await serving.handle(BLOCK_SYNC_PROTOCOL, (stream, peer) => {
      const frames = new FrameStream(stream, peer, { maxFrameBytes: 1 << 20 });
      const answer = answers[next++] as Uint8Array;
      void frames
        .next()
        .then(() => frames.write(answer))
        .then(() => frames.finish());
    });
    const client = BlockSyncClient.over(asking);
    for (const _ of answers) expect(await codeOf(client.head(targetOf(serving), OPEN))).toBe('answer-invalid');
  });

  it('tells an end without an answer from an answer that is wrong: the same may be asked again', async () => {
    const [serving, asking] = (await startHosts(2)) as [Host, Host];
    await serving.handle(BLOCK_SYNC_PROTOCOL, (stream, peer) => {
      const frames = new FrameStream(stream, peer, { maxFrameBytes: 1 << 20 });
      void frames.next().then(() => frames.finish());
    });
    const client = BlockSyncClient.over(asking);
    expect(await codeOf(client.head(targetOf(serving), OPEN))).toBe('stream-closed');
  });

  it('gives up a server that does not answer, at the deadline', async () => {
    const [serving, asking] = (await startHosts(2)) as [Host, Host];
    await serving.handle(BLOCK_SYNC_PROTOCOL, () => {});
    const client = BlockSyncClient.over(asking);
    expect(await codeOf(client.sealed(targetOf(serving), 1, { deadlineMs: 100 }))).toBe('deadline-passed');
  });
});
