import { describe, expect, it } from 'vitest';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { changeOf, joinOf, START, testChain } from './chain.ts';
import { Driver } from './driver.ts';

const HOUR_MS = 3_600_000;

function linesOf(driver: Driver, text: string): string[] {
  return driver.trace.filter((line) => line.includes(text));
}

function roundsGivenUp(driver: Driver): number[] {
  const rounds = linesOf(driver, 'gives up').map((line) => Number(/round (\d+)/.exec(line)?.[1]));
  return [...new Set(rounds)].sort((a, b) => a - b);
}

/** Unix seconds, as a submitter's clock shows them. */
function now(driver: Driver): number {
  return Math.floor(driver.nowMs / 1000);
}

describe('a network without faults', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 10])('of %i validators commits an event everywhere and is idle again', (n) => {
    const driver = Driver.started({ n });
    driver.submit(0, joinOf(driver.chain, 1));
    driver.settle(1000);
    expect(driver.height).toBe(1);
    expect(linesOf(driver, 'gives up')).toEqual([]);
  });

  it('costs one empty block and a certificate after the last event at depth 2, and two at depth 3', () => {
    for (const [depth, blocks] of [
      [2, 2],
      [3, 3],
    ] as const) {
      const driver = Driver.started({ n: 4, depth });
      driver.submit(0, joinOf(driver.chain, 1));
      driver.settle(1000);
      expect(linesOf(driver, 'proposes')).toHaveLength(blocks);
      expect(linesOf(driver, `sends certificate ${blocks} to all`)).toHaveLength(1);
      expect(driver.height).toBe(1);
    }
  });

  it('writes nothing and asks for no tick while idle, and the first event after an hour commits at once', () => {
    const driver = Driver.started({ n: 4 });
    driver.submit(0, joinOf(driver.chain, 1));
    driver.settle(1000);
    const before = driver.trace.length;
    driver.run(HOUR_MS);
    expect(driver.trace).toHaveLength(before);
    expect(driver.nodes.map(({ engine }) => engine?.wakeAtMs())).toEqual([undefined, undefined, undefined, undefined]);
    const startMs = driver.nowMs;
    driver.submit(2, joinOf(driver.chain, 2, now(driver)));
    driver.settle(1000);
    expect(driver.nowMs - startMs).toBeLessThan(50);
    expect(linesOf(driver, 'gives up')).toEqual([]);
  });

  it('makes the last certificate everywhere at once where few have to be told, and at the next leader where many have', () => {
    for (const [n, makers] of [
      [4, 4],
      [7, 7],
      [10, 1],
    ] as const) {
      const driver = Driver.started({ n });
      driver.submit(0, joinOf(driver.chain, 1));
      driver.settle(1000);
      const made = driver.nodes.filter(({ effects }) =>
        effects.some(
          (effect) => effect.kind === 'verify' && effect.work.kind === 'votes' && effect.work.vote.round === 2,
        ),
      );
      expect(made).toHaveLength(makers);
      expect(linesOf(driver, 'sends certificate 2 to all')).toHaveLength(1);
    }
  });

  it('fills one block with what waits, and goes on in rounds of a few messages', () => {
    const driver = Driver.started({ n: 4 });
    const events = Array.from({ length: 100 }, (_, i) => joinOf(driver.chain, i));
    driver.submit(1, ...events);
    driver.settle(1000);
    expect(linesOf(driver, 'commits block 1 of round 1, 100 events')).toHaveLength(4);
  });

  it('commits with real BLS signatures', () => {
    const driver = Driver.started({ n: 4, chain: testChain(4, 2, nativeScheme) });
    driver.submit(0, joinOf(driver.chain, 1));
    driver.settle(1000);
    expect(driver.height).toBe(1);
  });
});

