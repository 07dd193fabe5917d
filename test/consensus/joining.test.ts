import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { refuse } from '../../src/base/result.ts';
import { but, chunkOf, honest, join, manifestOf, snapshotAt, type FakeServer, type Joined } from './joining-network.ts';

const NEW = snapshotAt(900);
const OLD = snapshotAt(300);
const never: FakeServer = () => 'never';

function expectJoined(joined: Joined, of = NEW): void {
  expect(joined.outcome).toEqual({ kind: 'snapshot', of: expect.objectContaining({ height: of.height }) as unknown });
  expect([...joined.kept.keys()].sort((a, b) => a - b)).toEqual(Array.from({ length: 2 ** of.depth }, (_, i) => i));
  for (const [index, bytes] of joined.kept) expect(bytes).toEqual(chunkOf(of, index));
}

function chunksAsked(joined: Joined, server: string): number[] {
  return (joined.asked.get(server) ?? []).flatMap((what) => (what.kind === 'chunk' ? [what.index] : []));
}

describe('joining', () => {
  it('takes the newest snapshot from all who have it, side by side', () => {
    const servers = { a: honest([NEW, OLD]), b: honest([NEW]), c: honest([NEW]) };
    const joined = join({ servers });
    expectJoined(joined);
    for (const server of Object.keys(servers)) expect(chunksAsked(joined, server).length).toBeGreaterThan(0);
    expect(joined.dropped).toEqual([]);
    expect(joined.joining.status()).toMatchObject({ phase: 'ended', height: 900, chunksKept: 8, chunks: 8 });
  });

  it('asks for no chunk twice where all answer', () => {
    const joined = join({ servers: { a: honest([snapshotAt(900, 6)]), b: honest([snapshotAt(900, 6)]) } });
    const asked = [...chunksAsked(joined, 'a'), ...chunksAsked(joined, 'b')];
    expect(asked.sort((x, y) => x - y)).toEqual(Array.from({ length: 64 }, (_, i) => i));
    expect(joined.mostUnderWay).toBeLessThanOrEqual(8);
  });

  it('prefers what two have to what one has, where it is hardly older, and the newer where it is much older', () => {
    const slightlyNewer = snapshotAt(950);
    expectJoined(join({ servers: { a: honest([NEW, slightlyNewer]), b: honest([NEW]) } }));
    const muchNewer = snapshotAt(9_000);
    const servers = { a: honest([muchNewer], { headHeight: 9_100 }), b: honest([NEW]), c: honest([NEW]) };
    expectJoined(join({ servers }), muchNewer);
  });

  it('takes a stale snapshot only where there is nothing newer', () => {
    const stale = but(honest([OLD]), 'offer', () => honest([OLD])({ kind: 'offer' }, 0));
    expectJoined(join({ servers: { stale, a: honest([NEW]) } }));
    expectJoined(join({ servers: { stale } }), OLD);
  });

  it('passes over a snapshot after which nobody has the blocks, where there is another', () => {
    const pruned = { headHeight: 1_000, oldestBlock: 950 };
    const servers = { a: honest([NEW], pruned), b: honest([snapshotAt(949)], pruned) };
    expectJoined(join({ servers }), snapshotAt(949));
    expectJoined(join({ servers: { a: honest([NEW], pruned) } }));
  });

  it('begins at genesis where nobody has a snapshot, or nobody is there', () => {
    const none = honest([]);
    expect(join({ servers: { a: none, b: none } }).outcome).toEqual({ kind: 'genesis', because: 'no-snapshots' });
    expect(join({ servers: {} }).outcome).toEqual({ kind: 'genesis', because: 'nobody-answers' });
    const away: FakeServer = () => ({ afterMs: 5, ...refuse('dial-failed', 'nobody listens') });
    const waited = join({ servers: { a: away }, patienceMs: 10_000 });
    expect(waited.outcome).toEqual({ kind: 'genesis', because: 'nobody-answers' });
    expect(waited.tookMs).toBeGreaterThanOrEqual(10_000);
  });

  it('does not begin at genesis where the first blocks are pruned: it waits, says so, and takes the first snapshot', () => {
    const pruned = { headHeight: 1_000, oldestBlock: 500 };
    const waiting = join({ servers: { a: honest([], pruned) }, limitMs: 20_000 });
    expect(waiting.outcome).toBeNull();
    expect(waiting.joining.status().stuckBecause).toBe('join-unserved');
    const later: FakeServer = (what, nowMs) => honest(nowMs > 12_000 ? [NEW] : [], pruned)(what, nowMs);
    expectJoined(join({ servers: { a: later } }));
  });

  it('gives a server that is there and does not answer a minute, where it would have waited at all', () => {
    const busy: FakeServer = (what, nowMs) => (nowMs < 30_000 ? 'never' : honest([NEW])(what, nowMs));
    expectJoined(join({ servers: { busy }, patienceMs: 1_000 }));
    expect(join({ servers: { busy } }).outcome).toEqual({ kind: 'genesis', because: 'nobody-answers' });
    expect(join({ servers: { a: never }, patienceMs: 1_000 }).tookMs).toBeGreaterThanOrEqual(60_000);
  });

  it('waits for a server that comes back, with what it has begun', () => {
    const from60s: FakeServer = (what, nowMs) => (nowMs < 60_000 ? 'never' : honest([NEW])(what, nowMs));
    const started = { of: NEW, kept: [0, 1, 2] };
    const joined = join({ servers: { a: from60s }, started });
    expect(joined.outcome?.kind).toBe('snapshot');
    expect(joined.begun).toEqual([]);
    expect(chunksAsked(joined, 'a').sort()).toEqual([3, 4, 5, 6, 7]);
    expect(join({ servers: { a: never }, started, limitMs: 20_000 }).joining.status().stuckBecause).toBe(
      'join-unanswered',
    );
  });
});

