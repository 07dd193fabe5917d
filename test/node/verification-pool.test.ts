import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { unwrap } from '../../src/base/result.ts';
import { decodeCommitProof } from '../../src/ledger/commit-proof.ts';
import type { VerificationJob } from '../../src/node/verification-jobs.ts';
import { VerificationPool, type Urgency } from '../../src/node/verification-pool.ts';
import { genesisCertificate } from '../../src/qc/certificate.ts';
import { SealedChain } from '../ledger/chain.ts';
import { codeOf } from '../net/network.ts';
import { voteFor } from '../qc/validators.ts';

const chain = new SealedChain();
for (let i = 0; i < 8; i++) chain.commit();
const genesis = genesisCertificate(0, chain.state.block.id);
const context = { chainId: chain.chainId, validators: chain.validators, genesis };

function sealJob(height: number): VerificationJob {
  const { block, seal } = chain.sealedAt(height);
  const { header, id } = block;
  return { kind: 'seal', proof: unwrap(decodeCommitProof(seal.bytes)), block: { id, header } };
}

/** What no caller asks: the worker's assertion about it ends the worker. */
const DEADLY: VerificationJob = {
  kind: 'collect',
  work: { kind: 'votes', chainId: chain.chainId, epoch: 99, vote: voteFor(1), ballots: [] },
};

describe('a verification pool', () => {
  let pool: VerificationPool;

  beforeAll(() => {
    pool = new VerificationPool(context, 2);
  });

  afterAll(() => pool.close());

  test('answers each job with its own outcome', async () => {
    const [good, other] = [sealJob(1), sealJob(2)] as const;
    const bad = { ...good, block: (other as typeof good & { block: unknown }).block } as VerificationJob;
    const outcomes = await Promise.all([good, bad, other].map((job) => pool.run(job, 'consensus')));
    expect(outcomes).toMatchObject([
      { ok: true, value: { kind: 'checked', result: { ok: true } } },
      { ok: true, value: { kind: 'checked', result: { refusal: { code: 'seal-names-another-block' } } } },
      { ok: true, value: { kind: 'checked', result: { ok: true } } },
    ]);
  });

  test('does what a round waits for first, and what others push last', async () => {
    const done: Urgency[] = [];
    const single = new VerificationPool(context, 1);
    const ask = async (height: number, urgency: Urgency) => {
      await single.run(sealJob(height), urgency);
      done.push(urgency);
    };
    await Promise.all([
      ask(1, 'bulk'), // under way at once
      ask(2, 'bulk'),
      ask(3, 'sync'),
      ask(4, 'bulk'),
      ask(5, 'consensus'),
      ask(6, 'consensus'),
      ask(7, 'sync'),
      ask(8, 'consensus'),
    ]);
    expect(done).toEqual(['bulk', ...Array(3).fill('consensus'), 'sync', 'sync', 'bulk', 'bulk']);
    await single.close();
  });

  test('refuses as `verification-busy` what exceeds its queue, but never what a round waits for', async () => {
    const single = new VerificationPool(context, 1);
    const jobs = { bulk: 1030, sync: 1030, consensus: 1030 };
    const answers = Object.fromEntries(
      Object.entries(jobs).map(([urgency, count]) => [
        urgency,
        Array.from({ length: count }, () => single.run(sealJob(1), urgency as Urgency)),
      ]),
    );
    const codes = async (urgency: Urgency) =>
      (await Promise.all(answers[urgency] ?? [])).map((answer) => (answer.ok ? 'done' : answer.refusal.code));
    const count = (list: readonly string[]) => list.filter((code) => code === 'verification-busy').length;
    expect([count(await codes('bulk')), count(await codes('sync')), count(await codes('consensus'))]).toEqual([
      5, 6, 0,
    ]);
    await single.close();
  });

  test('ends what waits, and refuses what comes, with `verification-closed` once it is closed', async () => {
    const closing = new VerificationPool(context, 1);
    const waiting = Array.from({ length: 5 }, (_, i) => closing.run(sealJob(i + 1), 'bulk'));
    const codes = Promise.all(waiting.map(codeOf));
    await closing.close();
    expect(await codes).toEqual(Array(5).fill('verification-closed'));
    expect(await codeOf(closing.run(sealJob(1), 'consensus'))).toBe('verification-closed');
    await closing.close();
  });

  test('takes no notice of an answer that comes while it is closed', async () => {
    const closing = new VerificationPool(context, 1);
    await closing.run(sealJob(1), 'consensus');
    const last = codeOf(closing.run(sealJob(1), 'consensus'));
    await new Promise((resolve) => setImmediate(resolve));
    await closing.close();
    expect(['no error', 'verification-closed']).toContain(await last);
  });

  test('fails all with `worker-died` when a worker dies: it would never answer', async () => {
    const dying = new VerificationPool(context, 2);
    const answers = [DEADLY, sealJob(1), sealJob(2), sealJob(3), sealJob(4), sealJob(5)].map((job) =>
      codeOf(dying.run(job, 'bulk')),
    );
    expect(await answers[0]).toBe('worker-died');
    expect(await Promise.all(answers)).toContain('worker-died');
    expect(await codeOf(dying.run(sealJob(1), 'consensus'))).toBe('worker-died');
    await dying.close();
  });
});