describe('a leader that is silent', () => {
  it.each([2, 3] as const)('costs one timeout at depth %i, and no block', (depth) => {
    const driver = Driver.started({ n: 4, depth });
    driver.crash(2); // leads round 2
    const startMs = driver.nowMs;
    driver.submit(0, joinOf(driver.chain, 1));
    driver.settle();
    expect(driver.height).toBeGreaterThanOrEqual(1);
    expect(linesOf(driver, 'gives up round 2')).toHaveLength(3);
    expect(linesOf(driver, 'gives up round 1')).toEqual([]); // the leader after it made the certificate of round 1
    expect(roundsGivenUp(driver)).toEqual([2]);
    expect(driver.nowMs - startMs).toBeLessThan(1250);
  });

  it('is skipped again and again without growing delay', () => {
    const driver = Driver.started({ n: 4 });
    driver.crash(2);
    const durations: number[] = [];
    for (let i = 1; i <= 12; i++) {
      const startMs = driver.nowMs;
      driver.submit(0, joinOf(driver.chain, i, now(driver)));
      driver.settle();
      durations.push(driver.nowMs - startMs);
    }
    expect(Math.max(...durations)).toBeLessThan(2500);
    expect(driver.height).toBeGreaterThanOrEqual(12);
  });

  it('and its successor too, at n = 7, cost a timeout more, and no block: votes travel beside timeouts', () => {
    const driver = Driver.started({ n: 7 });
    driver.crash(2);
    driver.crash(3);
    driver.submit(0, joinOf(driver.chain, 1));
    driver.settle();
    expect(driver.height).toBeGreaterThanOrEqual(1);
    expect(roundsGivenUp(driver)).toEqual([1, 2, 3]);
    expect(linesOf(driver, '0 commits')[0]).toBe('0 commits block 1 of round 1, 1 events');
  });
});

describe('two of four down', () => {
  it('nothing commits, nothing is lost, and it goes on by itself when one is back', () => {
    const driver = Driver.started({ n: 4 });
    driver.crash(2);
    driver.crash(3);
    driver.submit(0, joinOf(driver.chain, 1));
    driver.run(30_000);
    expect(driver.height).toBe(0);
    const [gaveUp] = [...driver.watch.sent].filter(([key]) => key.startsWith('0 timeout'));
    expect(gaveUp?.[1]).toBeGreaterThan(20); // again and again, until the round ends
    driver.start(3);
    const startMs = driver.nowMs;
    driver.settle();
    expect(driver.height).toBeGreaterThanOrEqual(1);
    expect(driver.nowMs - startMs).toBeLessThan(10_000);
  });

  it('for more than an hour: an event that grew too old is answered, and the network is idle again', () => {
    const driver = Driver.started({ n: 4 });
    driver.crash(2);
    driver.crash(3);
    driver.submit(0, joinOf(driver.chain, 1));
    driver.run(HOUR_MS);
    driver.start(2);
    driver.start(3);
    driver.settle();
    expect(linesOf(driver, '0 rejects an event: expired')).toHaveLength(1);
    const submitted = joinOf(driver.chain, 2, now(driver));
    driver.submit(0, submitted);
    driver.settle();
    expect(linesOf(driver, '0 commits').at(-1)).toContain('1 events');
  });
});

describe('clocks', () => {
  it('that are all set back by an hour stop nobody', () => {
    const driver = Driver.started({ n: 4 });
    driver.submit(0, joinOf(driver.chain, 1));
    driver.settle();
    for (const node of driver.nodes) node.clockOffsetMs = -HOUR_MS;
    // A silent leader: timers must run on the clocks that were set back.
    driver.crash(driver.engine(0).status().leader ?? 0);
    const at = driver.nodes.findIndex(({ engine }) => engine !== null);
    driver.submit(at, joinOf(driver.chain, 2, START));
    driver.settle(10_000);
    expect(driver.height).toBeGreaterThanOrEqual(2);
  });

  it('of one validator that is far off make it abstain, and stop nobody', () => {
    const driver = Driver.started({ n: 4 });
    driver.node(0).clockOffsetMs = -HOUR_MS;
    driver.run(60_000);
    driver.submit(1, joinOf(driver.chain, 1, now(driver)));
    driver.settle();
    expect(linesOf(driver, '0 refuses what came from 1: timestamp-ahead')).not.toEqual([]);
    expect(driver.height).toBeGreaterThanOrEqual(1);
  });
});