describe('a joining node among liars', () => {
  const lies: Readonly<Record<string, readonly [FakeServer, code: string]>> = {
    'sends other bytes for a chunk': [
      but(honest([NEW]), 'chunk', () => ({ afterMs: 5, bytes: utf8('rubbish') })),
      'chunk-mismatch',
    ],
    'sends the right chunk of another height': [
      but(honest([NEW]), 'chunk', (what) => ({
        afterMs: 5,
        bytes: chunkOf(OLD, what.kind === 'chunk' ? what.index : 0),
      })),
      'chunk-mismatch',
    ],
    'sends another chunk of the snapshot': [
      but(honest([NEW]), 'chunk', (what) => ({
        afterMs: 5,
        bytes: chunkOf(NEW, what.kind === 'chunk' ? (what.index + 1) % 8 : 0),
      })),
      'chunk-mismatch',
    ],
    'cuts a chunk short': [
      but(honest([NEW]), 'chunk', (what) => ({
        afterMs: 5,
        bytes: chunkOf(NEW, what.kind === 'chunk' ? what.index : 0).slice(0, -1),
      })),
      'chunk-mismatch',
    ],
    'sends more than there may be': [
      but(honest([NEW]), 'chunk', () => ({ afterMs: 5, ...refuse('frame-too-large', 'more than its bound') })),
      'frame-too-large',
    ],
    'answers what is no answer': [() => ({ afterMs: 5, ...refuse('answer-invalid', 'no answer') }), 'answer-invalid'],
    'forges a manifest for a height that is not there': [
      but(honest([snapshotAt(1_000_000)], { headHeight: 1_000_000 }), 'manifest', () => ({
        afterMs: 5,
        bytes: manifestOf(OLD),
      })),
      'seal-invalid',
    ],
  };

  it.each(Object.entries(lies))('drops a server that %s, and joins by the others', (_what, [liar, code]) => {
    const joined = join({ servers: { liar, a: honest([NEW]), b: honest([NEW]) } });
    expectJoined(joined);
    expect(joined.dropped).toEqual([['liar', code]]);
    expect(joined.joining.status().servers.find(({ server }) => server === 'liar')?.droppedBecause).toBe(code);
    expect(joined.tookMs).toBeLessThan(10_000);
  });

  it('asks a server that lied for nothing more, and others for what it had', () => {
    const big = snapshotAt(900, 6);
    const liar = but(honest([big]), 'chunk', (what, nowMs) =>
      nowMs < 100 ? honest([big])(what, nowMs) : { afterMs: 5, bytes: utf8('rubbish') },
    );
    const joined = join({ servers: { liar, a: honest([big]) } });
    expectJoined(joined, big);
    const asked = joined.asked.get('liar') ?? [];
    expect(asked.length).toBeLessThan(32);
    expect(joined.dropped).toEqual([['liar', 'chunk-mismatch']]);
  });

  it('does not wait for a server that is silent, or endlessly slow', () => {
    for (const chunks of [never, (() => ({ afterMs: 3_600_000, bytes: utf8('late') })) as FakeServer]) {
      const joined = join({ servers: { slow: but(honest([NEW]), 'chunk', chunks), a: honest([NEW]) } });
      expectJoined(joined);
      expect(joined.tookMs).toBeLessThan(6_000);
      expect(joined.dropped).toEqual([]);
    }
  });

  it('goes on by the others when servers vanish in the middle', () => {
    const big = snapshotAt(900, 7);
    const vanishing = (atMs: number): FakeServer => {
      const there = honest([big]);
      return (what, nowMs) => (nowMs < atMs ? there(what, nowMs) : { afterMs: 5, ...refuse('dial-failed', 'gone') });
    };
    const joined = join({ servers: { a: vanishing(150), b: vanishing(250), c: honest([big]) } });
    expectJoined(joined, big);
    expect(joined.tookMs).toBeLessThan(10_000);
  });

  it('chooses again when the snapshot is gone everywhere, and keeps nothing of it', () => {
    const next = snapshotAt(950);
    const replaced: FakeServer = (what, nowMs) => honest([nowMs < 100 ? snapshotAt(900, 7) : next])(what, nowMs);
    const joined = join({ servers: { a: replaced, b: replaced } });
    expectJoined(joined, next);
    expect(joined.begun).toEqual([900, 950]);
  });

  it('is not held up by one who offers heights that it never gives', () => {
    const boast = but(honest([snapshotAt(1_000_000)], { headHeight: 1_000_000 }), 'manifest', never);
    const boastAndTell = but(honest([]), 'offer', () => honest([snapshotAt(2_000_000)])({ kind: 'offer' }, 0));
    const joined = join({ servers: { boast, boastAndTell, a: honest([OLD]), b: honest([OLD]) } });
    expectJoined(joined, OLD);
    expect(joined.tookMs).toBeLessThan(30_000);
  });

  it('begins at genesis in the end, where all that is offered is never given', () => {
    const joined = join({ servers: { boast: but(honest([NEW]), 'manifest', never) } });
    expect(joined.outcome).toEqual({ kind: 'genesis', because: 'snapshots-not-given' });
  });

  it('does not show a head that only one server claims', () => {
    const boast = honest([], { headHeight: 1_000_000 });
    const joined = join({ servers: { boast, a: honest([NEW], { headHeight: 910 }), b: honest([NEW]) } });
    expect(joined.joining.status().headHeight).toBe(1_000);
  });

  it('gives a busy server the time that it asks for', () => {
    let refused = 0;
    const busy = but(honest([NEW]), 'chunk', (what, nowMs) => {
      if (nowMs >= 1_500) return honest([NEW])(what, nowMs);
      refused++;
      return { afterMs: 5, ...refuse('busy', 'later', { limit: 'peer', retryAfterMs: 1_000 }) };
    });
    const joined = join({ servers: { busy } });
    expectJoined(joined);
    expect(refused).toBeLessThan(12);
    expect(joined.dropped).toEqual([]);
  });
});

