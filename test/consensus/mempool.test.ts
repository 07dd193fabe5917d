import { describe, expect, it } from 'vitest';
import type { Refusal } from '../../src/base/result.ts';
import { DEFAULT_MEMPOOL_LIMITS, Mempool, type Judge } from '../../src/consensus/mempool.ts';
import type { VerifiedEvent } from '../../src/ledger/verified-event.ts';
import { changeOf, eventOf, joinOf, peerOf, testChain } from '../hotstuff/chain.ts';

const chain = testChain(4);
const REFUSED: Refusal = { code: 'superseded', message: 'too low', details: {} };
const accept: Judge = () => null;
const refuseAll: Judge = () => REFUSED;

const first = joinOf(chain, 1);
const second = changeOf(chain, 1, 2);
const third = changeOf(chain, 1, 3);
const foreign = joinOf(chain, 2);

function codeOf(mempool: Mempool, event: VerifiedEvent, judge: Judge = accept): string {
  const added = mempool.add(event, judge);
  return added.ok ? (added.value ? 'new' : 'known') : added.refusal.code;
}

function order(mempool: Mempool, inFlight: readonly VerifiedEvent[] = []): VerifiedEvent[] {
  return [...mempool.candidates(new Set(inFlight.map(({ id }) => id)))];
}

describe('the mempool', () => {
  it('takes an event once', () => {
    const mempool = new Mempool();
    expect(codeOf(mempool, first)).toBe('new');
    expect(codeOf(mempool, first)).toBe('known');
    expect(mempool.size).toBe(1);
  });

  it('offers events in order of arrival, and those of a node in the order of its numbers', () => {
    const mempool = new Mempool();
    for (const event of [third, foreign, first, second]) codeOf(mempool, event);
    expect(order(mempool)).toEqual([first, foreign, second, third]);
    expect(order(mempool, [first])).toEqual([foreign, second, third]);
  });

  it('refuses another event of a node under a number that waits', () => {
    const mempool = new Mempool();
    codeOf(mempool, second);
    const other = eventOf(chain.chainId, { type: 'heartbeat', peerId: peerOf(1001), seq: 2 });
    expect(codeOf(mempool, other)).toBe('sequence-conflict');
  });

  it('asks the judge about the first event of a node only: one that waits may make the next one valid', () => {
    const mempool = new Mempool();
    expect(codeOf(mempool, first, refuseAll)).toBe('superseded');
    codeOf(mempool, first);
    expect(codeOf(mempool, second, refuseAll)).toBe('new');
  });

  it('is bounded in events, in bytes and for each node', () => {
    const events = (seqs: readonly number[]) => seqs.map((seq) => changeOf(chain, 1, seq));
    const perPeer = new Mempool();
    for (const event of events([1, 2, 3, 4])) expect(codeOf(perPeer, event)).toBe('new');
    expect(codeOf(perPeer, changeOf(chain, 1, 5))).toBe('peer-queue-full');
    const few = new Mempool({ ...DEFAULT_MEMPOOL_LIMITS, maxEvents: 1 });
    codeOf(few, first);
    expect(codeOf(few, foreign)).toBe('mempool-full');
    const small = new Mempool({ ...DEFAULT_MEMPOOL_LIMITS, maxBytes: first.bytes.length });
    expect(codeOf(small, first)).toBe('new');
    expect(codeOf(small, foreign)).toBe('mempool-full');
    small.remove(first.id);
    expect(codeOf(small, foreign)).toBe('new');
  });

  it('lets go of what can never be committed when a record has changed, and says why', () => {
    const mempool = new Mempool();
    for (const event of [first, second, third, foreign]) codeOf(mempool, event);
    const belowThree: Judge = ({ event }) => (event.seq < 3 ? REFUSED : null);
    expect(mempool.rejudge([peerOf(1001)], belowThree)).toEqual([
      { event: first, refusal: REFUSED },
      { event: second, refusal: REFUSED },
    ]);
    expect(order(mempool)).toEqual([third, foreign]);
    expect(mempool.peersOf(({ event }) => event.seq === 3)).toEqual(new Set([peerOf(1001)]));
    expect(
      mempool.rejudge(
        mempool.peersOf(() => true),
        refuseAll,
      ),
    ).toHaveLength(2);
    expect(mempool.size).toBe(0);
    expect(mempool.earliestTime).toBe(Infinity);
  });

  it('names what waits, the first ones first', () => {
    const mempool = new Mempool();
    for (const event of [third, foreign, first]) codeOf(mempool, event);
    expect(mempool.next(2)).toEqual([first, foreign]);
    expect(mempool.some(({ event }) => event.type === 'joined')).toBe(true);
    mempool.remove(foreign.id);
    mempool.remove(foreign.id);
    expect(mempool.next(9)).toEqual([first, third]);
  });
});
