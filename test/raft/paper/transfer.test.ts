/** Raft dissertation, 3.10 "Leadership transfer extension". Server 1 is the engine; the test speaks for the others. */
import { describe, expect, it } from 'vitest';
import { leaderOf, Lone } from '../lone.ts';
import { appendEntries, configurationOf, idOf, requestVote, timeoutNow } from '../words.ts';

function transfer(lone: Lone, to: number | null, request = 1): void {
  lone.step({ kind: 'transferLeadership', request, to: to === null ? null : idOf(to) });
}

describe('3.10, a leader that hands over', () => {
  it('to one that is equal tells it to stand, at once', () => {
    const lone = leaderOf({ terms: [1] });
    transfer(lone, 2);
    const [call] = lone.calls('timeoutNow', 2);
    expect(call?.request).toEqual(timeoutNow({ from: 1 }));
    expect(lone.calls('timeoutNow', 3)).toEqual([]);
  });

  it('to one that is behind brings it up to date first', () => {
    const lone = leaderOf({ terms: [1] });
    lone.propose('w1');
    transfer(lone, 2);
    expect(lone.calls('timeoutNow')).toEqual([]);
    lone.acknowledge(2);
    expect(lone.calls('timeoutNow', 2)).toHaveLength(1);
  });

  it('whoever else has what is committed: the one that is to lead must have it', () => {
    const lone = leaderOf({ terms: [1] });
    lone.propose('w1');
    lone.acknowledge(3);
    expect(lone.status.commitIndex).toBe(3);
    transfer(lone, 2);
    expect(lone.calls('timeoutNow')).toEqual([]);
    lone.acknowledge(2);
    expect(lone.calls('timeoutNow', 2)).toHaveLength(1);
  });

  it('takes no proposals meanwhile, and says that none was written', () => {
    const lone = leaderOf({ terms: [1] });
    lone.propose('w1');
    transfer(lone, 2);
    lone.propose('w2');
    expect(lone.effectsOf('refusedProposal')).toMatchObject([{ number: 2, refusal: { code: 'transferring' } }]);
    expect(lone.server.terms).toEqual([1, 2, 2]);
  });

  it('is done when the other leads', () => {
    const lone = leaderOf({ terms: [1] });
    transfer(lone, 2);
    const vote = requestVote({ from: 2, term: 3, last: [2, 2], isTransfer: true });
    expect(lone.ask(2, vote)).toMatchObject({ term: 3, granted: true });
    expect(lone.status).toMatchObject({ role: 'follower', term: 3 });
    lone.ask(2, appendEntries({ from: 2, term: 3, prev: [2, 2] }));
    expect(lone.effectsOf('settled')).toHaveLength(1);
    expect(lone.effectsOf('unsettled')).toEqual([]);
  });

  it('goes on leading, and takes proposals again, when nothing comes of it for an election timeout', () => {
    const lone = leaderOf({ terms: [1] });
    transfer(lone, 2);
    for (let ms = 0; ms < 2500; ms += 10) {
      lone.elapse(10);
      for (const follower of [2, 3]) lone.acknowledge(follower);
    }
    expect(lone.effectsOf('unsettled')).toMatchObject([{ request: 1, refusal: { code: 'transfer-failed' } }]);
    expect(lone.status).toMatchObject({ role: 'leader', term: 2 });
    lone.propose('w1');
    expect(lone.effectsOf('proposed')).toHaveLength(1);
  });

  it('ends it when the other cannot be told', () => {
    const lone = leaderOf({ terms: [1] });
    transfer(lone, 2);
    const [call] = lone.calls('timeoutNow', 2);
    if (!call) throw new Error('it is told');
    lone.fail(call, 'unreachable');
    for (let ms = 0; ms < 2500; ms += 10) {
      lone.elapse(10);
      for (const follower of [2, 3]) lone.acknowledge(follower);
    }
    expect(lone.effectsOf('unsettled')).toHaveLength(1);
    lone.propose('w1');
    expect(lone.effectsOf('proposed')).toHaveLength(1);
  });

  it('picks the most advanced voter where nobody is named', () => {
    const lone = leaderOf({ terms: [1], configuration: configurationOf([1, 2, 3], [4]) });
    lone.propose('w1');
    lone.acknowledge(4);
    lone.acknowledge(3);
    transfer(lone, null);
    expect(lone.calls('timeoutNow').map(({ to }) => to)).toEqual([idOf(3)]);
  });

  it.each([
    ['itself', 1],
    ['a non-voter', 4],
    ['a stranger', 9],
  ])('does not to %s', (_who, to) => {
    const lone = leaderOf({ terms: [1], configuration: configurationOf([1, 2, 3], [4]) });
    transfer(lone, to);
    expect(lone.effectsOf('unsettled')).toMatchObject([{ refusal: { code: 'raft-no-such-voter' } }]);
    expect(lone.calls('timeoutNow')).toEqual([]);
    lone.propose('w1');
    expect(lone.effectsOf('proposed')).toHaveLength(1);
  });

  it('cannot where it does not lead', () => {
    const lone = new Lone({ terms: [1] });
    transfer(lone, 2);
    expect(lone.effectsOf('unsettled')).toMatchObject([{ refusal: { code: 'not-leader' } }]);
  });

  it('does one at a time', () => {
    const lone = leaderOf({ terms: [1] });
    lone.propose('w1');
    transfer(lone, 2, 1);
    transfer(lone, 3, 2);
    expect(lone.effectsOf('unsettled')).toMatchObject([{ request: 2 }]);
    lone.acknowledge(2);
    lone.acknowledge(3);
    expect(lone.calls('timeoutNow').map(({ to }) => to)).toEqual([idOf(2)]);
  });

  it('succeeds under load: what is on its way when it begins does not hold it up', () => {
    const lone = leaderOf({ terms: [1], limits: { maxAppendEntries: 8 } });
    for (let i = 0; i < 100; i++) lone.propose(`w${i}`);
    transfer(lone, 2);
    for (let i = 0; i < 100; i++) lone.propose(`w${i}`);
    lone.acknowledge(2);
    expect(lone.calls('timeoutNow', 2)).toHaveLength(1);
    expect(lone.server.lastIndex).toBe(102);
  });
});

