import { describe, expect, test } from 'vitest';
import { codedError, ok, refuse, type Result } from '../../../src/base/result.ts';
import { LinearizableReads, type LinearizableReadsOptions } from '../../../src/node/raft/linearizable-reads.ts';

const notLeader = (leader: string | null) => refuse('not-leader', 'b does not lead', { leader });

interface Parts {
  readonly own: Result<number>;
  readonly leader?: Result<number> | 'silent';
  readonly isApplied?: boolean;
}

/** A member that knows `own`, a leader that answers `leader`, and whether what it names is applied in time. */
function reads({ own, leader = 'silent', isApplied = true }: Parts) {
  const asked: string[] = [];
  const waited: number[] = [];
  const options: LinearizableReadsOptions = {
    server: () => ({
      readIndex: async () => own,
      appliedUpTo: async (index) => {
        waited.push(index);
        return isApplied;
      },
    }),
    askLeader: async (id) => {
      asked.push(id);
      if (leader === 'silent') throw codedError('dial-failed', 'the leader is not reached');
      return leader;
    },
  };
  return { asked, waited, reads: new LinearizableReads(options) };
}

describe('a linearizable read', () => {
  test('is ready at a leader once a majority has said that it leads', async () => {
    const at = reads({ own: ok(7) });
    expect(await at.reads.ready()).toEqual(ok(7));
    expect(at.asked).toEqual([]);
  });

  test('is ready at a follower once it has applied what its leader names', async () => {
    const at = reads({ own: notLeader('a'), leader: ok(9) });
    expect(await at.reads.ready()).toEqual(ok(9));
    expect([at.asked, at.waited]).toEqual([['a'], [9]]);
  });

  test.each([
    ['nobody leads', { own: notLeader(null), leader: ok(9) }, 'not-leader'],
    ['the leader is not reached', { own: notLeader('a') }, 'not-leader'],
    ['whom it takes for the leader leads no more', { own: notLeader('a'), leader: notLeader('c') }, 'not-leader'],
    ['the member is too far behind', { own: notLeader('a'), leader: ok(9), isApplied: false }, 'read-behind'],
    ['too many reads wait', { own: refuse('busy', 'too many reads wait') }, 'busy'],
  ] as const)('is refused where %s', async (_where, parts, code) => {
    expect(await reads(parts).reads.ready()).toMatchObject({ ok: false, refusal: { code } });
  });

  test('for another member is never passed on', async () => {
    const at = reads({ own: notLeader('a'), leader: ok(9) });
    expect(await at.reads.index()).toMatchObject({ refusal: { code: 'not-leader' } });
    expect(at.asked).toEqual([]);
  });
});
