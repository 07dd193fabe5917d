/** A node whose ledger ends below the blocks that others still have. */
import { describe, expect, it } from 'vitest';
import { but, honest, join, snapshotAt, type FakeServer } from './joining-network.ts';

const OWN = 400;
const PRUNED = { headHeight: 1_000, oldestBlock: 850 };

describe('a node that has a ledger, and cannot go on with it', () => {
  it('takes a snapshot that is newer', () => {
    const joined = join({ servers: { a: honest([snapshotAt(900), snapshotAt(300)], PRUNED) }, ownHeight: OWN });
    expect(joined.outcome).toMatchObject({ kind: 'snapshot', of: { height: 900 } });
  });

  it('takes none that is older than what it has, and never begins at genesis: it asks on', () => {
    const servers = { old: honest([snapshotAt(300), snapshotAt(400)], PRUNED), none: honest([], PRUNED) };
    const joined = join({ servers, ownHeight: OWN, patienceMs: 10_000, limitMs: 120_000 });
    expect(joined.outcome).toBeNull();
    expect(joined.begun).toEqual([]);
    expect(joined.joining.status().stuckBecause).toBe('join-unserved');
    expect((joined.asked.get('none') ?? []).length).toBeGreaterThan(10);
  });

  it('waits as long as it takes for somebody to answer', () => {
    const late: FakeServer = (what, nowMs) =>
      nowMs < 200_000 ? 'never' : honest([snapshotAt(900)], PRUNED)(what, nowMs);
    const silent = join({ servers: { late }, ownHeight: OWN, patienceMs: 0, limitMs: 150_000 });
    expect([silent.outcome, silent.joining.status().stuckBecause]).toEqual([null, 'join-unanswered']);
    const joined = join({ servers: { late }, ownHeight: OWN, patienceMs: 0 });
    expect(joined.outcome).toMatchObject({ kind: 'snapshot', of: { height: 900 } });
  });

  it('goes on with its own ledger where somebody has the next block, and nobody a newer snapshot', () => {
    const joined = join({
      servers: { a: honest([], PRUNED), b: honest([], { oldestBlock: OWN + 1 }) },
      ownHeight: OWN,
    });
    expect(joined.outcome).toEqual({ kind: 'own-ledger' });
    const ahead = join({ servers: { b: honest([], { oldestBlock: OWN + 2 }) }, ownHeight: OWN, limitMs: 30_000 });
    expect(ahead.outcome).toBeNull();
    const behind = join({ servers: { b: honest([], { headHeight: OWN }) }, ownHeight: OWN, limitMs: 30_000 });
    expect(behind.outcome).toBeNull();
  });

  it.each([OWN, null])(
    'hears all before it believes one that says it has the blocks: with a ledger of %s',
    (ownHeight) => {
      const slow = honest([snapshotAt(900)], { ...PRUNED, afterMs: 2_800 });
      const joined = join({ servers: { fast: honest([]), slow }, ownHeight });
      expect(joined.outcome).toMatchObject({ kind: 'snapshot', of: { height: 900 } });
      const silent = join({ servers: { fast: honest([]), silent: () => 'never' }, ownHeight });
      expect(silent.outcome).toMatchObject({ kind: ownHeight === null ? 'genesis' : 'own-ledger' });
      expect(silent.tookMs).toBeLessThan(4_000);
    },
  );

  it('asks for a snapshot that was offered and not given several times before it believes in the blocks', () => {
    const stingy = but(honest([snapshotAt(900)]), 'manifest', () => 'never');
    const joined = join({ servers: { stingy }, ownHeight: OWN });
    expect(joined.outcome).toEqual({ kind: 'own-ledger' });
    expect((joined.asked.get('stingy') ?? []).filter(({ kind }) => kind === 'manifest').length).toBeGreaterThan(2);
  });
});
