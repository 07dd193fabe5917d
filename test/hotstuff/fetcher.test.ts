import { describe, expect, it } from 'vitest';
import { ZERO_HASH } from '../../src/base/hash.ts';
import { Fetcher, type Want } from '../../src/hotstuff/fetcher.ts';
import type { SafetyRules } from '../../src/hotstuff/safety-rules.ts';
import { Turn } from '../../src/hotstuff/turn.ts';

const WANT: Want = { key: 'a block', what: { kind: 'blocks', ids: [ZERO_HASH] }, servers: [2, 0, 1] };
const NO_RULES = { takeUnwritten: () => undefined } as unknown as SafetyRules;

/** What is asked of whom at this time. */
function asked(fetcher: Fetcher, wants: readonly Want[], elapsedMs: number) {
  const turn = new Turn();
  fetcher.pursue(wants, elapsedMs, turn);
  return turn.effects(NO_RULES).flatMap((effect) => (effect.kind === 'fetch' ? [effect] : []));
}

describe('what is wanted', () => {
  it('is asked of one server at a time, and of the next one when no answer comes', () => {
    const fetcher = new Fetcher(100);
    expect(asked(fetcher, [WANT], 0)).toMatchObject([{ request: 1, from: [2] }]);
    expect(asked(fetcher, [WANT], 99)).toEqual([]);
    expect(fetcher.nextMs).toBe(100);
    expect(asked(fetcher, [WANT], 100)).toMatchObject([{ request: 2, from: [0] }]);
    expect(asked(fetcher, [WANT], 200)).toMatchObject([{ request: 3, from: [1] }]);
    expect(asked(fetcher, [WANT], 300)).toMatchObject([{ request: 4, from: [2] }]);
  });

  it('is asked of the next server at once when one does not hold it, and after a pause when none does', () => {
    const fetcher = new Fetcher(100);
    asked(fetcher, [WANT], 0);
    fetcher.ended(1, false, 3, 1);
    expect(fetcher.failuresOf(WANT.key)).toBe(1);
    expect(asked(fetcher, [WANT], 1)).toMatchObject([{ from: [0] }]);
    fetcher.ended(2, false, 3, 2);
    expect(asked(fetcher, [WANT], 2)).toMatchObject([{ from: [1] }]);
    fetcher.ended(3, false, 3, 3);
    expect(asked(fetcher, [WANT], 3)).toEqual([]);
    expect(asked(fetcher, [WANT], 103)).toMatchObject([{ from: [2] }]);
  });

  it('is asked of the same server again when it helped', () => {
    const fetcher = new Fetcher(100);
    asked(fetcher, [WANT], 0);
    fetcher.ended(1, true, 3, 5);
    expect(asked(fetcher, [WANT], 5)).toMatchObject([{ from: [2] }]);
  });

  it('is forgotten when it is wanted no longer; a late answer does no harm', () => {
    const fetcher = new Fetcher(100);
    asked(fetcher, [WANT], 0);
    expect(asked(fetcher, [], 1)).toEqual([]);
    fetcher.ended(1, false, 3, 2);
    expect(fetcher.nextMs).toBeUndefined();
    expect(asked(fetcher, [WANT], 3)).toMatchObject([{ request: 2, from: [2] }]);
  });
});
