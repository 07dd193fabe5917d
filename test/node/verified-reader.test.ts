import { beforeAll, describe, expect, test } from 'vitest';
import { codedError, ok, refuse, unwrap } from '../../src/base/result.ts';
import { nodeKey } from '../../src/ledger/state.ts';
import { trustGenesis } from '../../src/ledger/trusted-chain.ts';
import { encodeReadAnswer } from '../../src/ledger/verified-read.ts';
import { peerSource, VerifiedReader, type ReadSource } from '../../src/node/verified-reader.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { SealedChain } from '../ledger/chain.ts';
import { peerOf, START } from '../ledger/nodes.ts';

const PEER = peerOf(1);
let chain: SealedChain;

beforeAll(() => {
  chain = new SealedChain();
  chain.commit([chain.join(1)]);
});

function answerOf(from: SealedChain, statements = 0): Uint8Array {
  const { proof, value } = unwrap(from.machine.proveAt(from.machine.head.height, nodeKey(PEER)));
  const headStatements = Array.from({ length: statements }, (_, signer) => from.headStatement(signer, START * 1000));
  const { block, seal } = from.sealedAt(from.machine.head.height);
  return encodeReadAnswer({
    value: value ?? null,
    proof,
    header: block.headerBytes,
    seal,
    epochProofs: [],
    headStatements,
  });
}

function reader(nowMs = START * 1000 + 2_000): VerifiedReader {
  return new VerifiedReader({
    trusted: unwrap(trustGenesis(chain.genesis, nativeScheme)),
    parameters: chain.genesis.parameters,
    scheme: nativeScheme,
    nowMs: () => nowMs,
  });
}

const silent: ReadSource = {
  name: 'silent',
  ask: () => Promise.reject(codedError('dial-failed', 'the peer could not be reached')),
};
const honest: ReadSource = { name: 'honest', ask: () => Promise.resolve(ok(answerOf(chain, 4))) };
const lying: ReadSource = {
  name: 'lying',
  ask: () => {
    const bytes = answerOf(chain);
    bytes[40] = (bytes[40] ?? 0) ^ 1;
    return Promise.resolve(ok(bytes));
  },
};
const ANY_AGE = { maxAgeMs: undefined, timeoutMs: 5_000 };

describe('reading from peers', () => {
  test('goes past those who are silent or lie, and reports who served what holds', async () => {
    const report = unwrap(await reader().read(PEER, [silent, lying, honest], ANY_AGE));
    expect(report).toMatchObject({ verified: true, servedBy: 'honest', peerId: PEER, height: 1, ageMs: 2_000 });
    expect(report).toMatchObject({
      validators: 4,
      trust: 'quorum',
      lastSeq: 1,
      node: { peerId: PEER, isActive: true },
    });
    expect(report.signers).toHaveLength(3);
  });

  test('says why the last answer does not hold, and whose it was', async () => {
    const read = await reader().read(PEER, [lying, silent], ANY_AGE);
    expect(read).toMatchObject({ ok: false, refusal: { details: { servedBy: 'lying' } } });
  });

  test('says that nobody answered', async () => {
    for (const sources of [[], [silent]]) {
      expect(await reader().read(PEER, sources, ANY_AGE)).toMatchObject({ refusal: { code: 'peer-unreachable' } });
    }
  });

  test('refuses what is older than the reader takes', async () => {
    const read = await reader(START * 1000 + 60_000).read(PEER, [honest], { ...ANY_AGE, maxAgeMs: 30_000 });
    expect(read).toMatchObject({ refusal: { code: 'too-old', details: { ageMs: 60_000 } } });
  });

  test('stops for good once two quorums contradict each other', async () => {
    const other = new SealedChain();
    other.commit([other.join(1, { version: 'v9' })]);
    const fork: ReadSource = { name: 'fork', ask: () => Promise.resolve(ok(answerOf(other))) };
    const stopped = reader();
    expect((await stopped.read(PEER, [honest], ANY_AGE)).ok).toBe(true);
    expect(await stopped.read(PEER, [fork], ANY_AGE)).toMatchObject({ refusal: { code: 'conflicting-certificates' } });
    expect(await stopped.read(PEER, [honest], ANY_AGE)).toMatchObject({
      refusal: { code: 'conflicting-certificates' },
    });
  });

  describe('from a hint', () => {
    const old = (): ReadSource => {
      const kept = answerOf(chain);
      return { name: 'dht', ask: () => Promise.resolve(ok(kept)) };
    };

    test('takes what a peer proves at the same height or later', async () => {
      const report = unwrap(await reader().readFromHint(PEER, old(), () => [silent, lying, honest], ANY_AGE));
      expect(report).toMatchObject({ servedBy: 'honest', ageMs: 2_000, hint: { height: 1, lastSeq: 1 } });
    });

    test('is not taken back by a peer that is behind it', async () => {
      const behind: ReadSource = { name: 'behind', ask: () => Promise.resolve(ok(answerOf(new SealedChain(), 4))) };
      const read = await reader().readFromHint(PEER, old(), () => [behind], ANY_AGE);
      expect(unwrap(read)).toMatchObject({ servedBy: 'dht', height: 1, ageMs: null });
      const fresh = await reader().readFromHint(PEER, old(), () => [behind], { ...ANY_AGE, maxAgeMs: 5_000 });
      expect(fresh).toMatchObject({ refusal: { code: 'behind-hint', details: { servedBy: 'behind' } } });
    });

    test('that does not hold is refused before any peer is asked', async () => {
      const peers = (): never => {
        throw new Error('no peer is needed');
      };
      const read = await reader().readFromHint(PEER, lying, peers, ANY_AGE);
      expect(read).toMatchObject({ refusal: { details: { servedBy: 'lying' } } });
    });

    test('is refused for its unknown age when a greatest age was stated and nobody proves it', async () => {
      const read = await reader().readFromHint(PEER, old(), () => [silent], { ...ANY_AGE, maxAgeMs: 1_000 });
      expect(read).toMatchObject({ refusal: { code: 'age-unknown' } });
    });
  });

  test('a peer that sends no answer, or a refusal, is one that did not serve', async () => {
    const empty = peerSource({ peerId: 'empty' }, () => Promise.resolve(ok([])));
    expect(await reader().read(PEER, [empty], ANY_AGE)).toMatchObject({ refusal: { code: 'answer-invalid' } });
    const refusing = peerSource({ peerId: 'busy' }, () => Promise.resolve(refuse('busy', 'later')));
    expect(await reader().read(PEER, [refusing], ANY_AGE)).toMatchObject({
      refusal: { code: 'busy', details: { servedBy: 'busy' } },
    });
  });
});
