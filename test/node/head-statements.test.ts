import { beforeEach, describe, expect, test } from 'vitest';
import { ok, refuse, type Result } from '../../src/base/result.ts';
import { headOf } from '../../src/ledger/genesis-state.ts';
import { HeadStatements } from '../../src/node/head-statements.ts';
import { genesisCertificate } from '../../src/qc/certificate.ts';
import { headStatementCodec, type HeadStatement } from '../../src/qc/head-statement.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { SealedChain } from '../ledger/chain.ts';
import { START } from '../ledger/nodes.ts';
import { InPlaceVerifier } from './in-place-verifier.ts';

let chain: SealedChain;
let verifier: InPlaceVerifier;
let nowMs: number;
let signed: number;
/** Validators that were asked, in order. */
let asked: number[];
let answers: (index: number) => Promise<Result<Uint8Array>>;

beforeEach(() => {
  chain = new SealedChain();
  chain.commit([chain.join(1)]);
  const genesis = genesisCertificate(0, chain.state.block.id);
  verifier = new InPlaceVerifier({ chainId: chain.chainId, validators: chain.validators, genesis }, nativeScheme);
  nowMs = START * 1000;
  signed = 0;
  asked = [];
  answers = (index) => Promise.resolve(ok(headStatementCodec.encode(chain.headStatement(index, nowMs))));
});

/** @param self index of the validator; null for an observer */
function statementsOf(self: number | null): HeadStatements {
  const genesis = genesisCertificate(0, chain.state.block.id);
  return new HeadStatements({
    context: { chainId: chain.chainId, validators: chain.validators, genesis },
    nowMs: () => nowMs,
    verifier,
    signer:
      self === null
        ? null
        : {
            index: self,
            sign(preimage) {
              signed++;
              return nativeScheme.sign(chain.secretKeyOf(self), preimage);
            },
          },
    head: () => headOf(chain.head),
    ask(index) {
      asked.push(index);
      return answers(index);
    },
  });
}

const signersOf = (statements: readonly HeadStatement[]) => statements.map(({ signer }) => signer).sort();

/** Everything that waits for nothing has happened. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('a validator', () => {
  test('states its head, at most once in five seconds', () => {
    const statements = statementsOf(2);
    const first = statements.own();
    expect(first).toEqual(headStatementCodec.encode(chain.headStatement(2, nowMs)));
    chain.commit();
    nowMs += 4_999;
    expect(statements.own()).toEqual(first);
    expect(signed).toBe(1);
    nowMs += 1;
    expect(statements.own()).toEqual(headStatementCodec.encode(chain.headStatement(2, nowMs)));
    expect(signed).toBe(2);
  });

  test('states it again when its clock was set back', () => {
    const statements = statementsOf(2);
    statements.own();
    nowMs -= 3_600_000;
    expect(statements.own()).toEqual(headStatementCodec.encode(chain.headStatement(2, nowMs)));
  });

  test('signs nothing while nobody asks', () => {
    statementsOf(2);
    expect(signed).toBe(0);
  });
});

describe('a server of reads', () => {
  test('collects what the others state, and adds its own', async () => {
    expect(signersOf(await statementsOf(1).collect()).length).toBeGreaterThanOrEqual(2);
    await settled();
    expect(asked).toEqual([0, 2, 3]);
    expect(verifier.jobs).toEqual(Array(3).fill({ kind: 'headStatement', urgency: 'sync' }));
  });

  test('asks all again after five seconds, and once for all who ask meanwhile', async () => {
    const statements = statementsOf(null);
    expect(statements.own()).toBeNull();
    await Promise.all([statements.collect(), statements.collect()]);
    nowMs += 4_999;
    await statements.collect();
    expect(asked).toEqual([0, 1, 2, 3]);
    nowMs += 1;
    await statements.collect();
    expect(asked).toHaveLength(8);
  });

  test('waits for f + 1 of them and not for one that is silent', async () => {
    const silent = Promise.withResolvers<Result<Uint8Array>>();
    const answered = answers;
    answers = (index) => (index === 0 ? silent.promise : answered(index));
    const statements = statementsOf(1);
    expect(signersOf(await statements.collect())).toContain(1);
    await settled();
    expect(signersOf(await statements.collect())).toEqual([1, 2, 3]);
    silent.resolve(await answered(0));
    await settled();
    expect(signersOf(await statements.collect())).toEqual([0, 1, 2, 3]);
  });

  test('comes to an end when nobody answers', async () => {
    answers = () => Promise.resolve(refuse('peer-unreachable', 'text'));
    expect(await statementsOf(null).collect()).toEqual([]);
    expect(signersOf(await statementsOf(1).collect())).toEqual([1]);
  });

  test('keeps an older statement of one that no longer answers', async () => {
    const statements = statementsOf(null);
    await statements.collect();
    await settled();
    answers = () => Promise.resolve(refuse('peer-unreachable', 'text'));
    nowMs += 60_000;
    expect(signersOf(await statements.collect())).toEqual([0, 1, 2, 3]);
  });

  test.each([
    ['is of another validator', (index: number) => chain.headStatement((index + 1) % 4, START * 1000)],
    ['is of another epoch', (index: number) => ({ ...chain.headStatement(index, START * 1000), epoch: 1 })],
    ['is signed for another time', (index: number) => ({ ...chain.headStatement(index, 1), nowMs: START * 1000 })],
  ])('takes none that %s', async (_what, forged) => {
    answers = (index) => Promise.resolve(ok(headStatementCodec.encode(forged(index))));
    expect(await statementsOf(null).collect()).toEqual([]);
  });

  test('takes no bytes that are no statement, and fails as its verifier does', async () => {
    const garbage = Uint8Array.of(1, 2, 3);
    answers = () => Promise.resolve(ok(garbage));
    expect(await statementsOf(null).collect()).toEqual([]);
    answers = (index) => Promise.resolve(ok(headStatementCodec.encode(chain.headStatement(index, nowMs))));
    verifier.run = () => Promise.reject(new Error('closed'));
    await expect(statementsOf(null).collect()).rejects.toThrow('closed');
  });
});
