import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ok, refuse, type Result } from '../../src/base/result.ts';
import type { SignedEvent } from '../../src/ledger/event.ts';
import type { VerifiedEvent } from '../../src/ledger/verified-event.ts';
import { Submissions, type Acknowledged, type SubmissionsOptions } from '../../src/node/submissions.ts';
import { SealedChain, type CommittedStep } from '../ledger/chain.ts';
import { peerOf, START } from '../ledger/nodes.ts';

const WAIT_MS = 1_000;

let chain: SealedChain;
let nowMs: number;
let quorum: boolean;
let admitted: VerifiedEvent[];
/** Checks of signatures that the test lets end. */
let checks: PromiseWithResolvers<Result<VerifiedEvent>>[];
let held: boolean;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  chain = new SealedChain();
  nowMs = START * 1000;
  quorum = true;
  admitted = [];
  checks = [];
  held = false;
});

afterEach(() => {
  vi.useRealTimers();
});

function submissionsWith(options: Partial<SubmissionsOptions> = {}): Submissions {
  return new Submissions({
    verifier: {
      verify(event) {
        if (!held) return Promise.resolve(ok(event as VerifiedEvent));
        const check = Promise.withResolvers<Result<VerifiedEvent>>();
        checks.push(check);
        return check.promise;
      },
    },
    durableState: chain.backing,
    policy: { kind: 'open' },
    maxWaiting: 3,
    maxWaitMs: WAIT_MS,
    nowMs: () => nowMs,
    quorumReachable: () => quorum,
    admit(event) {
      admitted.push(event);
      return ok(undefined);
    },
    ...options,
  });
}

function codeOf(answer: Result<Acknowledged> | null): string {
  if (answer === null) return 'waiting';
  return answer.ok ? `acknowledged ${answer.value.height}` : answer.refusal.code;
}

/** The answer if there is one already. */
async function answerOf(answer: Promise<Result<Acknowledged>>): Promise<string> {
  const later = new Promise<null>((resolve) => setImmediate(() => resolve(null)));
  return codeOf(await Promise.race([answer, later]));
}

function tellCommit(submissions: Submissions, { sealed, changes }: CommittedStep): void {
  submissions.committed([{ block: sealed.block, sealed, changes }]);
}

function pass(ms: number): void {
  nowMs += ms;
  vi.advanceTimersByTime(ms);
}

const change = (node: number, seq: number, version = 'v1.0.0'): VerifiedEvent =>
  chain.event({ type: 'versionChanged', peerId: peerOf(node), seq, version });