describe('3.10, a server that is handed the leadership', () => {
  it('stands at once, without asking first, and says why', () => {
    const lone = new Lone({ terms: [1, 2] });
    lone.ask(2, appendEntries({ from: 2, term: 2, prev: [2, 2] }));
    expect(lone.ask(2, timeoutNow({ from: 2 }))).toEqual({ kind: 'timeoutNow' });
    expect(lone.status).toMatchObject({ role: 'candidate', term: 3 });
    expect(lone.calls('preVote')).toEqual([]);
    expect(lone.calls('requestVote').map(({ request }) => request)).toEqual([
      requestVote({ from: 1, term: 3, last: [2, 2], isTransfer: true }),
      requestVote({ from: 1, term: 3, last: [2, 2], isTransfer: true }),
    ]);
  });

  it('and later elections of its own are ordinary ones', () => {
    const lone = new Lone({ terms: [1, 2] });
    lone.ask(2, appendEntries({ from: 2, term: 2, prev: [2, 2] }));
    lone.ask(2, timeoutNow({ from: 2 }));
    for (const call of lone.open.slice()) lone.fail(call, 'unreachable');
    lone.elapseUntil(() => lone.calls('preVote').length > 0);
    lone.stand();
    for (const { request } of lone.calls('requestVote')) expect(request.isTransfer).toBe(false);
  });

  it('a non-voter that is told to stand does not', () => {
    const lone = new Lone({ terms: [1], configuration: configurationOf([2, 3], [1]) });
    lone.ask(2, appendEntries({ from: 2, term: 2, prev: [1, 1] }));
    lone.ask(2, timeoutNow({ from: 2 }));
    lone.elapse(5000);
    expect(lone.status).toMatchObject({ role: 'follower', term: 2 });
    expect(lone.calls('requestVote')).toEqual([]);
  });

  it('one who is told by a server that does not lead, while it hears who does, stays', () => {
    const lone = new Lone({ terms: [1, 2] });
    lone.ask(2, appendEntries({ from: 2, term: 2, prev: [2, 2] }));
    lone.ask(3, timeoutNow({ from: 3 }));
    expect(lone.status).toMatchObject({ role: 'follower', term: 2 });
    expect(lone.effectsOf('refused')).toMatchObject([{ from: idOf(3), refusal: { code: 'raft-not-the-leader' } }]);
  });

  it('a leader that is told to stand leads on', () => {
    const lone = leaderOf({ terms: [1] });
    lone.ask(2, timeoutNow({ from: 2 }));
    expect(lone.status).toMatchObject({ role: 'leader', term: 2 });
  });
});
