import { describe, expect, it } from 'vitest';
import type { PutOutcome } from '../../src/net/dht.ts';
import { RecordPublisher, type RecordPublisherOptions } from '../../src/net/record-publisher.ts';
import type { RecordKey } from '../../src/net/record-rules.ts';
import { until } from './network.ts';

const node = (peerId: string): RecordKey => ({ kind: 'node', peerId });
const STORED: PutOutcome = { stored: 3, failed: 0, reason: null };

/** A publisher on a clock that the test moves. */
interface Rig {
  readonly made: RecordPublisher;
  readonly puts: { readonly key: RecordKey; readonly atMs: number; readonly value: Uint8Array }[];
  readonly outcomes: PutOutcome[];
  readonly advance: (byMs: number) => Promise<void>;
  readonly timers: readonly unknown[];
}

function publisher(options: Partial<RecordPublisherOptions> = {}): Rig {
  const timers: { readonly atMs: number; readonly run: () => void }[] = [];
  const puts: { readonly key: RecordKey; readonly atMs: number; readonly value: Uint8Array }[] = [];
  const outcomes: PutOutcome[] = [];
  let nowMs = 0;
  const made = new RecordPublisher({
    currentValue: (key) => (key.kind === 'node' && key.peerId === 'gone' ? undefined : Uint8Array.of(1)),
    put: async (key, value) => {
      puts.push({ key, value, atMs: nowMs });
      return STORED;
    },
    onOutcome: (_key, outcome) => outcomes.push(outcome),
    schedule: (run, delayMs) => {
      const timer = { atMs: nowMs + delayMs, run };
      timers.push(timer);
      return () => void timers.splice(timers.indexOf(timer), 1);
    },
    ...options,
  });
  const advance = async (byMs: number): Promise<void> => {
    const end = nowMs + byMs;
    for (;;) {
      const due = timers.filter(({ atMs }) => atMs <= end).sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      timers.splice(timers.indexOf(due), 1);
      nowMs = due.atMs;
      due.run();
      await new Promise((resolve) => setImmediate(resolve));
    }
    nowMs = end;
  };
  return { made, puts, outcomes, advance, timers };
}

describe('record publisher', () => {
  it('publishes at most two records a second', async () => {
    const { made, puts, advance } = publisher();
    made.start();
    for (let i = 0; i < 20; i++) made.publish(node(`n${i}`));
    await advance(1_000);
    expect(puts.map(({ atMs }) => atMs)).toEqual([500, 1000]);
    await advance(9_000);
    expect(puts).toHaveLength(20);
    expect(made.waiting).toBe(0);
  });

  it('publishes a key once for any number of changes while it waits, and skips what is gone', async () => {
    const { made, puts, advance, outcomes } = publisher();
    made.start();
    for (const name of ['a', 'b', 'a', 'gone', 'a']) made.publish(node(name));
    await advance(10_000);
    expect(puts.map(({ key }) => key)).toEqual([node('a'), node('b')]);
    expect(outcomes).toEqual([STORED, STORED]);
  });

  it('renews what it is asked to, every twelve hours', async () => {
    const { made, puts, advance } = publisher({
      renewed: async function* () {
        yield node('a');
        yield { kind: 'validators' };
      },
    });
    made.start();
    await advance(12 * 3_600_000 - 1);
    expect(puts).toEqual([]);
    await advance(2_000);
    expect(puts.map(({ key }) => key)).toEqual([node('a'), { kind: 'validators' }]);
    await advance(12 * 3_600_000);
    expect(puts).toHaveLength(4);
  });

  it('goes on after a put that failed, and tells why', async () => {
    const { made, outcomes, advance } = publisher({
      put: async (key) => {
        if (key.kind === 'node' && key.peerId === 'a') throw new Error('no peers');
        return STORED;
      },
    });
    made.start();
    made.publish(node('a'));
    made.publish(node('b'));
    await advance(1_000);
    expect(outcomes).toEqual([{ stored: 0, failed: 1, reason: 'no peers' }, STORED]);
  });

  it('bounds what waits and stops at once', async () => {
    const { made, puts, advance, timers } = publisher({ maxWaiting: 2 });
    made.start();
    expect(['a', 'b', 'c', 'a'].map((name) => made.publish(node(name)))).toEqual([true, true, false, true]);
    made.stop();
    await advance(10_000);
    expect([puts, timers]).toEqual([[], []]);
  });

  it('runs on the real clock by default', async () => {
    const puts: RecordKey[] = [];
    const made = new RecordPublisher({
      perSecond: 1000,
      currentValue: () => Uint8Array.of(1),
      put: async (key) => {
        puts.push(key);
        return STORED;
      },
    });
    made.start();
    made.publish(node('a'));
    await until(() => puts.length === 1, 'the record is put');
    made.stop();
  });
});