describe('a submission', () => {
  test('is acknowledged when its block is durable, with the height', async () => {
    const submissions = submissionsWith();
    const event = chain.join(1);
    const answer = submissions.submit(event);
    expect(await answerOf(answer)).toBe('waiting');
    expect(admitted).toEqual([event]);
    expect(submissions.waiting).toBe(1);
    tellCommit(submissions, chain.commit([event]));
    expect(await answerOf(answer)).toBe('acknowledged 1');
    expect(submissions.waiting).toBe(0);
  });

  test('is acknowledged at once where only acceptance is asked for', async () => {
    const submissions = submissionsWith();
    expect(await answerOf(submissions.submit(chain.join(1), 'accepted'))).toBe('acknowledged null');
    expect(admitted).toHaveLength(1);
    expect(submissions.waiting).toBe(0);
  });

  test('sent twice is handed on once, and answered twice', async () => {
    const submissions = submissionsWith();
    const event = chain.join(1);
    const answers = [submissions.submit(event), submissions.submit(event)];
    await answerOf(Promise.race(answers));
    expect(admitted).toHaveLength(1);
    tellCommit(submissions, chain.commit([event]));
    expect(await Promise.all(answers.map(answerOf))).toEqual(['acknowledged 1', 'acknowledged 1']);
  });

  test('that was committed before is acknowledged before its time is judged', async () => {
    const submissions = submissionsWith();
    const event = chain.join(1);
    chain.commit([event]);
    nowMs += 86_400_000;
    quorum = false;
    expect(await answerOf(submissions.submit(event))).toBe('acknowledged null');
  });

  test('that is committed while its signature is checked is acknowledged', async () => {
    const submissions = submissionsWith();
    held = true;
    const event = chain.join(1);
    const answer = submissions.submit(event);
    tellCommit(submissions, chain.commit([event]));
    checks[0]?.resolve(ok(event));
    expect(await answerOf(answer)).toBe('acknowledged null');
    expect(admitted).toEqual([]);
  });

  test('that the engine finds in a block already is acknowledged', async () => {
    const submissions = submissionsWith();
    const event = chain.join(1);
    const answer = submissions.submit(event);
    await answerOf(answer);
    submissions.rejected(event.id, refuse('already-applied', 'text').refusal);
    expect(await answerOf(answer)).toBe('acknowledged null');
  });

  test('is never answered from a state that is not durable', async () => {
    const durable = new Map(chain.backing.entries);
    const submissions = submissionsWith({ durableState: { get: (key) => durable.get(key) } });
    const event = chain.join(1);
    const step = chain.commit([event]);
    const answer = submissions.submit(event);
    expect(await answerOf(answer)).toBe('waiting');
    tellCommit(submissions, step);
    expect(await answerOf(answer)).toBe('acknowledged 1');
  });

  test.each([
    ['superseded', 1],
    ['sequence-conflict', 2],
    ['waiting', 3],
  ])('is answered `%s` for a sequence number of %i after 2', async (code, seq) => {
    const submissions = submissionsWith();
    chain.commit([chain.join(1)]);
    chain.commit([change(1, 2)]);
    expect(await answerOf(submissions.submit(change(1, seq, 'v2.0.0')))).toBe(code);
  });

  test('is refused as `clock-skew` when its time is far from the clock', async () => {
    const submissions = submissionsWith();
    for (const time of [START - 121, START + 121]) {
      const event = chain.event({ ...change(1, 5).event, time });
      expect(await answerOf(submissions.submit(event))).toBe('clock-skew');
    }
    expect(admitted).toEqual([]);
  });

  test('is refused by the policy: `not-allowed`, `not-staked`', async () => {
    const listed = submissionsWith({ policy: { kind: 'allow-list', peerIds: new Set([peerOf(1)]) } });
    expect(await answerOf(listed.submit(chain.join(1)))).toBe('waiting');
    expect(await answerOf(listed.submit(chain.join(2)))).toBe('not-allowed');
    const staked = submissionsWith({ policy: { kind: 'staked' } });
    expect(await answerOf(staked.submit(chain.join(1)))).toBe('not-staked');
    chain.commit([chain.join(1)]);
    expect(await answerOf(staked.submit(change(1, 2)))).toBe('not-staked');
  });

  test('is refused as `busy` beyond the bound, checks of signatures counted', async () => {
    const submissions = submissionsWith();
    held = true;
    const answers = [1, 2, 3].map((node) => submissions.submit(chain.join(node)));
    expect(submissions.waiting).toBe(3);
    expect(await submissions.submit(chain.join(4))).toMatchObject({
      refusal: { code: 'busy', details: { waiting: 3, retryAfterMs: 1_000 } },
    });
    for (const check of checks) check.resolve(refuse('signature-invalid', 'text'));
    expect(await Promise.all(answers.map(answerOf))).toEqual(Array(3).fill('signature-invalid'));
    expect(submissions.waiting).toBe(0);
  });

  test('is refused as what consensus says when it has no room', async () => {
    const submissions = submissionsWith({ admit: () => refuse('busy', 'text') });
    expect(await answerOf(submissions.submit(chain.join(1)))).toBe('busy');
    expect(await answerOf(submissions.submit(chain.join(1), 'accepted'))).toBe('busy');
    expect(submissions.waiting).toBe(0);
  });

  test('is refused as `no-quorum` at once while too few validators are reachable', async () => {
    const submissions = submissionsWith();
    quorum = false;
    expect(await answerOf(submissions.submit(chain.join(1)))).toBe('no-quorum');
    expect(admitted).toEqual([]);
  });

  test('is answered `not-committed-yet`, or `no-quorum`, after its time, and can be sent again', async () => {
    const submissions = submissionsWith();
    const event = chain.join(1);
    const first = submissions.submit(event);
    await answerOf(first);
    pass(WAIT_MS);
    expect(await answerOf(first)).toBe('not-committed-yet');
    const second = submissions.submit(event);
    await answerOf(second);
    quorum = false;
    pass(WAIT_MS);
    expect(await answerOf(second)).toBe('no-quorum');
    quorum = true;
    const third = submissions.submit(event);
    await answerOf(third);
    tellCommit(submissions, chain.commit([event]));
    expect(await answerOf(third)).toBe('acknowledged 1');
    expect(vi.getTimerCount()).toBeLessThanOrEqual(1);
  });

  test('waits no longer because it, or an earlier one, is sent again', async () => {
    const submissions = submissionsWith();
    const early = chain.join(1);
    const first = submissions.submit(early);
    await answerOf(first);
    pass(WAIT_MS / 2);
    const again = submissions.submit(early);
    const other = submissions.submit(chain.join(2));
    await answerOf(other);
    pass(WAIT_MS / 2);
    expect(await Promise.all([first, again, other].map(answerOf))).toEqual(['not-committed-yet', 'waiting', 'waiting']);
    pass(WAIT_MS / 2);
    expect(await Promise.all([again, other].map(answerOf))).toEqual(['not-committed-yet', 'not-committed-yet']);
    expect(submissions.waiting).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('is answered in time when the clock is set back meanwhile', async () => {
    const submissions = submissionsWith();
    const answer = submissions.submit(chain.join(1));
    await answerOf(answer);
    nowMs -= 60_000;
    vi.advanceTimersByTime(WAIT_MS);
    nowMs += 62_000;
    vi.advanceTimersByTime(WAIT_MS);
    expect(await answerOf(answer)).toBe('not-committed-yet');
  });

  test('is answered as the engine refused it', async () => {
    const submissions = submissionsWith();
    const event = chain.join(1);
    const answer = submissions.submit(event);
    await answerOf(answer);
    submissions.rejected(event.id, refuse('expired', 'text').refusal);
    submissions.rejected(event.id, refuse('superseded', 'text').refusal);
    expect(await answerOf(answer)).toBe('expired');
  });

  test.each(['not-joined', 'proposal-unknown'])(
    'refused as `%s` by a validator that is behind may commit yet',
    async (code) => {
      const submissions = submissionsWith({ maxWaitMs: 10_000 });
      const event = chain.join(1);
      const answer = submissions.submit(event);
      await answerOf(answer);
      submissions.rejected(event.id, refuse(code, 'text').refusal);
      expect(await answerOf(answer)).toBe('waiting');
      tellCommit(submissions, chain.commit([event]));
      expect(await answerOf(answer)).toBe('acknowledged 1');
    },
  );

  test('is answered with that refusal when nobody commits it', async () => {
    const submissions = submissionsWith({ maxWaitMs: 10_000 });
    const event = chain.join(1);
    const answer = submissions.submit(event);
    await answerOf(answer);
    submissions.rejected(event.id, refuse('not-joined', 'text').refusal);
    pass(1_000);
    expect(await answerOf(answer)).toBe('not-joined');
  });

  test('is answered `stopping` when the node stops, whether it waits, is under check or comes later', async () => {
    const submissions = submissionsWith();
    const waiting = submissions.submit(chain.join(1));
    await answerOf(waiting);
    held = true;
    const underCheck = submissions.submit(chain.join(2));
    submissions.close();
    checks[0]?.resolve(ok(chain.join(2)));
    const later = submissions.submit(chain.join(3));
    const answers = await Promise.all([waiting, underCheck, later].map(answerOf));
    expect(answers).toEqual(['stopping', 'stopping', 'stopping']);
    expect(admitted).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('of which nobody waits is no matter when blocks commit', () => {
    const submissions = submissionsWith();
    tellCommit(submissions, chain.commit([chain.join(1)]));
    expect(submissions.waiting).toBe(0);
  });

  test('with a signature that the verifier could not check fails, and leaves nothing behind', async () => {
    const broken = (_event: SignedEvent) => Promise.reject(new Error('the verification pool is closed'));
    const submissions = submissionsWith({ verifier: { verify: broken } });
    await expect(submissions.submit(chain.join(1))).rejects.toThrow('closed');
    expect(submissions.waiting).toBe(0);
  });
});