describe('losses', () => {
  it('of every first sending of a timeout do not stop the network: timeouts are sent until the round ends', () => {
    const driver = Driver.started({ n: 4 });
    driver.crash(2);
    const lost = new Set<string>();
    driver.lose('first timeouts', ({ kind, from, to, round }) => {
      const key = `${from} ${to} ${round}`;
      const isFirst = kind === 'timeout' && !lost.has(key);
      lost.add(key);
      return isFirst;
    });
    driver.submit(0, joinOf(driver.chain, 1));
    driver.settle(20_000);
    expect(driver.height).toBeGreaterThanOrEqual(1);
  });

  it('of the forwarded event leave it with one validator, which tells the others again', () => {
    const driver = Driver.started({ n: 4 });
    driver.lose('events', ({ kind }) => kind === 'events');
    driver.submit(3, joinOf(driver.chain, 1)); // not the leader
    driver.run(500);
    driver.heal();
    driver.settle(5000);
    expect(driver.height).toBeGreaterThanOrEqual(1);
  });

  it('of a proposal to all, whose leader then forgot the event, leave it in the block alone', () => {
    const driver = Driver.started({ n: 4 });
    driver.lose('all of it', ({ from }) => from === 1);
    driver.submit(1, joinOf(driver.chain, 1)); // leads round 1
    driver.run(100);
    driver.restart(1); // the block and the vote are on disk, the event is in no mempool
    driver.run(100);
    driver.heal();
    driver.run(20);
    expect(driver.nodes.map(({ engine }) => engine?.status().mempoolEvents)).toEqual([0, 0, 0, 0]);
    driver.run(1100); // its first timeout tells
    expect(driver.nodes.map(({ engine }) => engine?.status().idle)).toEqual([false, false, false, false]);
    driver.settle(10_000);
    expect(driver.height).toBeGreaterThanOrEqual(1);
  });

  it('of f + 1 that gave up are joined by the others at once', () => {
    const driver = Driver.started({ n: 4 });
    driver.lose('proposals', ({ kind, round }) => kind === 'proposal' && round === 1);
    driver.lose('events', ({ kind, to }) => kind === 'events' && to >= 2);
    driver.lose('votes', ({ kind }) => kind === 'vote');
    driver.submit(0, joinOf(driver.chain, 1)); // 0 and 1 are busy, 2 and 3 are not
    driver.run(1010);
    expect(roundsGivenUp(driver)).toEqual([1]);
    expect(linesOf(driver, 'gives up round 1')).toHaveLength(4);
  });

  it('of the last certificate to all but one are made good by those that wait for it', () => {
    const driver = Driver.started({ n: 4 });
    driver.lose('certificates', ({ kind, to }) => kind === 'certificate' && to !== 2);
    driver.lose('votes', ({ kind, to, round }) => kind === 'vote' && round === 2 && to !== 3);
    driver.submit(0, joinOf(driver.chain, 1));
    driver.run(500);
    expect(driver.height).toBe(0);
    driver.heal();
    driver.settle(5000);
    expect(driver.height).toBeGreaterThanOrEqual(1);
  });

  it('of a proposal to one validator cost it a fetch, and the others nothing', () => {
    const driver = Driver.started({ n: 4 });
    driver.lose('proposal', ({ kind, to, round }) => kind === 'proposal' && to === 0 && round === 1);
    driver.submit(1, joinOf(driver.chain, 1));
    driver.settle(5000);
    expect(driver.height).toBeGreaterThanOrEqual(1);
    expect(linesOf(driver, '0 asks')).toHaveLength(1);
    expect(linesOf(driver, 'gives up')).toEqual([]);
  });

  it('of the fetch itself cost one deadline', () => {
    const driver = Driver.started({ n: 4 });
    driver.lose('proposal', ({ kind, to, round }) => kind === 'proposal' && to === 0 && round === 1);
    let fetches = 0;
    driver.lose('fetch', ({ kind }) => kind === 'fetch' && fetches++ === 0);
    driver.submit(1, joinOf(driver.chain, 1));
    driver.settle(5000);
    expect(driver.height).toBeGreaterThanOrEqual(1);
    expect(linesOf(driver, '0 asks').length).toBeGreaterThanOrEqual(2);
  });

  it('between two halves commit nothing in either, and all is well when they heal', () => {
    for (const n of [4, 6]) {
      const driver = Driver.started({ n });
      const half = driver.nodes.map(({ index }) => index).filter((index) => index < n / 2);
      driver.partition(
        half,
        driver.nodes.map(({ index }) => index).filter((index) => index >= n / 2),
      );
      driver.submit(0, joinOf(driver.chain, 1));
      driver.submit(n - 1, joinOf(driver.chain, 2));
      driver.run(20_000);
      expect(driver.watch.committedIds.size).toBe(0);
      driver.heal();
      driver.settle();
      expect(driver.nodes.map(({ engine }) => engine?.status().stateRoot)).toEqual(
        Array.from({ length: n }, () => driver.engine(0).status().stateRoot),
      );
    }
  });

  it('of one validator for a thousand rounds are made good by one message', () => {
    const driver = Driver.started({ n: 4 });
    driver.partition([0, 1, 2], [3]);
    for (let i = 1; i <= 60; i++) {
      driver.submit(0, joinOf(driver.chain, i, now(driver)));
      driver.runUntil('it is committed', () => driver.engine(0).status().idle);
    }
    const behind = driver.engine(3).status().round;
    expect(behind).toBeLessThan(3);
    driver.heal();
    driver.submit(0, changeOf(driver.chain, 1, 2, now(driver)));
    driver.settle(20_000);
    expect(driver.engine(3).status().height).toBe(driver.engine(0).status().height);
  });
});