describe('a join that was interrupted', () => {
  it('asks for nothing again that was kept, wherever it stopped', () => {
    const big = snapshotAt(900, 5);
    const servers = { a: honest([big]), b: honest([big]) };
    for (const stopAt of [0, 1, 7, 20, 31]) {
      const first = join({ servers, until: (kept) => kept.size >= stopAt });
      const kept = [...first.kept.keys()];
      const second = join({ servers, started: { of: big, kept } });
      expect(second.outcome).toEqual({ kind: 'snapshot', of: big });
      const again = [...chunksAsked(second, 'a'), ...chunksAsked(second, 'b')];
      expect(again.filter((index) => kept.includes(index))).toEqual([]);
      expect(again.length).toBe(32 - kept.length);
    }
  });

  it('needs nobody when every chunk is there', () => {
    const joined = join({ servers: { a: never }, started: { of: NEW, kept: [0, 1, 2, 3, 4, 5, 6, 7] } });
    expect(joined.outcome).toEqual({ kind: 'snapshot', of: NEW });
    expect(joined.tookMs).toBe(0);
  });

  it('leaves what it has begun for a snapshot that is much newer', () => {
    const joined = join({
      servers: { a: honest([OLD, snapshotAt(5_000)], { headHeight: 5_100 }) },
      started: { of: OLD, kept: [1] },
    });
    expectJoined(joined, snapshotAt(5_000));
  });
});
